"""Random histories with rebases at random points, by which targets come and go: what is stored is what is replayed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta

import pytest
import time_machine
from django.db import transaction

from apps.approvals.models import Approval
from apps.core import clock
from apps.core.errors import Conflict, InvalidInput
from apps.requests.models import Request
from apps.requests.selectors import tasks_of
from apps.requests.selectors.clocks import explained
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import hold_request, reopen_request, resume_request
from apps.requests.services.priority import set_priority
from apps.requests.services.rebasing import Rebase, apply
from apps.requests.services.rebasing_look import preview
from apps.requests.services.rebasing_work import rebase_to_calendar
from apps.requests.services.work import complete_task
from apps.requests.sweeps import run_sweeps
from apps.sla.models import SlaClock
from apps.sla.selectors import events_told, policy_of, state_told
from apps.workflows.models import Task
from tests.factories import make_calendar, make_request
from tests.requests.flows import fresh
from tests.requests.rebases import shorter_hours
from tests.requests.test_clocks import LEVELS, plain, policy, resolution

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
IMPOSSIBLE = (Approval.DoesNotExist, Task.DoesNotExist, Conflict, InvalidInput)  # what was drawn is not possible now


SEEDS = [*range(4), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(4, 60))]


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_before_and_after_a_rebase_stored_clocks_are_what_a_replay_reads(world, seed):
    chance = random.Random(seed)
    make_calendar()
    policy("standard", *targets(chance))
    request = make_request(world.item, world.requester)
    now = clock.now()
    moves = moves_of(world, request, chance)
    for _ in range(12):
        now += timedelta(minutes=chance.randrange(1, 300))
        with time_machine.travel(now, tick=False):
            chance.choice(moves)()
            run_sweeps(now)
            every_clock_is_as_told(request)


def every_clock_is_as_told(request: Request) -> None:
    """Each row, stopped ones too, reads as its replay; and a clock is live exactly where a replay has a live one."""
    rows = list(SlaClock.objects.filter(stream_id=request.pk).order_by("id"))
    for one in explained(request, rows):
        row, told = one.clock, one.reading.state
        assert stored(row) == stored(told), row.target
        assert (row.warned, row.escalated, row.paused_by) == tuple(
            map(list, (told.warned, told.escalated, told.paused_by))
        )
    events, pins = events_told(request.pk), fresh(request).pins
    for target in policy_of(pins["sla"]).targets:
        told = state_told(target, events, clock.now())
        live = [row for row in rows if row.target == target.id and row.stopped_at is None]
        assert len(live) == int(told is not None and told.is_live), target.id


def does_what_it_showed(request: Request, rebase: Rebase) -> None:
    """Applies the rebase: each clock that it moves or begins stands then as the look had said, and no other moves."""
    run_sweeps(clock.now())
    shown = preview(rebase)
    before = _standing(request)
    apply(rebase, actor=None)
    changed = {pk: row for pk, row in _standing(request).items() if row != before.get(pk)}
    told = [(one.target, one.new_status, one.new_due_at) for one in (*shown.moved, *shown.begun)]
    assert sorted(changed.values(), key=str) == sorted(told, key=str)
    assert len(changed.keys() - before.keys()) == len(shown.begun)
    assert shown.unmeasured == ()


def _standing(request: Request) -> dict[int, tuple[object, ...]]:
    rows = SlaClock.objects.filter(stream_id=request.pk)
    return {pk: tuple(row) for pk, *row in rows.values_list("pk", "target", "status", "due_at")}


def stored(state: object) -> dict[str, object]:
    names = (
        "status", "started_at", "due_at", "next_check_at", "allowed", "elapsed", "running_since", "breached_at",
        "stopped_at", "open_items", "priority",
    )  # fmt: skip
    return {name: getattr(state, name) for name in names}


def targets(chance: random.Random) -> Sequence[dict]:
    """Some of the targets there may be, in any order, each by some rules."""
    found = list(possible(chance))
    return chance.sample(found, chance.randrange(1, len(found)))


def possible(chance: random.Random) -> Iterator[dict]:
    def times(unit: str = "seconds") -> dict:
        return {level: {unit: chance.randrange(600, 90_000)} for level in LEVELS}

    more: dict = {"warn_at": [chance.randrange(1, 99)], "escalations": [{"id": "x", "at": 90, "do": "raise_priority"}]}
    held, resumed = [{"event": "request.held"}], [{"event": "request.resumed"}]
    yield {"id": "answer", "metric": "response", "durations": times(), **more}
    yield {"id": "once", "metric": "response", "durations": times(), "on": {"start": held, "pause": []}}
    yield {"id": "late", "metric": "response", "durations": times(), "on": {"stop": chance.choice([held, resumed])}}
    yield resolution(calendar="office", durations=times("business_seconds"), **more)
    yield {"id": "ola", "metric": "resolution", "team": "it", "durations": plain(9000)}
    yield {"id": "line", "metric": "approval", "of": "approve", "durations": times(), **more}
    yield {"id": "work", "metric": "step", "of": "work", "durations": times()}
    yield {"id": "stage", "metric": "stage", "of": "work", "durations": times()}
    yield {"id": "still", "metric": "resolution", "durations": times(), "on": {"start": held, "stop": resumed}}


def moves_of(world, request: Request, chance: random.Random) -> list[Callable[[], object]]:
    def tried(act: Callable[[], object]) -> Callable[[], object]:
        def attempt() -> None:
            with suppress(*IMPOSSIBLE), transaction.atomic():
                act()

        return attempt

    def new_policy() -> None:
        newest = policy("standard", *targets(chance))
        does_what_it_showed(request, Rebase(policy=newest, retroactive=chance.random() < 0.6))

    def new_calendar() -> None:
        day = (clock.now() + timedelta(days=chance.randrange(-2, 3))).date().isoformat()
        shorter_hours(holidays={day: str(chance.random())})
        does_what_it_showed(request, rebase_to_calendar("office", retroactive=chance.random() < 0.5))

    def level() -> str:
        return chance.choice(("high", "medium", "low"))

    def approve() -> None:
        newest = Approval.objects.filter(stream_id=request.pk).latest("pk")
        record_decision(newest, verdict="approve", actor=world.manager)

    boss = world.administrator
    ways = (
        lambda: hold_request(request, reason="wait", actor=boss),
        lambda: resume_request(request, actor=boss),
        approve,
        lambda: complete_task(tasks_of(request).latest("pk"), outcome="done", actor=world.worker),
        lambda: reopen_request(request, reason="again", actor=world.requester),
        lambda: set_priority(request, impact=level(), urgency=level(), reason="so", actor=boss),
    )
    return [*map(tried, ways), new_policy, new_calendar, new_policy, new_policy]
