"""Where requests wait: the time at each step and stage of an item's workflow, all its versions together.

Visits that were opened in the period of the filters are counted, those of child runs under the child's workflow.
Waiting is from the opening of a visit to its end, as on the page Process: visits that are open or were taken back count
as visits, not as waiting. What a stay at a stage is, `count_places` says. Steps and stages are called what the newest
version calls them in which they were met. Item, team and priority are those the request has now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.db.models import Q

from apps.accounts.models import User
from apps.core import clock
from apps.requests.process import Spread
from apps.requests.reports import Bottlenecks, Filters, Named, Place, PlaceTotals
from apps.requests.reports.places import Counted, Visit, count_places
from apps.requests.selectors.reports.groups import items_by_id
from apps.requests.selectors.reports.scope import requests_for, within
from apps.workflows.models import StepVisit, Workflow
from apps.workflows.selectors import definition_of

CHUNK = 5_000
REQUEST = "run__stream__request__"
FIELDS = (
    f"{REQUEST}item_id", "run__version__workflow_id", "run__version_id", "run_id", "step", "status", "opened_at",
    "ended_at",
)  # fmt: skip
Names = Mapping[int, Named]


def bottlenecks(reader: User, filters: Filters) -> Bottlenecks:
    """Steps and stages, each with the longest total waiting first. Raises NotPermitted.

    At most four statements, and one more the first time a process meets a workflow version.
    """
    at = clock.now()
    asked = requests_for(reader, filters, at=REQUEST) & within(filters, "opened_at")
    steps, stages = count_places(_visits(asked), _stage_of)
    items = items_by_id({item for item, _, _ in steps})
    names = Workflow.objects.filter(pk__in={workflow for _, workflow, _ in steps}).values_list("pk", "key", "name")
    workflows = {pk: Named(key=key, name=name) for pk, key, name in names}
    return Bottlenecks(
        filters=filters,
        at=at,
        steps=_places("step", steps, items, workflows),
        stages=_places("stage", stages, items, workflows),
        totals=PlaceTotals(
            visits=sum(stays.visits for stays in steps.values()),
            now=sum(stays.now for stays in steps.values()),
            total=sum(sum(stays.waits) for stays in steps.values()),
        ),
    )


def _visits(asked: Q) -> Iterator[Visit]:
    rows = StepVisit.objects.filter(asked, run__stream__request__isnull=False).order_by("run_id", "number")
    return map(Visit._make, rows.values_list(*FIELDS).iterator(CHUNK))


def _stage_of(version: int, step: str) -> str | None:
    return definition_of(version).step(step).stage


def _places(kind: str, counted: Counted, items: Names, workflows: Names) -> tuple[Place, ...]:
    places = (
        Place(
            kind=kind,
            item=items[item],
            workflow=workflows[workflow],
            place=Named(key=place, name=_name(kind, stays.version, place)),
            visits=stays.visits,
            now=stays.now,
            waiting=Spread.of(stays.waits),
            total=sum(stays.waits),
            oldest=stays.oldest,
        )
        for (item, workflow, place), stays in counted.items()
    )
    return tuple(sorted(places, key=_longest_first))


def _longest_first(one: Place) -> tuple[float, int, str, str, str]:
    return -one.total, -one.visits, one.item.key, one.workflow.key, one.place.key


def _name(kind: str, version: int, place: str) -> str:
    definition = definition_of(version)
    if kind == "step":
        return definition.step(place).name or place
    return next((stage.name for stage in definition.stages if stage.id == place), "") or place
