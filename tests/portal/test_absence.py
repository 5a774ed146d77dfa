"""The page "My absence": naming a deputy, what that moves, an end before the time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.delegations import Terms, create_delegation, end_delegation
from apps.accounts.models import Delegation, User
from apps.core import clock
from apps.outbox.relay import run_relay
from apps.requests.selectors import waiting_approvals
from tests.factories import make_item, make_person, make_request
from tests.portal.conftest import FORM, World, as_, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
PAGE = "/absence/"
DAY = timedelta(days=1)
EMPTY = "Nobody answers for you. Before you go away, name your deputy below"


def local(moment: datetime) -> str:
    """As the browser's field sends it."""
    return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M")


def sent(**more: Any) -> dict[str, Any]:
    """Ivo is the deputy for two days from now."""
    return {"deputy": "ivo", "starts_at": "", "ends_at": local(clock.now() + 2 * DAY), "action": "save", **more}


def away(person: User, deputy: User, *, begins: timedelta = timedelta(), **scope: Any) -> Delegation:
    now = clock.now()
    return create_delegation(
        person, Terms(deputy=deputy, starts_at=now + begins, ends_at=now + begins + 3 * DAY, **scope)
    )


def with_amount(world: World, amount: str) -> None:
    """A request of Rita's for an item whose form names its amount."""
    item = make_item("travel", form={**FORM, "amount_field": "price"}, workflow=world.item.rules.get().workflow)
    make_request(item, world.rita, title="Trip", data={"reason": "x", "price": {"amount": amount, "currency": "EUR"}})


def test_the_empty_page_says_what_to_do(world: World) -> None:
    page = text_of(as_(world.mia).get(PAGE))
    assert EMPTY in page
    assert "Nobody has named you as a deputy." in page
    assert "When you have chosen a deputy, you see here which of your open approvals go to them." in page


def test_it_is_in_the_persons_menu_and_for_people_who_are_logged_in(world: World, anonymous) -> None:
    assert "Mia My absence Log out" in text_of(as_(world.mia).get("/"))
    assert anonymous.get(PAGE).status_code == 302


def test_saving_names_the_deputy_and_open_approvals_move(world: World) -> None:
    world.ask()
    mia = as_(world.mia)
    page = text_of(mia.post(PAGE, sent(), follow=True))
    assert "Saved. Ivo answers for you from now on. 1 open approval goes over now." in page
    assert EMPTY not in page
    run_relay()
    assert [seat.principal for seat in waiting_approvals(world.ivo)] == [world.mia]
    assert "for Mia" in text_of(as_(world.ivo).get("/inbox/"))


def test_times_are_in_the_persons_own_zone(world: World) -> None:
    world.mia.time_zone = "Asia/Tokyo"
    world.mia.save()
    day = (clock.now() + 5 * DAY).date()
    as_(world.mia).post(PAGE, sent(starts_at=f"{day}T09:00", ends_at=f"{day}T18:00"))
    stored = Delegation.objects.get()
    assert (stored.starts_at.isoformat(), stored.ends_at.isoformat()) == (
        f"{day}T00:00:00+00:00",
        f"{day}T09:00:00+00:00",
    )
    assert "09:00" in text_of(as_(world.mia).get(PAGE))
    assert "Times are in Asia/Tokyo." in text_of(as_(world.mia).get(PAGE))


def test_what_was_entered_and_refused_is_kept_with_the_problem_at_its_field(world: World) -> None:
    with_amount(world, "5.00")
    wrong = sent(deputy="mia", ends_at="2001-01-01T00:00", items=["laptop"], up_to="many", currency="USD")
    answer = as_(world.mia).post(PAGE, wrong)
    html, page = answer.content.decode(), text_of(answer)
    assert (answer.status_code, Delegation.objects.count()) == (400, 0)
    assert "Please mend these and send it again" in page
    assert "Who answers for you : You cannot be your own deputy." in page
    assert 'id="deputy-error">You cannot be your own deputy.<' in html
    assert 'id="ends_at-error">This is in the past.<' in html
    assert 'id="up_to-error">This must be an amount' in html
    for kept in (
        'value="mia"',
        'value="2001-01-01T00:00"',
        'value="many"',
        'value="laptop" checked',
        "<option selected>USD",
    ):
        assert kept in html


def test_a_form_that_is_sent_twice_names_one_deputy(world: World) -> None:
    mia, form = as_(world.mia), sent(form_token="once")
    mia.post(PAGE, form)
    again = mia.post(PAGE, form, follow=True)
    assert (again.status_code, Delegation.objects.count()) == (200, 1)


def test_the_scope_is_kept_and_shown(world: World) -> None:
    with_amount(world, "5.00")
    mia = as_(world.mia)
    mia.post(PAGE, sent(items=["laptop", "travel"], up_to="1.500,00", currency="EUR"))
    assert "New laptop, Travel, up to 1,500.00 EUR" in text_of(mia.get(PAGE))


def test_without_a_form_that_names_its_amount_there_is_no_limit_to_enter(world: World) -> None:
    assert "Up to which amount" not in text_of(as_(world.mia).get(PAGE))


