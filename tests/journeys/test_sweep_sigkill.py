"""SIGKILL of sweepers in the middle of their transactions, and several at once: every warning, breach and escalation
happens exactly once, and the stored clocks are what a replay of the events gives."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest
from django.db import transaction

from apps.outbox.models import Event
from apps.outbox.publish import SYSTEM, NewEvent, lock_streams, publish
from apps.requests.models import Request
from apps.sla.models import SlaClock
from tests.journeys.sweepers import (
    in_the_middle_of,
    nursery,
    one_more_like,
    requests_that_fall_due,
    wait_until_settled,
    wrongs,
)

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]


def wait_at_random(dice: random.Random) -> None:
    """One time in four up to 300 ms from the start, one until a sweep has just let its locks go; else until it holds
    some, and up to 10 ms more.
    """
    way = dice.randrange(4)
    if way == 0:
        time.sleep(dice.uniform(0.001, 0.3))
        return
    wait_for_locks(held=True)
    if way == 1:
        wait_for_locks(held=False)
    else:
        time.sleep(dice.uniform(0, 0.01))


def wait_for_locks(*, held: bool) -> None:
    end = time.monotonic() + (60 if held else 3)
    while ("sweep" in in_the_middle_of()) != held and time.monotonic() < end:
        time.sleep(0.001)


@pytest.mark.parametrize(("kills", "count", "seconds"), [(3, 24, 8), pytest.param(20, 80, 25, marks=pytest.mark.long)])
def test_sweepers_killed_in_the_middle_miss_nothing_and_do_nothing_twice(kills: int, count: int, seconds: float):
    """So many kills hit a sweep that held locks and had not committed; those that hit nothing do not count.

    Each sweeper finds something to do, however long the machine took for what was there before.
    """
    dice, hit, tries = random.Random(20261126), Counter[str](), 0
    with nursery() as sweepers:
        requests = requests_that_fall_due(count, seconds=seconds)
        while hit["sweep"] < kills and tries < 20 * kills:
            requests.append(one_more_like(requests[0]))
            pid, tries = sweepers.sweeper(), tries + 1
            wait_at_random(dice)
            hit.update(sweepers.kill(pid))
        sweepers.sweeper()
        wait_until_settled()
        assert wrongs(requests) == []
    print(f"{tries} kills, of them in the middle of a transaction: {dict(hit)}")
    assert hit["sweep"] == kills, f"only {hit} of {tries} kills hit work"


def test_two_sweepers_at_once_miss_nothing_and_do_nothing_twice():
    with nursery() as sweepers:
        requests = requests_that_fall_due(12, seconds=1)
        sweepers.sweeper(), sweepers.sweeper()
        wait_until_settled()
        assert wrongs(requests) == []


def test_what_would_be_wrong_is_found():
    with nursery() as sweepers:
        (request,) = requests_that_fall_due(1, seconds=0)
        sweepers.sweeper()
        wait_until_settled()
    assert wrongs([request]) == []
    breach = Event.objects.get(stream_id=request.pk, type="sla.breached")
    with transaction.atomic():
        (stream,) = lock_streams([request.pk])
        publish({stream: [NewEvent(type=breach.type, actor=SYSTEM, at=breach.at, data=breach.data)]})
        Request.objects.filter(pk=request.pk).update(revision=stream.last_seq, urgency="low")
        SlaClock.objects.update(warned=[50])
    twice, unlike_replay, not_done = [one for one in wrongs([request]) if request.number in one]
    assert "told twice Counter({'sla.breached': 1})" in twice
    assert "no replay gives" in unlike_replay
    assert "not escalated" in not_done
