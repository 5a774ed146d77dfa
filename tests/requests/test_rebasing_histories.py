"""Random histories with rebases at random points: stored clocks are what a replay reads."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
import time_machine
from django.db import transaction

from apps.approvals.models import Approval
from apps.core import clock
from apps.core.errors import Conflict, InvalidInput
from apps.requests.models import Request
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import hold_request, resume_request
from apps.requests.services.priority import set_priority
from apps.requests.services.rebasing import Rebase, apply
from apps.requests.services.rebasing_work import (
    rebase_to_calendar,
)
from apps.requests.sweeps import run_sweeps
from tests.factories import make_calendar, make_request
from tests.requests.rebases import BUSINESS, shorter_hours
from tests.requests.test_clocks import LEVELS, plain, policy, resolution, stored_equals_replay

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_before_and_after_a_rebase_stored_clocks_are_what_a_replay_reads(world, seed):
    chance = random.Random(seed)
    make_calendar()
    policy(
        "standard",
        {"id": "answer", "metric": "response", "durations": plain(3600), "warn_at": [50]},
        resolution(calendar="office", durations=BUSINESS, warn_at=[10, 80]),
        {"id": "ola", "metric": "resolution", "team": "it", "durations": plain(9000)},
    )
    request = make_request(world.item, world.requester)
    now = clock.now()
    moves = moves_of(world, request, chance)
    for _ in range(9):
        now += timedelta(minutes=chance.randrange(1, 300))
        with time_machine.travel(now, tick=False):
            chance.choice(moves)()
            run_sweeps(now)
        with time_machine.travel(now, tick=False):
            stored_equals_replay(request)


def moves_of(world, request: Request, chance: random.Random) -> list[Callable[[], object]]:
    def tried(act: Callable[[], object]) -> Callable[[], object]:
        def attempt() -> None:
            with suppress(Conflict, InvalidInput, Approval.DoesNotExist), transaction.atomic():
                act()

        return attempt

    def new_policy() -> None:
        version = policy(
            "standard",
            resolution(
                calendar="office",
                durations={p: {"business_seconds": chance.randrange(600, 90_000)} for p in LEVELS},
                warn_at=[chance.randrange(1, 99)],
            ),
            *([{"id": "ola", "metric": "resolution", "team": "it", "durations": plain(9000)}] * chance.randrange(2)),
        )
        apply(Rebase(policy=version, retroactive=chance.random() < 0.5), actor=None)

    def new_calendar() -> None:
        day = (clock.now() + timedelta(days=chance.randrange(-2, 3))).date().isoformat()
        shorter_hours(holidays={day: str(chance.random())})
        apply(rebase_to_calendar("office", retroactive=chance.random() < 0.5), actor=None)

    def level() -> str:
        return chance.choice(("high", "medium", "low"))

    boss = world.administrator
    ways = (
        lambda: hold_request(request, reason="wait", actor=boss),
        lambda: resume_request(request, actor=boss),
        lambda: record_decision(Approval.objects.get(stream_id=request.pk), verdict="approve", actor=world.manager),
        lambda: set_priority(request, impact=level(), urgency=level(), reason="so", actor=boss),
    )
    return [*map(tried, ways), new_policy, new_calendar, new_policy, new_calendar]
