"""Where requests wait: the time at each step and stage of an item's workflow, all its versions together.

Visits that were opened, and stays at stages that began, in the period of the filters are counted, those of child runs
under the child's workflow. Waiting is from the opening of a visit to its end, as on the page Process: visits that are
open or were taken back count as visits, not as waiting. What a stay at a stage is, `count_stages` says. Steps and
stages are called what the newest version calls them in which they were met. Item, team and priority are those the
request has now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import (
    Case,
    Count,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    Max,
    Min,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)

from apps.accounts.models import User
from apps.core import clock
from apps.requests.reports import Bottlenecks, Filters, Named, Place, PlaceTotals
from apps.requests.reports.places import Visit, count_stages
from apps.requests.selectors.reports.groups import Names, items_by_id
from apps.requests.selectors.reports.scope import requests_for, within
from apps.requests.selectors.reports.spreads import SpreadOf
from apps.requests.stays import Spread
from apps.workflows.enums import VisitStatus
from apps.workflows.models import StepVisit, Workflow
from apps.workflows.selectors import definition_of

CHUNK = 5_000
REQUEST = "run__stream__request__"
ITEM, WORKFLOW, VERSION = f"{REQUEST}item_id", "run__version__workflow__key", "run__version_id"
ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
THERE = Q(ended_at__isnull=True)
WAITED = Case(When(status=VisitStatus.ENDED, then=F("ended_at") - F("opened_at")), output_field=DurationField())
FIGURES: dict[str, Any] = {
    "visits": Count("pk"),
    "now": Count("pk", filter=THERE),
    "oldest": Min("opened_at", filter=THERE),
    "waiting": SpreadOf(WAITED),
    "total": Sum(WAITED),
    "version": Max(VERSION),
}


def bottlenecks(reader: User, filters: Filters) -> Bottlenecks:
    """Steps and stages, each with the longest total waiting first. Raises NotPermitted; InvalidInput for a period that
    is none.

    At most five statements, and one more the first time a process meets a workflow version.
    """
    at = clock.now()
    asked = requests_for(reader, filters, at=REQUEST)
    whole = StepVisit.objects.filter(asked, run__stream__request__isnull=False)
    visits = whole.filter(within(filters, "opened_at"))
    counted = list(visits.order_by().values(ITEM, WORKFLOW, "step").annotate(**FIGURES))
    items = items_by_id({row[ITEM] for row in counted})
    names = Workflow.objects.filter(key__in={row[WORKFLOW] for row in counted}).values_list("key", "name")
    workflows = {key: Named(key=key, name=name) for key, name in names}
    steps = [_step(row, items, workflows) for row in counted]
    return Bottlenecks(
        filters=filters,
        at=at,
        steps=_longest_first(steps),
        stages=_longest_first(_stages(_of_runs(whole, visits, filters), filters, items, workflows)),
        totals=PlaceTotals(
            visits=sum(step.visits for step in steps),
            now=sum(step.now for step in steps),
            total=sum(step.total for step in steps),
        ),
    )


def _step(row: dict[str, Any], items: Names, workflows: Names) -> Place:
    name = definition_of(row["version"]).step(row["step"]).name
    return Place(
        kind="step",
        item=items[row[ITEM]],
        workflow=workflows[row[WORKFLOW]],
        place=Named(key=row["step"], name=name or row["step"]),
        visits=row["visits"],
        now=row["now"],
        waiting=row["waiting"],
        total=(row["total"] or timedelta()).total_seconds(),
        oldest=row["oldest"],
    )


def _of_runs(whole: QuerySet[StepVisit], visits: QuerySet[StepVisit], filters: Filters) -> QuerySet[StepVisit]:
    """All visits of the runs that have one in the period: a stay at a stage may go on beyond it."""
    bounded = filters.since is not None or filters.until is not None
    return whole.filter(run_id__in=visits.order_by().values("run_id")) if bounded else whole


def _stages(visits: QuerySet[StepVisit], filters: Filters, items: Names, workflows: Names) -> Iterator[Place]:
    stage_of, period = lru_cache(maxsize=None)(_stage_of), {"since": filters.since, "until": filters.until}
    for (item, workflow, stage), stays in count_stages(_streamed(visits), stage_of, **period).items():
        names = {one.id: one.name for one in definition_of(stays.version).stages}
        yield Place(
            kind="stage",
            item=items[item],
            workflow=workflows[workflow],
            place=Named(key=stage, name=names.get(stage) or stage),
            visits=stays.visits,
            now=stays.now,
            waiting=Spread.of(stays.waits),
            total=sum(stays.waits),
            oldest=stays.oldest,
        )


def _streamed(visits: QuerySet[StepVisit]) -> Iterator[Visit]:
    """Run by run. Times come as distances from one instant: reading an interval takes a twentieth of reading a time."""
    instant = Value(ORIGIN, output_field=DateTimeField())
    opened, ended = (
        ExpressionWrapper(F(name) - instant, output_field=DurationField()) for name in ("opened_at", "ended_at")
    )
    rows = visits.order_by("run_id", "number").annotate(opened=opened, ended=ended)
    fields = ("run_id", ITEM, VERSION, "step", "status", "opened", "ended")
    for *what, since, until in rows.values_list(*fields).iterator(CHUNK):
        yield Visit._make((*what, ORIGIN + since, None if until is None else ORIGIN + until))


def _stage_of(version: int, step: str) -> tuple[str, str] | None:
    """The workflow and the stage of a step."""
    definition = definition_of(version)
    stage = definition.step(step).stage
    return None if stage is None else (definition.workflow, stage)


def _longest_first(places: Iterable[Place]) -> tuple[Place, ...]:
    return tuple(
        sorted(places, key=lambda one: (-one.total, -one.visits, one.item.key, one.workflow.key, one.place.key))
    )
