"""Why a clock stands where it stands: its life as intervals, each counted or not, with the reason. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from apps.calendars.business_time import Calendar, explain


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A stretch of a clock's life: counted (`running`) or not (`closed`, `holiday`, `paused`, `other team`).

    `calendar` is the id of the calendar version it was counted by, None where all time counts; `names` are those of the
    holidays.
    """

    start: datetime
    end: datetime
    counted: bool
    why: str
    calendar: int | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A stretch between two changes of pace. `paused_by` is empty while it counts, by `calendar` if that is given."""

    start: datetime
    end: datetime
    paused_by: tuple[str, ...]
    calendar_id: int | None
    calendar: Calendar | None


WORDS = {"hold": "paused"}


def intervals_of(stretches: Sequence[Stretch]) -> tuple[Interval, ...]:
    """The stretches in detail: without gaps, in order, neighbours of one kind taken together."""
    found: list[Interval] = []
    for interval in (one for stretch in stretches for one in _of(stretch)):
        last = found[-1] if found else None
        if last and (last.counted, last.why, last.calendar) == (interval.counted, interval.why, interval.calendar):
            names = tuple(dict.fromkeys((*last.names, *interval.names)))
            found[-1] = replace(last, end=interval.end, names=names)
        else:
            found.append(interval)
    return tuple(found)


def _of(stretch: Stretch) -> Iterator[Interval]:
    if stretch.start >= stretch.end:
        return
    if stretch.paused_by:
        why = WORDS.get(stretch.paused_by[0], stretch.paused_by[0])
        yield Interval(start=stretch.start, end=stretch.end, counted=False, why=why, calendar=None)
    elif stretch.calendar is None:
        yield Interval(start=stretch.start, end=stretch.end, counted=True, why="running", calendar=None)
    else:
        for span in explain(stretch.calendar, stretch.start, stretch.end):
            is_open = span.why == "open"
            why, by = "running" if is_open else span.why, stretch.calendar_id
            yield Interval(start=span.start, end=span.end, counted=is_open, why=why, calendar=by, names=span.names)
