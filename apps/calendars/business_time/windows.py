"""Units of business time: instants as microseconds since the epoch, wall times, windows, unions of stretches."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from apps.core.errors import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000
DAY = 86_400


@dataclass(frozen=True, kw_only=True, order=True)
class Window:
    """Seconds of wall time after the midnight of a date; `end` may lie in the next day (at most 172,800)."""

    start: int
    end: int


WHOLE_DAY = Window(start=0, end=DAY)
Windows = tuple[Window, ...]
Dated = tuple[tuple[date, Windows], ...]


@dataclass(frozen=True, kw_only=True)
class Hours:
    """What a calendar document says. `week` and `breaks` have seven entries, Monday first."""

    time_zone: str
    week: tuple[Windows, ...]
    holidays: tuple[tuple[date, str], ...] = ()
    overrides: Dated = ()
    breaks: tuple[Windows, ...] = ((),) * 7
    date_breaks: Dated = ()


def to_micros(instant: datetime) -> int:
    if instant.tzinfo is None or instant.utcoffset() is None:
        raise InvalidInput({"instant": ["An instant needs a time zone."]})
    return (instant - EPOCH) // MICROSECOND


def to_instant(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def to_seconds(micros: int) -> int | float:
    whole, rest = divmod(micros, SECOND)
    return micros / SECOND if rest else whole


def to_amount(seconds: float) -> int:
    if not math.isfinite(seconds) or abs(seconds) > 10**11:
        raise InvalidInput({"seconds": ["Not a length of time that can be counted."]})
    return round(seconds * SECOND)


def wall_micros(zone: tzinfo, day: int, micros: int) -> int:
    """A wall time as microseconds since the epoch. With fold 0 Python's rule for both odd cases is the one above."""
    extra, rest = divmod(micros, DAY * SECOND)
    wall = datetime.fromordinal(day + extra) + timedelta(microseconds=rest)
    return (wall.replace(tzinfo=zone) - EPOCH) // MICROSECOND


def resolved(zone: tzinfo, day: int, window: Window) -> tuple[int, int]:
    return wall_micros(zone, day, window.start * SECOND), wall_micros(zone, day, window.end * SECOND)


Pair = tuple[int, int]


def merged(pairs: Iterable[Pair]) -> list[Pair]:
    """The union of half-open stretches, in order; empty and inverted ones fall out, touching ones are joined."""
    union: list[Pair] = []
    for low, high in sorted(pair for pair in pairs if pair[0] < pair[1]):
        if union and low <= union[-1][1]:
            union[-1] = (union[-1][0], max(union[-1][1], high))
        else:
            union.append((low, high))
    return union


def without(pairs: Iterable[Pair], cuts: Iterable[Pair]) -> list[Pair]:
    left = merged(pairs)
    for cut_low, cut_high in merged(cuts):
        left = [
            piece
            for low, high in left
            for piece in ((low, min(high, cut_low)), (max(low, cut_high), high))
            if piece[0] < piece[1]
        ]
    return left
