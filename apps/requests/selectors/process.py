"""What the page Process is made of: which items and versions have a history, and the figures of one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q

from apps.accounts.models import User
from apps.core.errors import NotPermitted
from apps.outbox.models import Event
from apps.requests import policies
from apps.requests.process import RunRow, Study, VisitRow, study
from apps.workflows.engine.definition import Definition
from apps.workflows.enums import WorkflowEvent
from apps.workflows.models import StepVisit, WorkflowRun
from apps.workflows.selectors import definition_of

MOST_RUNS = 50_000
CHUNK = 5_000
RUN_FIELDS = ("pk", "n", "outcome", "started_at", "ended_at")
REQUEST_FIELDS = ("number", "outcome", "submitted_at", "ended_at")
VISIT_FIELDS = ("run_id", "step", "status", "outcome", "opened_at", "ended_at")


@dataclass(frozen=True, kw_only=True)
class VersionWithRuns:
    """A version of a workflow that carried requests of an item out."""

    pk: int
    workflow: str
    n: int
    runs: int
    requests: int


@dataclass(frozen=True, kw_only=True)
class ItemWithRuns:
    """A catalogue item that was asked for, and its versions; those with most runs first."""

    slug: str
    name: str
    versions: tuple[VersionWithRuns, ...]

    @property
    def requests(self) -> int:
        return sum(version.requests for version in self.versions)


@dataclass(frozen=True, kw_only=True)
class Period:
    """Submitted at or after `since` and before `until`; None is no bound."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Process:
    """The figures of an item on a version, and whether only the newest runs were counted."""

    definition: Definition
    study: Study
    cut: bool


def items_with_runs(reader: User) -> list[ItemWithRuns]:
    """Every item that has runs, the one with most requests first; one statement. Raises NotPermitted."""
    _require(reader)
    item, version = "stream__request__item", "version"
    names = (f"{item}__slug", f"{item}__name", "version_id", f"{version}__n", f"{version}__workflow__name")
    counts = {"runs": Count("pk"), "requests": Count("stream", distinct=True)}
    found: dict[tuple[str, str], list[VersionWithRuns]] = {}
    rows = WorkflowRun.objects.filter(stream__request__isnull=False).values_list(*names).annotate(**counts).order_by()
    for slug, name, pk, n, workflow, runs, requests in rows:
        one = VersionWithRuns(pk=pk, workflow=workflow, n=n, runs=runs, requests=requests)
        found.setdefault((slug, name), []).append(one)
    items = [ItemWithRuns(slug=slug, name=name, versions=_by_runs(own)) for (slug, name), own in found.items()]
    return sorted(items, key=lambda one: (-one.requests, one.name, one.slug))


def process_of(reader: User, *, slug: str, version: int, period: Period, most: int = MOST_RUNS) -> Process:
    """The figures of an item's requests on a workflow version, of the newest `most` runs. Raises NotPermitted.

    At most three statements, and one more the first time a process meets the version.
    """
    _require(reader)
    definition = definition_of(version)
    chosen = _chosen(slug, version, period)
    runs, cut = _runs(chosen, most)
    counted = chosen & Q(pk__gte=min((run.pk for run in runs), default=0))
    figures = study(definition, runs, _visits(counted), _choices(definition, counted))
    return Process(definition=definition, study=figures, cut=cut)


def _require(reader: User) -> None:
    if not policies.sees_everything(reader):
        raise NotPermitted("Only administrators and auditors see how requests went through a workflow.")


def _by_runs(versions: list[VersionWithRuns]) -> tuple[VersionWithRuns, ...]:
    return tuple(sorted(versions, key=lambda version: (-version.runs, -version.n, version.workflow)))


def _chosen(slug: str, version: int, period: Period) -> Q:
    """The runs that are asked for, as a condition on runs."""
    chosen = Q(version_id=version, stream__request__item__slug=slug)
    if period.since:
        chosen &= Q(stream__request__submitted_at__gte=period.since)
    if period.until:
        chosen &= Q(stream__request__submitted_at__lt=period.until)
    return chosen


def _runs(chosen: Q, most: int) -> tuple[list[RunRow], bool]:
    """The newest runs, and whether there are more."""
    fields = (*RUN_FIELDS, *(f"stream__request__{name}" for name in REQUEST_FIELDS))
    rows = WorkflowRun.objects.filter(chosen).order_by("-pk").values_list(*fields)[: most + 1]
    runs = [RunRow._make(row) for row in rows.iterator(CHUNK)]
    return runs[:most], len(runs) > most


def _visits(counted: Q) -> Iterator[VisitRow]:
    """Run by run, in order. A run that began since the runs were read is among them; it is passed over."""
    runs = WorkflowRun.objects.filter(counted).values("pk")
    rows = StepVisit.objects.filter(run_id__in=runs).order_by("run_id", "number").values_list(*VISIT_FIELDS)
    return (VisitRow._make(row) for row in rows.iterator(CHUNK))


def _choices(definition: Definition, counted: Q) -> dict[int, int]:
    """How often each arrow out of a choice was taken, from the events; no statement where there is no choice.

    All runs of a request are on one version, so its events need not be told apart by run.
    """
    if all(step.kind != "choice" for step in definition.steps):
        return {}
    streams = WorkflowRun.objects.filter(counted).values("stream_id")
    taken: Any = Event.objects.filter(type=WorkflowEvent.CHOICE_TAKEN, stream_id__in=streams).order_by()
    return dict(taken.values_list("data__arrow").annotate(Count("pk")))
