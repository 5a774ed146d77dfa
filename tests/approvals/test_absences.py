"""Open seats follow their people's absences: moved by the sweep with real rows, nothing else tells it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Delegation, User
from apps.approvals.models import Approval, Decision, Seat
from apps.core import clock
from apps.core.errors import AlreadyDecided
from apps.outbox.models import Event, Incident
from apps.requests import sweeps
from apps.requests.enums import IMPORT
from apps.requests.models import Request
from apps.requests.selectors import history_of, visible_requests, waiting_approvals
from apps.requests.services.decisions import record_decision
from apps.requests.services.rounds import reassign
from tests.factories import (
    FORM,
    Json,
    approval_document,
    make_item,
    make_person,
    make_request,
    make_sla,
    make_team,
    make_workflow,
    refusal,
)
from tests.races import at_once

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LEVEL: Json = {"id": "main", "name": "Main", "approvers": [{"person": "ann"}], "rule": {"kind": "any"}}


@dataclass(frozen=True, kw_only=True)
class World:
    """Rita asks, Ann is to approve; Ben, Cleo and Dan may stand in; Ada administers."""

    rita: User
    ann: User
    ben: User
    cleo: User
    dan: User
    ada: User


@pytest.fixture
def people(db: None) -> World:
    make_team("it", make_person("worker"))
    names = ("rita", "ann", "ben", "cleo", "dan")
    return World(**{name: make_person(name) for name in names}, ada=make_person("ada", roles=["administrator"]))


def asked(people: World, *levels: Json, slug: str = "thing", policy: Json | None = None, **wish: Any) -> Request:
    """A request of Rita's that waits at these levels."""
    document = approval_document(slug, levels=levels or (LEVEL,))
    document["steps"][1]["policy"].update(policy or {})
    form = {
        **FORM,
        "amount_field": "amount",
        "fields": [*FORM["fields"][:1], {**FORM["fields"][1], "currencies": ["EUR", "USD"]}],
    }
    make_sla()
    return make_request(make_item(slug, workflow=make_workflow(document), form=form), people.rita, **wish)


def away(
    person: User, deputy: User, *, begins: timedelta = -HOUR, lasts: timedelta = 10 * DAY, **scope: Any
) -> Delegation:
    now = clock.now()
    times = {"starts_at": now + begins, "ends_at": now + begins + lasts, "created_at": now}
    return Delegation.objects.create(principal=person, deputy=deputy, **times, **scope)


def swept(after: timedelta = timedelta()) -> int:
    """How many requests the sweep acted on."""
    return sweeps.run_sweeps(clock.now() + after)["attendance"]


def seats(request: Request) -> list[str]:
    """The seats of the request that are not given up: "ben for ann", with their answers."""
    rows = Seat.objects.filter(level__approval__stream_id=request.pk, left_at=None).select_related(
        "user", "principal", "decision"
    )
    return [_told(seat) for seat in rows.order_by("id")]


def _told(seat: Seat) -> str:
    name = seat.user.username + (f" for {seat.principal.username}" if seat.principal else "")
    return name + (f": {seat.decision.verdict}" if hasattr(seat, "decision") else "")


def events(request: Request) -> int:
    return Event.objects.filter(stream_id=request.pk).count()


def sentences(request: Request, reader: User) -> list[str]:
    return [f"{line.who} {line.what}" for line in history_of(request, reader=reader)]


def test_a_seat_goes_to_the_deputy_when_the_absence_begins_and_back_when_it_is_over(people):
    request = asked(people)
    away(people.ann, people.ben, begins=HOUR, lasts=DAY)
    assert (swept(), seats(request)) == (0, ["ann"])
    assert (swept(HOUR), seats(request)) == (1, ["ben for ann"])
    assert (swept(HOUR), swept(20 * HOUR), seats(request)) == (0, 0, ["ben for ann"])
    assert (swept(25 * HOUR), seats(request)) == (1, ["ann"])
    assert sentences(request, people.rita)[-2:] == [
        "Service Flow asked Ben for Ann to approve “Approval” instead of Ann: they are away",
        "Service Flow asked Ann to approve “Approval” instead of Ben for Ann: they are back",
    ]


