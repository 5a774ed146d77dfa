"""The reports as values: what was asked, rows of figures, and their totals. Pure.

A report says what it counts (`filters`), how it is broken down (`by`) and when it was read (`at`). All times are in
seconds. What was not asked apart is None in a row; requests without team are those of `NO_TEAM`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from apps.requests.stays import Spread


@dataclass(frozen=True, kw_only=True)
class Named:
    """A thing with the key it is filtered by and the name people read."""

    key: str
    name: str


NOTHING = Spread()
NO_TEAM = Named(key="", name="No team")


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which requests are counted: empty is all. `since` is within the period, `until` is not; what the period bounds,
    each report says of itself. `metrics` are those of clocks, other reports pass over them.
    """

    item: str = ""
    team: str = ""
    priorities: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Group:
    """What a row is about."""

    item: Named | None = None
    team: Named | None = None
    priority: str | None = None


@dataclass(frozen=True, kw_only=True)
class ComplianceRow(Group):
    """Clocks of one metric. `month` is its first day, `target` has the key "policy/target"; `ola_team` is the team
    whose own targets (OLAs) they keep, None where they are the service's.

    `plain` is the time from start to stop by the wall clock, `counted` the same clocks as they count it (business
    seconds, without pauses); both are of those clocks whose target was reached.
    """

    metric: str
    ola_team: Named | None = None
    month: date | None = None
    target: Named | None = None
    met: int = 0
    breached: int = 0
    running: int = 0
    paused: int = 0
    plain: Spread = NOTHING
    counted: Spread = NOTHING

    @property
    def decided(self) -> int:
        return self.met + self.breached

    @property
    def share(self) -> float | None:
        """The part of the decided clocks that was met, 0 to 1; None where none is decided."""
        return self.met / self.decided if self.decided else None


@dataclass(frozen=True, kw_only=True)
class Compliance:
    """`rows` by metric and group; `totals` has a row for each metric, over all groups: both of the service's targets.
    `ola_rows` and `ola_totals` are the same of teams' own targets, by team; those count in no other row.
    """

    filters: Filters
    by: tuple[str, ...]
    at: datetime
    rows: tuple[ComplianceRow, ...]
    totals: tuple[ComplianceRow, ...]
    ola_rows: tuple[ComplianceRow, ...] = ()
    ola_totals: tuple[ComplianceRow, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ThroughputRow(Group):
    """A period, by its first day (None in the totals). `open` are those open at its end, or now if it is not over: what
    was open at its beginning, and what was submitted or reopened since, without what ended.
    """

    start: date | None = None
    submitted: int = 0
    reopened: int = 0
    completed: int = 0
    rejected: int = 0
    cancelled: int = 0
    open: int = 0

    @property
    def ended(self) -> int:
        return self.completed + self.rejected + self.cancelled


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """`rows` by group and period, without a gap; `totals` is their sum, with what is open at the end of the last."""

    filters: Filters
    per: str
    by: tuple[str, ...]
    at: datetime
    rows: tuple[ThroughputRow, ...]
    totals: ThroughputRow


@dataclass(frozen=True, kw_only=True)
class Place:
    """A step or a stage of an item's workflow, all its versions together.

    `kind` is "step" or "stage". `visits` is how often it was entered; `now` are there still, the first of them since
    `oldest`. `waiting` and its sum `total` are of visits that ended.
    """

    kind: str
    item: Named
    workflow: Named
    place: Named
    visits: int
    now: int
    waiting: Spread
    total: float
    oldest: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class PlaceTotals:
    """All steps together. `total` may exceed the time of the requests: steps run side by side."""

    visits: int
    now: int
    total: float


@dataclass(frozen=True, kw_only=True)
class Bottlenecks:
    """Steps and stages, each with the longest total first."""

    filters: Filters
    at: datetime
    steps: tuple[Place, ...]
    stages: tuple[Place, ...]
    totals: PlaceTotals


@dataclass(frozen=True, kw_only=True)
class DueClock:
    """A running clock that is due soon, or was due and has not been swept yet: then `seconds_left` is not above zero.

    `seconds_left` are business seconds where `by_calendar`, else plain ones.
    """

    number: str
    title: str
    item: Named
    team: Named | None
    assignee: Named | None
    priority: str
    metric: str
    target: Named
    due_at: datetime
    seconds_left: float
    by_calendar: bool


@dataclass(frozen=True, kw_only=True)
class DueSoon:
    """The earliest first. `total` are all that are due within `hours`, of which `rows` may be the first only; `overdue`
    of them are due already.
    """

    filters: Filters
    hours: int
    at: datetime
    rows: tuple[DueClock, ...]
    total: int
    overdue: int
