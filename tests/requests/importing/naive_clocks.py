"""A second answer to what clocks of an imported log read: its lines walked one by one, its hours laid day by day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import holidays

Told = tuple[datetime, str, str]
Span = tuple[datetime, datetime | None]


@dataclass(frozen=True, kw_only=True)
class Office:
    """Monday to Friday, from an hour to an hour, without the public holidays of a country."""

    zone: str
    country: str
    opens: int
    closes: int

    def seconds(self, start: datetime, end: datetime) -> float:
        """The open seconds between two instants."""
        closed, zone = holidays.country_holidays(self.country), ZoneInfo(self.zone)
        day, last, total = start.astimezone(zone).date(), end.astimezone(zone).date(), 0.0
        while day <= last:
            if day.weekday() < 5 and day not in closed:
                total += _overlap((self._at(day, self.opens), self._at(day, self.closes)), (start, end))
            day += timedelta(days=1)
        return total

    def _at(self, day: date, hour: int) -> datetime:
        return datetime.combine(day, time(hour), ZoneInfo(self.zone)).astimezone(UTC)


UNIVERSITY = Office(zone="Europe/Amsterdam", country="NL", opens=9, closes=17)
HELP_DESK = Office(zone="Europe/Rome", country="IT", opens=9, closes=18)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A clock that ended: when it began and ended, what it counted, and whether that was in time."""

    started_at: datetime
    stopped_at: datetime
    elapsed: float
    status: str


def measured(spans: Sequence[Span], office: Office, *, allowed: float) -> Measured:
    """Of the stretches in which it counted; the time that is used up to the second is a breach."""
    stopped = spans[-1][1]
    assert stopped is not None
    elapsed = sum(office.seconds(start, end or start) for start, end in spans)
    status = "breached" if elapsed >= allowed else "met"
    return Measured(started_at=spans[0][0], stopped_at=stopped, elapsed=round(elapsed, 6), status=status)


def stays(lines: Sequence[Told], states: Sequence[str], stage: frozenset[str]) -> Iterator[Span]:
    """When a case came into a stage and left it again; `states` are those that the lines lead to."""
    since: datetime | None = None
    for (at, _, _), state in zip(lines, states, strict=True):
        if since is None and state in stage:
            since = at
        elif since is not None and state not in stage:
            yield since, at
            since = None


def lives(lines: Sequence[Told]) -> Iterator[list[Span]]:
    """The lives of a ticket until it was closed, each as the stretches in which nobody was waited for."""
    spans: list[Span] = []
    since: datetime | None = None
    for at, activity, _ in lines:
        if activity == "Wait":
            spans += [(since or at, at)]
            since = None
            continue
        since = since or at
        if activity == "Closed":
            yield [*spans, (since, at)]
            spans, since = [], None


def _overlap(one: tuple[datetime, datetime], other: tuple[datetime, datetime]) -> float:
    return max(0.0, (min(one[1], other[1]) - max(one[0], other[0])).total_seconds())
