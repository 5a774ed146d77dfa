"""Changes of clocks that are unlike the others, to the second."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from apps.calendars import business_time as bt
from tests.calendars.by_offsets import EPOCH, SPAN, Walk, assert_agrees, odd_document

CHANGES = {
    "half an hour forward": ("Australia/Lord_Howe", date(2026, 10, 4)),
    "half an hour back": ("Australia/Lord_Howe", date(2026, 4, 5)),
    "two hours": ("Antarctica/Troll", date(2026, 3, 29)),
    "a quarter of an hour": ("Asia/Kathmandu", date(1986, 1, 1)),
    "28 seconds, from an offset with seconds": ("Europe/Amsterdam", date(1937, 7, 1)),
    "44 minutes and a half": ("Africa/Monrovia", date(1972, 1, 7)),
    "a date that was skipped, to the west": ("Pacific/Apia", date(2011, 12, 30)),
    "a date that was skipped, on a Saturday": ("Pacific/Kwajalein", date(1993, 8, 21)),
    "midnight is missing": ("Africa/Cairo", date(2023, 4, 28)),
    "midnight comes twice": ("America/Havana", date(2026, 11, 1)),
    "a minute after midnight": ("America/St_Johns", date(2011, 3, 13)),
    "to another zone": ("Asia/Almaty", date(2024, 3, 1)),
    "another zone and summer time at once": ("America/Scoresbysund", date(2024, 3, 31)),
    "a summer time that is the standard": ("Europe/Dublin", date(2026, 10, 25)),
    "a month of Ramadan begins": ("Africa/Casablanca", date(2024, 3, 10)),
    "half an hour before midnight": ("Asia/Pyongyang", date(2018, 5, 5)),
}


def agree(zone: str, day: date, *, seed: int) -> None:
    rng = Random(f"{zone} {day} {seed}")
    document = odd_document(rng, zone, day)
    low = int((datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=4) - EPOCH).total_seconds())
    calendar, walk = bt.Calendar.from_document(document, strict=False), Walk(document, low)
    points = [rng.randrange(1, SPAN) for _ in range(8)] + rng.choices(walk.edges(), k=4)
    points += [change + near for change in walk.changes() for near in (-1800, -1, 0, 1, 3599)]
    for begin in points:
        assert_agrees(calendar, walk, begin, rng.choice(points), rng.randrange(1, 40_000))


@pytest.mark.parametrize("name", CHANGES)
def test_it_agrees_with_counting_second_by_second(name: str) -> None:
    agree(*CHANGES[name], seed=1)


@pytest.mark.long
@pytest.mark.parametrize("name", CHANGES)
def test_it_does_with_many_calendars(name: str) -> None:
    for seed in range(2, 12):
        agree(*CHANGES[name], seed=seed)
