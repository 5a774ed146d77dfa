"""Two people and the clock at one approval at once, on PostgreSQL: one outcome, whoever holds the lock first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.api.tokens import new_pair
from apps.approvals.models import Decision, Seat
from apps.core.errors import AlreadyDecided, TransitionNotAllowed
from apps.outbox.models import Event
from apps.requests.models import Request
from apps.requests.services.rounds import close_vote, override, reassign, withdraw_round
from apps.requests.sweeps import run_sweeps
from apps.workflows.models import Timer
from tests.factories import make_person
from tests.factories.approvals import (
    ANY,
    approval_of,
    ask,
    decide,
    delegate,
    leave,
    level,
    make_people,
    open_incidents,
    seat_of,
    sitting,
    status_of,
    told,
)
from tests.races import PATIENCE_S, at_once, beside, in_one_transaction
from tests.requests.agreement import assert_agreement

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
Act = Callable[[], object]
MANY = 50
LATE = [AlreadyDecided]


def overlapping(first: Act, second: Act) -> list[type[BaseException]]:
    """Runs the second act while the first one's transaction is open, until it waits for a lock or has ended; what they
    raised, by type.
    """
    raised: list[type[BaseException]] = []
    acted, over = threading.Event(), threading.Event()
    waiting: list[int] = []

    def run(act: Act, before: Act, after: Act) -> None:
        try:
            before()
            with transaction.atomic():
                act()
                after()
        except BaseException as error:
            raised.append(type(error))

    def let_the_other_come() -> None:
        acted.set()
        end = time.monotonic() + 60
        while not over.is_set() and not (waiting and is_blocked(waiting[0])) and time.monotonic() < end:
            time.sleep(0.01)

    def wait_for_the_first() -> None:
        assert acted.wait(PATIENCE_S)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            waiting.append(cursor.fetchone()[0])

    def following() -> None:
        run(second, wait_for_the_first, lambda: None)
        over.set()

    threads = [beside(lambda: run(first, lambda: None, let_the_other_come)), beside(following)]
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads)
    return raised


def is_blocked(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s", [pid])
        row = cursor.fetchone()
    return bool(row and row[0])


@dataclass(kw_only=True)
class Scene:
    """A request that waits for Anna or Ben, with an hour's time; Carl and Dora are there too."""

    request: Request
    requester: User
    administrator: User
    anna: User
    ben: User
    carl: User
    dora: User
    due_at: datetime

    def approve(self) -> None:
        decide(self.request, self.anna)

    def reject(self) -> None:
        decide(self.request, self.ben, "reject")

    def withdraw(self) -> None:
        withdraw_round(approval_of(self.request), actor=self.requester)

    def expire(self) -> None:
        run_sweeps(self.due_at)

    def sweep(self) -> None:
        run_sweeps()

    def deactivate(self) -> None:
        leave(self.anna)

    def override(self) -> None:
        override(approval_of(self.request), verdict="reject", reason="the board", actor=self.administrator)

    def reassign(self) -> None:
        seat = Seat.objects.get(user=self.anna)
        reassign(approval_of(self.request), seat.pk, self.carl, reason="hers", actor=self.administrator)

    def close(self) -> None:
        close_vote(approval_of(self.request), actor=self.dora)


def make_scene(world, **rule) -> Scene:
    anna, ben, carl, dora = make_people("anna", "ben", "carl", "dora")
    rule = {"rule": ANY, **rule}
    deadline = {"business_seconds": 3600, "then": "expire"}
    request = ask(world.requester, level("one", anna, ben, deadline=deadline, **rule))
    return Scene(
        request=request,
        requester=world.requester,
        administrator=world.administrator,
        anna=anna,
        ben=ben,
        carl=carl,
        dora=dora,
        due_at=Timer.objects.get().due_at,
    )


@pytest.fixture
def scene(world) -> Scene:
    return make_scene(world)


def assert_one_outcome(request: Request) -> None:
    """The round ended once or not at all, no seat that was given up has an answer, and the log has no gap."""
    ended = 0 if approval_of(request).status == "pending" else 1
    assert Event.objects.filter(stream_id=request.pk, type="approval.ended").count() == ended
    assert not Decision.objects.filter(seat__left_at__isnull=False).exists()
    assert len(told(request, "approval.decided")) == Decision.objects.count()
    seqs = list(Event.objects.filter(stream_id=request.pk).order_by("seq").values_list("seq", flat=True))
    assert seqs == list(range(1, len(seqs) + 1))
    assert Request.objects.get(pk=request.pk).revision == len(seqs)
    assert_agreement(request)