def test_it_comes_back_when_the_absence_is_ended_early(people):
    request = asked(people)
    delegation = away(people.ann, people.ben)
    swept()
    delegation.ended_at = clock.now()
    delegation.save(update_fields=["ended_at"])
    assert (swept(), seats(request)) == (1, ["ann"])


def test_the_deputy_answers_for_the_principal_who_no_longer_can(people):
    request = asked(people)
    away(people.ann, people.ben)
    swept()
    approval = Approval.objects.get(stream_id=request.pk)
    with refusal(AlreadyDecided):
        record_decision(approval, verdict="approve", actor=people.ann)
    record_decision(approval, verdict="approve", actor=people.ben)
    decided = [line for line in sentences(request, people.rita) if line.startswith("Ben")]
    assert decided == ["Ben approved for Ann"]
    assert Decision.objects.get().seat.principal == people.ann


def test_the_deputy_sees_the_request_and_has_it_in_the_inbox(people):
    request = asked(people)
    assert not visible_requests(people.ben).filter(pk=request.pk).exists()
    away(people.ann, people.ben)
    swept()
    assert visible_requests(people.ben).filter(pk=request.pk).exists()
    assert [seat.principal for seat in waiting_approvals(people.ben)] == [people.ann]
    assert list(waiting_approvals(people.ann)) == []


def test_an_answer_never_moves(people):
    both = {**LEVEL, "approvers": [{"person": "ann"}, {"person": "cleo"}], "rule": {"kind": "all"}}
    request = asked(people, both)
    record_decision(Approval.objects.get(), verdict="approve", actor=people.ann)
    away(people.ann, people.ben)
    before = events(request)
    assert (swept(), seats(request), events(request)) == (0, ["ann: approve", "cleo"], before)


def test_a_chain_is_followed_and_shortens_again(people):
    request = asked(people)
    away(people.ann, people.ben)
    swept()
    second = away(people.ben, people.cleo)
    assert (swept(), seats(request)) == (1, ["cleo for ann"])
    second.ended_at = clock.now()
    second.save(update_fields=["ended_at"])
    assert (swept(), seats(request)) == (1, ["ben for ann"])


def test_of_two_delegations_the_newer_one_counts(people):
    request = asked(people)
    away(people.ann, people.ben)
    swept()
    away(people.ann, people.cleo)
    assert (swept(), seats(request)) == (1, ["cleo for ann"])


def test_a_chain_of_five_is_followed_one_of_six_is_not(people):
    others = [make_person(f"deputy{number}") for number in range(1, 7)]
    request = asked(people)
    line = [people.ann, *others]
    for person, deputy in pairwise(line[:6]):
        away(person, deputy)
    assert (swept(), seats(request)) == (1, ["deputy5 for ann"])
    away(others[4], others[5])
    swept()
    assert seats(request) == ["ada"]


def test_a_circle_asks_the_fallback_within_one_sweep(people):
    request = asked(people)
    away(people.ann, people.ben)
    away(people.ben, people.ann)
    assert (swept(), seats(request)) == (1, ["ada"])
    assert (swept(), Incident.objects.count()) == (0, 0)


def test_a_circle_without_fallback_is_an_incident_within_one_sweep_and_ends_with_the_circle(people):
    request = asked(people, policy={"fallback": [{"role": "nobody has it"}]})
    away(people.ann, people.ben)
    back = away(people.ben, people.ann)
    assert swept() == 1
    incident = Incident.objects.get()
    assert (incident.kind, incident.stream_id, incident.status) == ("approval_without_approver", request.pk, "open")
    before = events(request)
    swept()
    assert (seats(request), events(request)) == (["ann"], before)
    back.ended_at = clock.now()
    back.save(update_fields=["ended_at"])
    assert (swept(), seats(request)) == (1, ["ben for ann"])
    assert (Incident.objects.get().status, swept()) == ("resolved", 0)


