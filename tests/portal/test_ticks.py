"""Ticks on a bar of time: at most seven, at the finest even steps, at the reader's midnights."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.portal.ticks import MOST, ticks_between

START = datetime(2026, 10, 23, 8, 30, tzinfo=UTC)  # a Friday; on Sunday Amsterdam's clocks go back


@pytest.mark.parametrize(
    ("length", "names"),
    [
        (timedelta(minutes=20), []),
        (timedelta(hours=4), ["11:00", "12:00", "13:00", "14:00"]),
        (timedelta(hours=20), ["12:00", "15:00", "18:00", "21:00", "Sat 24", "03:00", ""]),
        (timedelta(days=4), ["Sat 24", "Sun 25", "Mon 26", "Tue 27"]),
        (timedelta(days=21), ["26 Oct", "2 Nov", "9 Nov"]),
        (timedelta(days=120), ["Nov 2026", "Dec 2026", "Jan 2027", "Feb 2027"]),
        (timedelta(days=3_000), ["2028", "2030", "2032", "2034"]),
    ],
)
def test_the_step_fits_the_length(length: timedelta, names: list[str]) -> None:
    with timezone.override("Europe/Amsterdam"):
        assert [tick.name for tick in ticks_between(START, START + length)] == names


def test_days_begin_where_the_reader_is_also_when_the_clocks_are_set_back() -> None:
    day = timedelta(hours=24)
    with timezone.override("Europe/Amsterdam"):
        places = [tick.x for tick in ticks_between(START, START + 4 * day)]
    midnights = [datetime(2026, 10, 23, 22, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)]
    midnights += [datetime(2026, 10, 25, 23, tzinfo=UTC), datetime(2026, 10, 26, 23, tzinfo=UTC)]
    assert places == [round(100 * ((at - START) / (4 * day)), 3) for at in midnights]


@settings(max_examples=40)
@given(st.integers(1, 400_000_000), st.sampled_from(["UTC", "Pacific/Apia", "America/St_Johns"]))
def test_there_are_never_more_than_can_be_read_and_they_are_in_order(seconds: int, zone: str) -> None:
    with timezone.override(zone):
        places = [tick.x for tick in ticks_between(START, START + timedelta(seconds=seconds))]
    assert len(places) <= MOST
    assert places == sorted(set(places))
    assert all(0 <= x <= 100 for x in places)
