"""From what came and went in single periods to rows without a gap, with what was open at the end of each. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta

from apps.requests.reports.figures import Group, ThroughputRow

BEFORE = date.min  # the period of all that happened before the first one that is shown
CAME = SUBMITTED, REOPENED = "submitted", "reopened"
ENDED = ("completed", "rejected", "cancelled")
Counts = Mapping[date, Counter[str]]


def start_of(day: date, per: str) -> date:
    """The first day of the month, week (Monday) or day that the day is in."""
    if per == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if per == "week" else day


def next_start(start: date, per: str) -> date:
    """The first day of the period after the one that starts then."""
    if per == "month":
        return start_of(start + timedelta(days=31), per)
    return start + timedelta(days=7 if per == "week" else 1)


def starts_between(first: date, last: date, per: str) -> Iterator[date]:
    """The first day of each period from the one that `first` is in to the one that `last` is in."""
    start = start_of(first, per)
    while start <= last:
        yield start
        start = next_start(start, per)


def rows_of(group: Group, counts: Counts, starts: Iterable[date]) -> Iterator[ThroughputRow]:
    """A row for each period of a group. `counts` are by the first day of a period, and `BEFORE`."""
    standing = _change(counts.get(BEFORE, Counter()))
    for start in starts:
        count = counts.get(start, Counter())
        standing += _change(count)
        yield ThroughputRow(
            item=group.item,
            team=group.team,
            priority=group.priority,
            start=start,
            **{what: count[what] for what in (*CAME, *ENDED)},
            open=standing,
        )


def totals_of(rows: Iterable[ThroughputRow]) -> ThroughputRow:
    """All rows as one; open is what is open at the end of the last period."""
    rows = list(rows)
    last = max((row.start for row in rows if row.start), default=None)
    return ThroughputRow(
        **{what: sum(getattr(row, what) for row in rows) for what in (*CAME, *ENDED)},
        open=sum(row.open for row in rows if row.start == last),
    )


def _change(count: Counter[str]) -> int:
    return sum(count[what] for what in CAME) - sum(count[what] for what in ENDED)
