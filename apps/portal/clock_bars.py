"""A clock as a bar: every stretch of its life, counted or not, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.portal.lines import clock_name
from apps.requests.selectors.clocks import Explained, calendars_of, why_of
from apps.sla.clock import Interval
from apps.sla.enums import ClockStatus

WIDTH = 1000.0


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A stretch of the bar: from `x`, so wide (of 1,000); `tone` is its colour, `why` its words."""

    start: datetime
    end: datetime
    x: float
    width: float
    counted: bool
    why: str
    calendar: str
    length: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A clock with its stretches; `x_due` is where it is due, None if that is not on the bar."""

    name: str
    state: str
    due_at: datetime | None
    used: str
    allowed: str
    policy: str
    start: datetime
    end: datetime
    stretches: Sequence[Stretch]


def bars_of(explained: Sequence[Explained]) -> list[Bar]:
    """The bars of a request's clocks; one statement whatever their number."""
    names = {pk: f"{version.key}, version {version.n}" for pk, version in calendars_of(explained).items()}
    return [_bar(one, names) for one in explained]


def _bar(one: Explained, names: dict[int, str]) -> Bar:
    intervals = one.reading.intervals
    start = one.reading.state.started_at
    end = intervals[-1].end if intervals else start
    whole = max((end - start).total_seconds(), 1)
    return Bar(
        name=clock_name(one.clock, one.target),
        state=ClockStatus(one.reading.status).label,
        due_at=one.reading.due_at,
        used=length_of(one.reading.elapsed),
        allowed=length_of(one.reading.state.allowed),
        policy=f"{one.clock.policy.key}, version {one.clock.policy.n}",
        start=start,
        end=end,
        stretches=[_stretch(interval, start, whole, names) for interval in intervals],
    )


def _stretch(interval: Interval, start: datetime, whole: float, names: dict[int, str]) -> Stretch:
    seconds = (interval.end - interval.start).total_seconds()
    return Stretch(
        start=interval.start,
        end=interval.end,
        x=round(WIDTH * (interval.start - start).total_seconds() / whole, 2),
        width=round(max(WIDTH * seconds / whole, 0.5), 2),
        counted=interval.counted,
        why=why_of(interval),
        calendar=names.get(interval.calendar, "") if interval.calendar is not None else "",
        length=length_of(seconds),
    )


def length_of(seconds: float) -> str:
    """ "3 h 05 min", "12 min", "40 s": as people say it."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