def test_an_incident_of_a_circle_ends_when_the_person_asked_is_back(people):
    request = asked(people, policy={"fallback": [{"role": "nobody has it"}]})
    first = away(people.ann, people.ben)
    away(people.ben, people.ann)
    swept()
    first.ended_at = clock.now()
    first.save(update_fields=["ended_at"])
    assert (swept(), seats(request), Incident.objects.get().status) == (1, ["ann"], "resolved")
    assert swept() == 0


@pytest.mark.parametrize(
    ("scope", "amount", "holder"),
    [
        ({"items": ["thing"]}, None, "ben for ann"),
        ({"items": ["other", "thing"]}, None, "ben for ann"),
        ({"items": ["other"]}, None, "ann"),
        ({"up_to": Decimal(100), "currency": "EUR"}, ("99.99", "EUR"), "ben for ann"),
        ({"up_to": Decimal(100), "currency": "EUR"}, ("100.00", "EUR"), "ben for ann"),
        ({"up_to": Decimal(100), "currency": "EUR"}, ("100.01", "EUR"), "ann"),
        ({"up_to": Decimal(100), "currency": "EUR"}, ("1.00", "USD"), "ann"),
        ({"up_to": Decimal(100), "currency": "EUR"}, None, "ann"),
        ({"items": ["thing"], "up_to": Decimal(100), "currency": "EUR"}, ("100.01", "EUR"), "ann"),
    ],
)
def test_only_what_is_in_the_scope_moves(people, scope, amount, holder):
    data = {"reason": "I need it"}
    if amount:
        data["amount"] = {"amount": amount[0], "currency": amount[1]}
    request = asked(people, data=data)
    away(people.ann, people.ben, **scope)
    assert (swept(), seats(request)) == (int(holder != "ann"), [holder])
    assert swept() == 0


def test_a_form_that_names_no_amount_is_in_no_limited_scope(people):
    item = make_item("plain", workflow=make_workflow(approval_document("plain", levels=[LEVEL])))
    data = {"reason": "I need it", "amount": {"amount": "1.00", "currency": "EUR"}}
    request = make_request(item, people.rita, data=data)
    away(people.ann, people.ben, up_to=Decimal(100), currency="EUR")
    assert (swept(), seats(request)) == (0, ["ann"])


def test_the_principal_keeps_the_seat_while_the_deputy_sits_at_the_level(people):
    both = {**LEVEL, "approvers": [{"person": "ann"}, {"person": "ben"}], "rule": {"kind": "all"}}
    request = asked(people, both)
    away(people.ann, people.ben)
    assert (swept(), seats(request)) == (0, ["ann", "ben"])
    away(people.ben, people.cleo)
    swept()
    assert seats(request) == ["ben", "cleo for ann"]
    assert swept() == 0


def test_a_deputy_who_asked_for_it_themselves_does_not_get_the_seat(people):
    request = asked(people, policy={"separation": ["not_requester"]})
    away(people.ann, people.rita)
    assert (swept(), seats(request)) == (1, ["ann"])
    assert swept() == 0
    away(people.ann, people.ben)
    assert (swept(), seats(request)) == (1, ["ben for ann"])


def test_without_separation_of_duties_they_do(people):
    request = asked(people)
    away(people.ann, people.rita)
    assert (swept(), seats(request)) == (1, ["rita for ann"])


def test_a_deputy_who_answered_at_an_earlier_level_does_not_get_the_seat_of_the_next(people):
    first = {**LEVEL, "id": "first", "approvers": [{"person": "ben"}]}
    request = asked(people, first, LEVEL, policy={"separation": ["distinct_levels"]})
    record_decision(Approval.objects.get(), verdict="approve", actor=people.ben)
    away(people.ann, people.ben)
    assert (swept(), seats(request), swept()) == (1, ["ben: approve", "ann"], 0)