def test_the_preview_says_what_goes_and_what_stays_and_saves_nothing(world: World) -> None:
    request = world.ask(title="Mine is broken")
    with_amount(world, "20.00")
    mia = as_(world.mia)
    page = text_of(mia.post(PAGE, sent(action="preview", up_to="10", currency="EUR")))
    assert "2 stay with you: " in page
    assert "Mine is broken: it names no amount that the limit could be compared with" in page
    assert "Trip: it is above the limit" in page
    page = text_of(mia.post(PAGE, sent(action="preview", items=["laptop"])))
    assert "1 open approval goes to Ivo now:" in page
    assert f"{request.number} · Mine is broken" in page
    assert "1 stays with you:" in page
    assert "Trip: it is not among the items you chose" in page
    assert Delegation.objects.count() == 0


def test_the_preview_follows_the_form_before_it_is_whole(world: World) -> None:
    world.ask()
    mia = as_(world.mia)
    path = f"{PAGE}preview/"
    assert "When you have chosen a deputy" in text_of(mia.get(path))
    assert "1 open approval goes to Ivo now:" in text_of(mia.get(path, {"deputy": "ivo"}))
    later = {"deputy": "ivo", "starts_at": local(clock.now() + DAY)}
    assert "goes to Ivo when your absence begins, if it still waits:" in text_of(mia.get(path, later))
    unfit = text_of(mia.get(path, {"deputy": "nobody"}))
    assert "What will move is shown here when this is mended: Who answers for you: There is no active person" in unfit


def test_the_preview_follows_a_chain_and_knows_who_sits_there_already(world: World) -> None:
    world.ask()
    away(world.ivo, world.stan)
    shown = text_of(as_(world.mia).get(f"{PAGE}preview/", {"deputy": "ivo"}))
    assert "goes on to Stan, for Ivo is away then too" in shown


def test_the_preview_takes_the_same_statements_for_one_and_for_many(world: World, django_assert_num_queries) -> None:
    mia = as_(world.mia)
    world.ask()
    mia.get(f"{PAGE}preview/", {"deputy": "ivo"})
    with django_assert_num_queries(9):
        mia.get(f"{PAGE}preview/", {"deputy": "ivo"})
    for _ in range(3):
        world.ask()
    with django_assert_num_queries(9):
        assert "4 open approvals go to Ivo now:" in text_of(mia.get(f"{PAGE}preview/", {"deputy": "ivo"}))


def test_an_absence_ends_now_and_its_approvals_come_back(world: World) -> None:
    world.ask()
    made = away(world.mia, world.ivo)
    run_relay()
    mia = as_(world.mia)
    page = text_of(mia.post(f"{PAGE}{made.pk}/end/", follow=True))
    assert "Ivo no longer answers for you. What is still open comes back to you." in page
    assert EMPTY in page
    assert "Ended early" in page
    run_relay()
    assert [seat.principal for seat in waiting_approvals(world.mia)] == [None]
    assert "This absence is over already." in text_of(mia.post(f"{PAGE}{made.pk}/end/", follow=True))


def test_nobody_ends_the_absence_of_somebody_else_here(world: World) -> None:
    made = away(world.mia, world.ivo)
    for other in (world.ivo, world.stan):
        assert as_(other).post(f"{PAGE}{made.pk}/end/").status_code == 404
    assert as_(world.mia).get(f"{PAGE}{made.pk}/end/").status_code == 302
    assert Delegation.objects.get().ended_at is None


def test_current_coming_and_past_absences_are_told_apart(world: World) -> None:
    away(world.mia, world.ivo)
    away(world.mia, world.lea, begins=5 * DAY)
    end_delegation(away(world.mia, world.stan), actor=world.mia)
    page = text_of(as_(world.mia).get(PAGE))
    now, coming, past = page.index("End now"), page.index("Take it back"), page.index("Past absences")
    assert now < coming < past
    assert page.index("Ended early") > past


def test_somebody_who_stands_in_sees_for_whom(world: World) -> None:
    away(world.mia, world.ivo, items=("laptop",))
    page = text_of(as_(world.ivo).get(PAGE))
    assert "Nobody has named you" not in page
    assert "Mia mia" in page
    assert "New laptop" in page


def test_a_deputy_who_has_left_is_pointed_out(world: World) -> None:
    away(world.mia, world.ivo)
    User.objects.filter(pk=world.ivo.pk).update(is_active=False)
    assert "Ivo has left. Name somebody else." in text_of(as_(world.mia).get(PAGE))


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_takes_the_same_statements_whatever_its_length(
    world: World, count: int, django_assert_num_queries
) -> None:
    for number in range(count):
        away(world.mia, make_person(f"deputy{number}"), items=("laptop",))
        away(world.stan, world.mia, items=("laptop",))
    mia = as_(world.mia)
    mia.get(PAGE)
    with django_assert_num_queries(12):
        mia.get(PAGE)


def test_the_notification_leads_to_the_page(world: World) -> None:
    away(world.mia, world.ivo)
    run_relay()
    answer = as_(world.ivo).get("/notifications/")
    assert "Ivo answers approvals for Mia from " in text_of(answer)
    assert b'<a href="/absence/">' in answer.content