PAIRS = [
    ("approve", "approve", LATE, "approved", 1),
    ("approve", "reject", LATE, "approved", 1),
    ("reject", "approve", LATE, "rejected", 1),
    ("approve", "withdraw", LATE, "approved", 1),
    ("withdraw", "approve", LATE, "withdrawn", 0),
    ("approve", "expire", [], "approved", 1),
    ("expire", "approve", LATE, "expired", 0),
    ("approve", "deactivate", [], "approved", 1),
    ("deactivate", "approve", [], "approved", 1),
    ("approve", "override", LATE, "approved", 1),
    ("override", "approve", LATE, "rejected", 0),
    ("approve", "reassign", LATE, "approved", 1),
    ("reassign", "approve", LATE, "pending", 0),
    ("reassign", "reject", [], "rejected", 1),
    ("override", "withdraw", LATE, "rejected", 0),
    ("expire", "withdraw", LATE, "expired", 0),
    ("expire", "expire", [], "expired", 0),
]


@pytest.mark.parametrize(
    ("first", "second", "refused", "status", "decisions"), PAIRS, ids=[f"{a}, then {b}" for a, b, *_ in PAIRS]
)
def test_of_two_at_once_the_first_counts(scene, first, second, refused, status, decisions):
    assert overlapping(getattr(scene, first), getattr(scene, second)) == refused
    assert (approval_of(scene.request).status, Decision.objects.count()) == (status, decisions)
    assert_one_outcome(scene.request)
    run_sweeps()
    assert (approval_of(scene.request).status, open_incidents(scene.request)) == (status, [])


def test_a_seat_that_moves_to_a_deputy_while_its_person_answers_takes_no_answer(scene):
    delegate(scene.anna, scene.carl)
    assert overlapping(scene.sweep, scene.approve) == LATE
    assert (status_of(scene.request), sitting(scene.request)) == (("pending", 0), ["ben", "carl for anna"])
    assert_one_outcome(scene.request)
    decide(scene.request, scene.carl)
    assert status_of(scene.request) == ("approved", 0)


def test_a_seat_that_is_answered_while_the_sweep_comes_does_not_move(scene):
    delegate(scene.anna, scene.carl)
    assert overlapping(scene.approve, scene.sweep) == []
    run_sweeps()
    assert (status_of(scene.request), sitting(scene.request)) == (("approved", 0), ["anna", "ben"])
    assert_one_outcome(scene.request)


MAJORITY = {"rule": {"kind": "all"}, "reject": {"kind": "all"}, "chair": {"person": "dora"}}


def test_a_vote_that_is_closed_while_somebody_answers_takes_no_answer(world):
    scene = make_scene(world, **MAJORITY)
    scene.approve()
    assert overlapping(scene.close, scene.reject) == LATE
    assert (status_of(scene.request), Decision.objects.count()) == (("approved", 0), 1)
    assert_one_outcome(scene.request)


def test_an_answer_while_the_vote_is_closed_counts_and_what_follows_from_it(world):
    scene = make_scene(world, **MAJORITY)
    scene.approve()
    assert overlapping(scene.reject, scene.close) == [TransitionNotAllowed]
    assert (status_of(scene.request), sitting(scene.request)) == (("pending", 0), ["anna", "ben", "dora"])
    assert_one_outcome(scene.request)


def test_somebody_who_leaves_while_the_sweep_looks_is_seen_by_the_next(scene):
    leave(scene.ben)
    overlapping(scene.deactivate, scene.sweep)
    run_sweeps()
    assert sitting(scene.request) == ["administrator"]


def test_everything_at_once_has_one_outcome_and_no_deadlock(scene):
    acts = [scene.approve, scene.reject, scene.withdraw, scene.override, scene.reassign, scene.expire, scene.sweep]
    raised = at_once(*(lambda act=act: in_one_transaction(act) for act in acts))
    assert {type(error) for error in raised} <= {AlreadyDecided}
    assert approval_of(scene.request).status != "pending"
    assert_one_outcome(scene.request)


def test_fifty_clients_at_one_seat_get_one_answer_in_and_49_are_too_late(scene):
    raised = at_once(*[lambda: in_one_transaction(scene.approve)] * MANY)
    assert [type(error) for error in raised] == LATE * (MANY - 1)
    assert (status_of(scene.request), Decision.objects.count()) == (("approved", 0), 1)
    assert_one_outcome(scene.request)


def test_fifty_programs_at_one_seat_get_one_200_and_49_times_409(scene):
    token, pk = new_pair(scene.anna)["access"], approval_of(scene.request).pk
    seat, answers = seat_of(scene.request, scene.anna).pk, []

    def post() -> None:
        client = APIClient(HTTP_AUTHORIZATION=f"Bearer {token}")
        body = {"decision": "approve", "seat": seat}
        answers.append(client.post(f"/api/v1/approvals/{pk}/decide/", body, format="json").status_code)

    assert at_once(*[post] * MANY) == []
    assert sorted(answers) == [200, *[409] * (MANY - 1)]
    assert_one_outcome(scene.request)


def test_a_person_with_two_requests_at_once_has_both_answers(world):
    anna = make_person("anna")
    requests = [ask(world.requester, level("one", anna), key=f"key{n}") for n in range(2)]
    assert at_once(*(lambda one=one: in_one_transaction(lambda: decide(one, anna)) for one in requests)) == []
    assert [status_of(one)[0] for one in requests] == ["approved", "approved"]
