"""How many clocks were met, and how long it took.

A clock counts at the instant at which it was decided: met when it stopped, breached when it was due, also while it
still runs. A clock that is not decided, running or paused, counts as of now. By that instant it is in a month (of the
reader's time zone) and in the period of the filters. Clocks that are void are left out, those of imported requests are
not. Item and team are those the request has now, the priority is the one the clock counts by. A clock that has fallen
due and that no sweep has come to yet is running.

Times are those of clocks whose target was reached, in time or late, from their start: where a request was cancelled or
a target dropped nothing was. Of requests without clocks nothing is known here: only an event tells of their first
response.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import (
    Case,
    Count,
    DateField,
    DateTimeField,
    DurationField,
    F,
    Max,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce, TruncMonth

from apps.accounts.models import User
from apps.core import clock
from apps.requests.reports import Compliance, ComplianceRow, Filters, Named
from apps.requests.selectors.reports.groups import GROUPS, Groups, Key, check_groups
from apps.requests.selectors.reports.scope import reading_zone, requests_for, within
from apps.requests.selectors.reports.spreads import SpreadOf
from apps.sla.enums import ClockStatus
from apps.sla.models import SlaClock
from apps.sla.policy_check import METRICS
from apps.sla.selectors import policy_of

REQUEST = "stream__request__"
COLUMNS = {
    "item": (f"{REQUEST}item_id",),
    "team": (f"{REQUEST}team_id",),
    "priority": ("priority",),
    "month": ("month",),
    "target": ("policy__key", "target"),
}
BY = (*GROUPS, "month", "target")
Figures = Mapping[str, Any]
COUNTS: Figures = {name: Count("pk", filter=Q(status=name)) for name in ("met", "breached", "running", "paused")}
TIMES: Figures = {
    "plain": SpreadOf(Case(When(reached=True, then=F("stopped_at") - F("started_at")), output_field=DurationField())),
    "counted": SpreadOf(Case(When(reached=True, then=F("elapsed")))),
}
FIGURES: Figures = {**COUNTS, **TIMES}


def compliance(reader: User, filters: Filters, *, by: Sequence[str] = ()) -> Compliance:
    """The clocks of each metric, broken down by any of `BY`. Raises NotPermitted, InvalidInput for other groups.

    At most five statements, and one more the first time a process meets a policy version.
    """
    groups, at = check_groups(by, BY), clock.now()
    clocks = _clocks(reader, filters, at)
    totals = _rows(clocks, (), FIGURES)
    rows = _rows(clocks, groups, FIGURES) if groups else totals
    return Compliance(filters=filters, by=groups, at=at, rows=rows, totals=totals)


def compliance_by_each(
    reader: User, filters: Filters, each: Sequence[str], *, timed: Collection[str] = ()
) -> Mapping[str, Compliance]:
    """The same clocks broken down by each of these groups on its own, with the same totals, which are read once.

    Medians are found for the groups in `timed` only, because they sort all clocks; elsewhere, also in the totals, times
    are `NOTHING`. Raises NotPermitted, InvalidInput. A statement for each group and one for the totals, at most three
    for who leads what and for names, and one more the first time a process meets a policy version.
    """
    at = clock.now()
    clocks = _clocks(reader, filters, at)
    totals = _rows(clocks, (), COUNTS)
    return {
        name: Compliance(
            filters=filters,
            by=check_groups([name], BY),
            at=at,
            rows=_rows(clocks, (name,), FIGURES if name in timed else COUNTS),
            totals=totals,
        )
        for name in each
    }


def _clocks(reader: User, filters: Filters, at: datetime) -> QuerySet[SlaClock, Any]:
    asked = requests_for(reader, filters, at=REQUEST, priority="priority")
    decided = Coalesce("breached_at", "stopped_at", Value(at, output_field=DateTimeField()))
    clocks = SlaClock.objects.exclude(status=ClockStatus.VOID).annotate(decided=decided)
    clocks = clocks.filter(asked, within(filters, "decided"))
    if filters.metrics:
        clocks = clocks.filter(metric__in=filters.metrics)
    month = TruncMonth("decided", output_field=DateField(), tzinfo=reading_zone(reader))
    return clocks.annotate(month=month).order_by()


def _rows(
    clocks: QuerySet[SlaClock, Any], by: tuple[str, ...], figures: Mapping[str, Any]
) -> tuple[ComplianceRow, ...]:
    columns = ["metric", *(column for name in by for column in COLUMNS[name])]
    found = list(clocks.values(*columns).annotate(**figures, newest=Max("policy_id")))
    groups = Groups(by, [_key(row, by) for row in found])
    return tuple(
        ComplianceRow(metric=row["metric"], **groups.of(_key(row, by)), **{name: row[name] for name in figures})
        for row in sorted(found, key=lambda row: (METRICS.index(row["metric"]), groups.order(_key(row, by))))
    )


def _key(row: dict[str, Any], by: tuple[str, ...]) -> Key:
    """The group of a counted row."""
    return tuple(
        target_named(row["newest"], row["policy__key"], row["target"]) if name == "target" else row[COLUMNS[name][0]]
        for name in by
    )


def target_named(version: int, policy: str, target: str) -> Named:
    """A target by the name that the policy version gives it."""
    found = policy_of(version).target(target)
    return Named(key=f"{policy}/{target}", name=(found.name if found else "") or target)
