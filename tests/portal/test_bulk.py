"""Several approvals answered together in the inbox: each judged by itself, and what became of each is said."""

from __future__ import annotations

import re
from typing import Any

import pytest

from apps.approvals.models import Decision, Seat
from apps.requests.models import Request
from tests.factories import row_counts
from tests.factories.approvals import approval_of, ask, decide, level, make_people
from tests.portal.conftest import World, as_, page_of, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def seat(request: Request) -> int:
    return Seat.objects.get(level__approval=approval_of(request), left_at=None).pk


def send(world: World, verdict: str, *requests: Request, **more: Any) -> Any:
    ticked = [seat(request) for request in requests]
    return as_(world.mia).post("/inbox/decide/", {"decision": verdict, "seat": ticked, **more})


def listed(answer: Any) -> list[tuple[str, list[str]]]:
    """The results above the inbox: their heading, and a line for each."""
    boxes = re.findall(r'<div class="notice[^>]*><h2>(.*?)</h2><ul>(.*?)</ul>', answer.content.decode(), re.DOTALL)
    return [
        (head, [re.sub(r"<[^>]+>", "", line) for line in re.findall(r"<li>(.*?)</li>", rows)]) for head, rows in boxes
    ]


def statuses(*requests: Request) -> list[str]:
    return [approval_of(request).status for request in requests]


def test_several_are_approved_together_with_one_comment(world: World) -> None:
    one, two, left = world.ask(title="One"), world.ask(title="Two"), world.ask(title="Three")
    answer = send(world, "approve", one, two, comment="Both fine")
    assert answer.status_code == 200
    assert listed(answer) == [("2 approved", [f"{two.number} · Two", f"{one.number} · One"])]
    assert statuses(one, two, left) == ["approved", "approved", "pending"]
    assert {decision.note and decision.note.text for decision in Decision.objects.all()} == {"Both fine"}
    assert re.findall(r'href="/requests/(SR-[\d-]+)/"', answer.content.decode()) == [left.number]


def test_each_is_judged_by_itself_and_says_why_it_was_not_possible(world: World) -> None:
    gone, fine = world.ask(title="Gone"), world.ask(title="Fine")
    commented = ask(world.rita, level("board", world.mia, comment="on_any"), key="commented")
    signed = ask(world.rita, level("law", world.mia, reauthenticate={"meaning": "I read it"}), key="signed")
    as_(world.rita).post(page_of(gone, "cancel"))
    answer = send(world, "approve", gone, fine, commented, signed)
    assert listed(answer) == [
        ("1 approved", [f"{fine.number} · Fine"]),
        (
            "3 not approved",
            [
                f"{signed.number} · Please: Please enter your password: this answer is signed.",
                f"{commented.number} · Please: Please say why.",
                f"{gone.number} · Gone: This approval has already ended.",
            ],
        ),
    ]
    assert statuses(gone, fine, commented, signed) == ["withdrawn", "approved", "pending", "pending"]


def test_what_did_not_go_through_stays_ticked_with_its_comment(world: World) -> None:
    one, two = world.ask(), world.ask()
    refused = send(world, "reject", one, two, comment=" ")
    page = refused.content.decode()
    assert [head for head, _ in listed(refused)] == ["2 not rejected"]
    assert len(re.findall(r'name="seat" value="\d+" checked', page)) == 2
    long = send(world, "approve", one, two, comment="x" * 10_001)
    assert ("x" * 10_001 in long.content.decode(), Decision.objects.count()) == (True, 0)


def test_what_an_answer_needs_is_said_before_it_is_sent(world: World) -> None:
    for key, keys in {
        "plain": {},
        "commented": {"comment": "on_any"},
        "rejected": {"comment": "on_reject"},
        "signed": {"reauthenticate": {"meaning": "I read it"}},
    }.items():
        ask(world.rita, level("board", world.mia, **keys), key=key)
    answer = as_(world.mia).get("/inbox/")
    needs = re.findall(r'class="under needs">(.*?)<', answer.content.decode())
    assert needs == ["Needs your password: open it to answer", "Needs a comment to reject", "Needs a comment"]
    assert len(re.findall(r'type="checkbox"', answer.content.decode())) == 3
    assert "Those that need a comment are not answered without." in text_of(answer)


def test_one_alone_is_answered_on_its_page(world: World) -> None:
    world.ask()
    page = as_(world.mia).get("/inbox/").content.decode()
    assert ('type="checkbox"' in page, "those ticked" in page) == (False, False)


def test_sending_it_twice_does_no_harm_and_says_the_same(world: World) -> None:
    one, two = world.ask(title="One"), world.ask(title="Two")
    first = send(world, "approve", one, two, comment="Fine")
    before = (row_counts(), Decision.objects.count())
    second = send(world, "approve", one, two, comment="Fine")
    assert listed(first) == listed(second) == [("2 approved", [f"{two.number} · Two", f"{one.number} · One"])]
    assert (row_counts(), Decision.objects.count()) == before
    other = send(world, "reject", one, comment="No")
    assert listed(other) == [("1 not rejected", [f"{one.number} · One: This approval has already ended."])]


def test_the_next_level_of_a_request_is_not_answered_along(world: World) -> None:
    request = ask(world.rita, level("first", world.mia), level("second", world.mia))
    other, first = world.ask(), seat(request)
    for _ in range(2):
        as_(world.mia).post("/inbox/decide/", {"decision": "approve", "seat": [first, first, seat(other)]})
    assert (statuses(request), Decision.objects.filter(seat__level__approval=approval_of(request)).count()) == (
        ["pending"],
        1,
    )


def test_seats_of_others_are_left_out(world: World) -> None:
    anna, ben = make_people("anna", "ben")
    request = ask(world.rita, level("board", anna, ben))
    theirs = Seat.objects.get(user=anna).pk
    before = (row_counts(), Decision.objects.count())
    answer = as_(world.mia).post("/inbox/decide/", {"decision": "approve", "seat": [theirs, 10**17, "x"]})
    assert (answer.status_code, (row_counts(), Decision.objects.count())) == (200, before)
    assert request.number not in text_of(answer)
    decide(request, ben)


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"decision": "approve"}, "Tick at least one approval."),
        ({"decision": "return", "seat": "1"}, "Choose whether to approve or to reject."),
        ({"seat": "1"}, "Choose whether to approve or to reject."),
    ],
)
def test_nothing_ticked_or_nothing_chosen_is_said(world: World, sent: dict[str, str], problem: str) -> None:
    world.ask()
    answer = as_(world.mia).post("/inbox/decide/", sent)
    assert (answer.status_code, problem in text_of(answer), Decision.objects.count()) == (400, True, 0)


def test_opening_the_address_leads_to_the_inbox_and_a_stranger_to_log_in(world: World, anonymous) -> None:
    assert as_(world.mia).get("/inbox/decide/").headers["Location"] == "/inbox/"
    assert anonymous.post("/inbox/decide/").headers["Location"] == "/login/?next=/inbox/decide/"
