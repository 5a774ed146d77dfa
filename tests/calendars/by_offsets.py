"""A third answer, second by second: the zone is a table of offsets found by looking, so folds play no part in it.

Unlike `naive` it knows offsets with seconds and dates that a zone skipped.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from apps.calendars import business_time as bt
from tests.calendars.naive import DAYS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR, DAY = 3600, 86_400
SPAN = 8 * DAY
ODD = ("22:00-06:00", "18:00-26:00", "00:00-24:00", "23:30-00:15", "00:10-00:50", "02:05-02:25", "22:00-24:30")
Table = list[tuple[int, int]]


def offset(zone: ZoneInfo, second: int) -> int:
    local = (EPOCH + timedelta(seconds=second)).astimezone(zone)
    return int((local.replace(tzinfo=UTC) - EPOCH).total_seconds()) - second


def offsets(zone: ZoneInfo, low: int, high: int) -> Table:
    """From when on which offset holds; no zone changes twice within an hour."""
    found = [(low, offset(zone, low))]
    for hour in range(low, high, HOUR):
        before, after = hour, hour + HOUR
        if offset(zone, after) != found[-1][1]:
            while after - before > 1:
                middle = (before + after) // 2
                before, after = (middle, after) if offset(zone, middle) == found[-1][1] else (before, middle)
            found.append((after, offset(zone, after)))
    return found


def instant_of(table: Table, wall: int) -> int:
    """The first second at which clocks show `wall`; where none does, as if they had not been changed yet."""
    ends = [begin for begin, _ in table[1:]] + [10**12]
    shown = [wall - shift for (begin, shift), end in zip(table, ends, strict=True) if begin <= wall - shift < end]
    if shown:
        return min(shown)
    return next(wall - old for (_, old), (begin, _) in pairwise(table) if wall - old >= begin)


class Walk:
    """Eight days of a calendar, each second open or not, from a UTC midnight on."""

    def __init__(self, document: dict[str, Any], low: int) -> None:
        self.document, self.low = document, low
        self.table = offsets(ZoneInfo(document["time_zone"]), low - 3 * DAY, low + SPAN + 3 * DAY)
        self.opened = bytearray(SPAN)
        first = (EPOCH + timedelta(seconds=low)).date()
        days = [day for n in range(-2, SPAN // DAY + 2) if self._is_there(day := first + timedelta(days=n))]
        for day in days:
            week = document["week"].get(DAYS[day.weekday()], [])
            for window in document["overrides"].get(str(day), week):
                self._lay(day, window, 1)
        for day in days:
            cuts = document["breaks"].get(str(day), []) + ["00:00-24:00"] * (str(day) in document["holidays"])
            for window in cuts:
                self._lay(day, window, 0)
        self.sums = list(accumulate(self.opened, initial=0))

    def at(self, second: int) -> datetime:
        return EPOCH + timedelta(seconds=self.low + second)

    def nth(self, count: int) -> int:
        """The second that is the open one number `count`, from 0."""
        return bisect_left(self.sums, count + 1) - 1

    def edges(self) -> list[int]:
        return [n for n in range(1, SPAN) if self.opened[n] != self.opened[n - 1]]

    def changes(self) -> list[int]:
        return [begin - self.low for begin, _ in self.table[1:] if 0 < begin - self.low < SPAN]

    def _is_there(self, day: date) -> bool:
        midnight = (day - EPOCH.date()).days * DAY
        return instant_of(self.table, midnight) < instant_of(self.table, midnight + DAY)

    def _lay(self, day: date, window: str, value: int) -> None:
        first, last = (
            sum(int(part) * 60**n for part, n in zip(time.split(":"), (2, 1, 0), strict=False))
            for time in window.split("-")
        )
        midnight = (day - EPOCH.date()).days * DAY
        low, high = (
            min(SPAN, max(0, instant_of(self.table, midnight + second) - self.low))
            for second in (first, last if last > first else last + DAY)
        )
        for second in range(low, high):
            self.opened[second] = value


def random_windows(rng: Random) -> list[str]:
    """None to two windows, to the second."""
    edges = [
        str(timedelta(seconds=second)).zfill(8) for second in sorted(rng.sample(range(DAY), rng.choice((0, 2, 4))))
    ]
    return [f"{low}-{high}" for low, high in zip(edges[::2], edges[1::2], strict=True)]


def odd_document(rng: Random, zone: str, day: date) -> dict[str, Any]:
    dates = [str(day + timedelta(days=n)) for n in range(-3, 4)]
    week = {name: random_windows(rng) for name in DAYS}
    for n in (0, 2, 4):
        place = (day.weekday() - 1 + n) % 7
        week[DAYS[place]] = [rng.choice(ODD)]
        week[DAYS[(place + 1) % 7]] = rng.choice(([], ["06:30-12:00", "12:00-24:00"]))
    return {
        "time_zone": zone,
        "week": week,
        "holidays": dict.fromkeys(rng.sample(dates, 1), "holiday"),
        "overrides": {found: random_windows(rng) for found in rng.sample(dates, 1)},
        "breaks": {found: random_windows(rng) for found in rng.sample(dates, 1)},
    }


def assert_agrees(calendar: bt.Calendar, walk: Walk, begin: int, end: int, seconds: int) -> None:
    """Every question from `begin` on (and back from it) is answered as by counting; `seconds` > 0 are added."""
    instant, count, whole = walk.at(begin), walk.sums[begin], walk.sums[-1]
    assert bt.is_open(calendar, instant) == bool(walk.opened[begin])
    assert bt.between(calendar, instant, walk.at(end)) == max(0, walk.sums[end] - count)
    if count + seconds <= whole:
        assert bt.add(calendar, instant, seconds) == walk.at(walk.nth(count + seconds - 1) + 1)
        assert bt.next_open(calendar, instant) == walk.at(walk.nth(count))
    if count >= seconds:
        assert bt.add(calendar, instant, -seconds) == walk.at(walk.nth(count - seconds))
        assert bt.previous_open(calendar, instant) == walk.at(walk.nth(count - 1) + 1)
