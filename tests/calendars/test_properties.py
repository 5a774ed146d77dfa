"""What holds for every calendar, and for every zone that changes its clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from apps.calendars import business_time as bt
from tests.calendars.naive import MINUTE, MINUTES, STARTS, assert_agrees, documents, naive_open_minutes, random_document

FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
IN_SHORT = 12
LONGEST = 400 * 3600


@st.composite
def cases(draw: st.DrawFn) -> tuple[bt.Calendar, datetime]:
    """A calendar with overnight windows, breaks, overrides and holidays, and an instant near them."""
    start = draw(st.sampled_from(STARTS))
    calendar = bt.Calendar.from_document(draw(documents(start)))
    return calendar, start + timedelta(seconds=draw(st.integers(-20 * 86_400, 20 * 86_400)))


def check_properties(calendar: bt.Calendar, instant: datetime, seconds: int, more: int) -> None:
    due, earlier = bt.add(calendar, instant, seconds), bt.add(calendar, instant, -seconds)
    assert bt.between(calendar, instant, due) == seconds
    assert bt.between(calendar, earlier, instant) == seconds
    assert bt.add(calendar, due, more) == bt.add(calendar, instant, seconds + more)
    assert bt.add(calendar, earlier, -more) == bt.add(calendar, instant, -seconds - more)
    assert instant <= due <= bt.add(calendar, instant, seconds + more)
    assert due <= bt.add(calendar, instant + timedelta(seconds=more), seconds)
    middle = instant + (due - earlier) / 3
    assert bt.between(calendar, earlier, middle) + bt.between(calendar, middle, due + timedelta(days=9)) == bt.between(
        calendar, earlier, due + timedelta(days=9)
    )
    if bt.is_open(calendar, instant):
        assert bt.add(calendar, due, -seconds) == instant


@given(case=cases(), seconds=st.integers(1, LONGEST), more=st.integers(1, LONGEST))
def test_adding_and_counting_undo_each_other_add_up_and_mirror(
    case: tuple[bt.Calendar, datetime], seconds: int, more: int
) -> None:
    check_properties(*case, seconds, more)


@pytest.mark.long
@settings(max_examples=3000)
@given(case=cases(), seconds=st.integers(1, LONGEST), more=st.integers(1, LONGEST))
def test_they_do_for_long(case: tuple[bt.Calendar, datetime], seconds: int, more: int) -> None:
    check_properties(*case, seconds, more)


@given(case=cases(), seconds=st.integers(1, LONGEST))
def test_the_explanation_covers_the_time_without_gaps_and_its_open_part_is_what_counts(
    case: tuple[bt.Calendar, datetime], seconds: int
) -> None:
    calendar, instant = case
    due = bt.add(calendar, instant, seconds)
    assume(due - instant < timedelta(days=400))
    spans = bt.explain(calendar, instant, due)
    assert (spans[0].start, spans[-1].end) == (instant, due)
    assert all(before.end == after.start for before, after in pairwise(spans))
    assert sum((span.end - span.start for span in spans if span.why == "open"), timedelta()) == timedelta(
        seconds=seconds
    )


# ------------------------------------------------------------------------------- every zone that changes its clocks


@cache
def transitions(zone: str) -> tuple[datetime, ...]:
    """The hours from 2024 to 2030 in which the zone's offset changes."""
    info, found = ZoneInfo(zone), []
    at, step = FIRST, timedelta(days=7)
    while at < LAST:
        low, high = at, at + step
        if low.astimezone(info).utcoffset() != high.astimezone(info).utcoffset():
            while high - low > timedelta(hours=1):
                middle = low + (high - low) / 2
                same = low.astimezone(info).utcoffset() == middle.astimezone(info).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high.replace(minute=0, second=0, microsecond=0))
        at += step
    return tuple(found)


@cache
def changing_zones() -> tuple[str, ...]:
    return tuple(sorted(zone for zone in available_timezones() if zone != "localtime" and transitions(zone)))


def agree_around(zone: str, change: datetime, *, calendars: int) -> None:
    """Random calendars against counting, in the days around the change of clocks."""
    start = change.replace(hour=0) - timedelta(days=5)
    for number in range(calendars):
        rng = Random(f"{zone} {change} {number}")
        document = random_document(rng, zone=zone, start=start)
        calendar, opened = bt.Calendar.from_document(document), naive_open_minutes(document, start)
        for _ in range(4):
            low, high = sorted(rng.sample(range(MINUTES), 2))
            assert_agrees(calendar, opened, start, low, high, rng.randrange(1, 3000))
        near = (change - start) // MINUTE
        assert_agrees(calendar, opened, start, near - 90, near + 150, 60)


def test_a_sample_of_zones_agrees_with_counting_around_a_change_of_clocks() -> None:
    zones = changing_zones()
    assert len(zones) > 150
    odd = (
        "Australia/Lord_Howe",
        "Asia/Beirut",
        "America/Havana",
        "Antarctica/Troll",
        "Pacific/Chatham",
        "Africa/Casablanca",
    )
    for zone in (*odd, *Random(2026).sample(zones, IN_SHORT - len(odd))):
        agree_around(zone, Random(zone).choice(transitions(zone)), calendars=3)


@pytest.mark.long
def test_every_zone_agrees_with_counting_around_every_change_of_clocks() -> None:
    for zone in changing_zones():
        for change in transitions(zone):
            agree_around(zone, change, calendars=1)