def test_an_inactive_deputy_is_passed_over_and_gives_the_seat_back(people):
    request = asked(people)
    away(people.ann, people.ben)
    swept()
    User.objects.filter(pk=people.ben.pk).update(is_active=False)
    assert (swept(), seats(request)) == (1, ["ann"])
    assert swept() == 0


def test_a_seat_does_not_go_back_to_somebody_who_has_left(people):
    request = asked(people)
    away(people.ann, people.ben, lasts=DAY)
    swept()
    User.objects.filter(pk=people.ann.pk).update(is_active=False)
    swept(2 * DAY)
    assert seats(request) == ["ada"]
    assert swept(2 * DAY) == 0


def test_a_level_that_opens_during_the_absence_asks_the_deputy(people):
    away(people.ann, people.ben)
    request = asked(people)
    assert (seats(request), swept()) == (["ben for ann"], 0)


def test_an_imported_history_is_left_alone(people):
    request = asked(people)
    Request.objects.filter(pk=request.pk).update(origin=IMPORT)
    away(people.ann, people.ben)
    before = events(request)
    assert (swept(), seats(request), events(request)) == (0, ["ann"], before)


def many(people: World, count: int, **wish: Any) -> list[Request]:
    """Requests of Rita's that differ in their amounts."""
    first = asked(people)
    amounts = [{"reason": "x", "amount": {"amount": f"{number + 1}.00", "currency": "EUR"}} for number in range(count)]
    return [make_request(first.item, people.rita, data=data) for data in amounts]


def holders(requests: Iterable[Request]) -> set[str]:
    return {name for request in requests for name in seats(request)}


@pytest.mark.parametrize("count", [30, pytest.param(200, marks=pytest.mark.long)])
def test_many_open_seats_move_and_come_back(people, count):
    requests = many(people, count)
    away(people.ann, people.ben, lasts=DAY)
    assert (swept(), holders(requests), swept()) == (count + 1, {"ben for ann"}, 0)
    assert (swept(2 * DAY), holders(requests), swept(2 * DAY)) == (count + 1, {"ann"}, 0)


def statements_of_a_sweep() -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert swept() == 0
    return len(captured)


def test_the_statements_of_a_sweep_do_not_grow_with_the_seats_that_are_where_they_belong(people):
    away(people.ann, people.ben, items=["elsewhere"])
    away(people.cleo, people.dan)
    many(people, 2)
    few = statements_of_a_sweep()
    item = Request.objects.first().item
    for number in range(25):
        data = {"reason": "x", "amount": {"amount": f"{number + 100}.00", "currency": "EUR"}}
        make_request(item, people.rita, data=data)
    assert statements_of_a_sweep() == few
    Delegation.objects.filter(principal=people.ann).delete()
    away(people.ann, people.ben)
    assert swept() == 28
    assert statements_of_a_sweep() == few


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_move_every_seat_once(people):
    requests = many(people, 12)
    away(people.ann, people.ben)
    assert at_once(*[swept] * 3) == []
    swept()
    assert holders(requests) == {"ben for ann"}
    assert Event.objects.filter(type="approval.asked").count() == 13


def test_a_seat_that_was_given_away_from_the_deputy_does_not_go_back_to_them(people):
    request = asked(people)
    away(people.ann, people.ben, lasts=DAY)
    swept()
    approval = Approval.objects.get()
    seat = Seat.objects.get(left_at=None)
    reassign(approval, seat.pk, people.dan, reason="Ben is ill", actor=people.ben)
    assert (swept(), seats(request)) == (0, ["dan for ann"])
    assert (swept(2 * DAY), seats(request)) == (1, ["ann"])
