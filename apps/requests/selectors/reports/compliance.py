"""How many clocks were met, and how long it took.

A clock counts at the instant at which it was decided: met when it stopped, breached when it was due, also while it
still runs. A clock that is not decided, running or paused, counts as of now. By that instant it is in a month (of the
reader's time zone) and in the period of the filters. Clocks that are void are left out, those of imported requests are
not. Item and team are those the request has now, the priority is the one the clock counts by. A clock that has fallen
due and that no sweep has come to yet is running.

Teams' own targets (OLAs) are counted apart from the service's, each for the team whose own it is, whoever holds the
request now.

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
from apps.requests.selectors.reports.groups import GROUPS, Groups, Key, Names, check_groups, teams_by_key
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
Row = Mapping[str, Any]
COUNTS: Figures = {name: Count("pk", filter=Q(status=name)) for name in ("met", "breached", "running", "paused")}
TIMES: Figures = {
    "plain": SpreadOf(Case(When(reached=True, then=F("stopped_at") - F("started_at")), output_field=DurationField())),
    "counted": SpreadOf(Case(When(reached=True, then=F("elapsed")))),
}
FIGURES: Figures = {**COUNTS, **TIMES}


def compliance(reader: User, filters: Filters, *, by: Sequence[str] = ()) -> Compliance:
    """The clocks of each metric, broken down by any of `BY`. Raises NotPermitted; InvalidInput for other groups
    and a period that is none.

    At most six statements, and one more the first time a process meets a policy version.
    """
    groups, at = check_groups(by, BY), clock.now()
    clocks = _clocks(reader, filters, at)
    totals = _found(clocks, (), FIGURES)
    teams = teams_by_key({row["team"] for row in totals})
    whole = _rows(totals, (), FIGURES, teams)
    rows = _rows(_found(clocks, groups, FIGURES), groups, FIGURES, teams) if groups else whole
    return _report(rows, whole, filters=filters, by=groups, at=at)


def compliance_by_each(
    reader: User, filters: Filters, each: Sequence[str], *, timed: Collection[str] = ()
) -> Mapping[str, Compliance]:
    """The same clocks broken down by each of these groups on its own, with the same totals, which are read once.

    Medians are found for the groups in `timed` only, because they sort all clocks; elsewhere, also in the totals, times
    are `NOTHING`. Raises NotPermitted, InvalidInput. A statement for each group and one for the totals, at most four
    for who leads what and for names, and one more the first time a process meets a policy version.
    """
    at = clock.now()
    clocks = _clocks(reader, filters, at)
    totals = _found(clocks, (), COUNTS)
    teams = teams_by_key({row["team"] for row in totals})
    whole, reports = _rows(totals, (), COUNTS, teams), {}
    for name in each:
        by, figures = check_groups([name], BY), FIGURES if name in timed else COUNTS
        rows = _rows(_found(clocks, by, figures), by, figures, teams)
        reports[name] = _report(rows, whole, filters=filters, by=by, at=at)
    return reports


def _clocks(reader: User, filters: Filters, at: datetime) -> QuerySet[SlaClock, Any]:
    asked = requests_for(reader, filters, at=REQUEST, priority="priority")
    decided = Coalesce("breached_at", "stopped_at", Value(at, output_field=DateTimeField()))
    clocks = SlaClock.objects.exclude(status=ClockStatus.VOID).annotate(decided=decided)
    clocks = clocks.filter(asked, within(filters, "decided"))
    if filters.metrics:
        clocks = clocks.filter(metric__in=filters.metrics)
    month = TruncMonth("decided", output_field=DateField(), tzinfo=reading_zone(reader))
    return clocks.annotate(month=month).order_by()


def _found(clocks: QuerySet[SlaClock, Any], by: tuple[str, ...], figures: Figures) -> list[Row]:
    """One statement. `team` is the key of the team whose own targets a row counts, empty for the service's."""
    columns = ["team", "metric", *(column for name in by for column in COLUMNS[name])]
    return list(clocks.values(*columns).annotate(**figures, newest=Max("policy_id")))


def _rows(found: Sequence[Row], by: tuple[str, ...], figures: Figures, teams: Names) -> list[ComplianceRow]:
    """The counted rows in order: by the team whose own they are, metric and group."""
    groups = Groups(by, [_key(row, by) for row in found])

    def order(row: Row) -> tuple[Any, ...]:
        team = teams[row["team"]]
        return team.name, team.key, METRICS.index(row["metric"]), groups.order(_key(row, by))

    return [
        ComplianceRow(
            metric=row["metric"],
            ola_team=teams[row["team"]] if row["team"] else None,
            **groups.of(_key(row, by)),
            **{name: row[name] for name in figures},
        )
        for row in sorted(found, key=order)
    ]


def _report(rows: Sequence[ComplianceRow], totals: Sequence[ComplianceRow], **about: Any) -> Compliance:
    """The service's targets, and apart from them those of teams."""
    return Compliance(
        rows=tuple(row for row in rows if row.ola_team is None),
        totals=tuple(row for row in totals if row.ola_team is None),
        ola_rows=tuple(row for row in rows if row.ola_team),
        ola_totals=tuple(row for row in totals if row.ola_team),
        **about,
    )


def _key(row: Row, by: tuple[str, ...]) -> Key:
    """The group of a counted row."""
    return tuple(
        target_named(row["newest"], row["policy__key"], row["target"]) if name == "target" else row[COLUMNS[name][0]]
        for name in by
    )


def target_named(version: int, policy: str, target: str) -> Named:
    """A target by the name that the policy version gives it."""
    found = policy_of(version).target(target)
    return Named(key=f"{policy}/{target}", name=(found.name if found else "") or target)
