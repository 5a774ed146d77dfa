"""Where requests are: runs and visits, when they go on by themselves, what tasks ask for, the times that lists show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, F, OuterRef, QuerySet, Subquery

from apps.accounts.models import User
from apps.requests.facts import form_of
from apps.requests.forms import Form
from apps.requests.models import Request
from apps.requests.selectors.visibility import clocks_on_lists
from apps.sla.models import SlaClock
from apps.sla.selectors import UNSTOPPED, unstopped
from apps.workflows.engine.definition import Definition
from apps.workflows.engine.marking import Marking, Visit
from apps.workflows.enums import TimerKind
from apps.workflows.models import StepVisit, Task, Timer, WorkflowRun
from apps.workflows.selectors import definition_of


@dataclass(frozen=True, kw_only=True)
class OpenRun:
    """A run that goes on, with what it runs and where it is."""

    run: WorkflowRun
    definition: Definition
    marking: Marking


def workflow_of(request: Request) -> Definition | None:
    """The workflow the request runs on, of which it never gets another version; None of a draft."""
    version = request.pins.get("workflow")
    return definition_of(version) if version else None


def visits_of(request: Request) -> list[StepVisit]:
    """The visits of the request's present run, oldest first."""
    return list(StepVisit.objects.filter(run=request.run).order_by("number")) if request.run else []


def open_runs(request: Request) -> list[OpenRun]:
    """The request's runs that go on, its own and child runs, oldest first. One statement."""
    if not request.is_open:
        return []
    runs = WorkflowRun.objects.filter(stream_id=request.pk, ended_at=None).order_by("n")
    return [
        OpenRun(run=run, definition=definition_of(run.version_id), marking=Marking.from_json(run.marking))
        for run in runs
    ]


def due_times(runs: Iterable[OpenRun]) -> dict[tuple[int, int], datetime]:
    """When visits of these runs go on, or try again, by themselves, by run and visit. One statement, none without."""
    waiting = [one.run.pk for one in runs if any(_goes_on_by_itself(one, visit) for visit in one.marking.open_visits())]
    if not waiting:
        return {}
    timers = Timer.objects.filter(run__in=waiting, closed_at=None).exclude(kind=TimerKind.DEADLINE)
    rows = timers.order_by("-due_at").values_list("run_id", "visit", "due_at")
    return {(run, visit): due_at for run, visit, due_at in rows}


def _goes_on_by_itself(one: OpenRun, visit: Visit) -> bool:
    return one.definition.step(visit.step).kind in ("wait", "action")


def form_asked_by(task: Task) -> Form | None:
    """The form that a task asks for, in the version its request is pinned to; None if it asks for none.

    The task is read with `visit.run` and `stream.request`.
    """
    key = definition_of(task.visit.run.version_id).step(task.visit.step).settings.get("form")
    pinned: int | None = task.stream.request.pins.get("forms", {}).get(key)
    return form_of(pinned) if pinned is not None else None


def with_next_due(requests: QuerySet[Request]) -> QuerySet[Request]:
    """Each request with `next_due`, when the first of its clocks is due, and `is_timed`, whether any is not stopped
    yet; without a due time they stand still then. For staff lists that are sorted by it: teams' own targets count too.
    """
    clocks = SlaClock.objects.filter(UNSTOPPED, stream_id=OuterRef("pk")).order_by(F("due_at").asc(nulls_last=True))
    return requests.annotate(next_due=Subquery(clocks.values("due_at")[:1]), is_timed=Exists(clocks))


def next_clocks(stream_ids: Iterable[int], *, reader: User) -> dict[int, SlaClock]:
    """The clock that is due first of those the reader sees, by request: what is late comes before what runs, a clock
    that stands still last.

    A clock counts until its target is reached, so also after it was breached. One statement.
    """
    found: dict[int, SlaClock] = {}
    seen = unstopped(list(stream_ids)).filter(clocks_on_lists(reader))
    for clock in sorted(seen, key=lambda one: (one.due_at is None, one.due_at or one.started_at, one.pk)):
        found.setdefault(clock.stream_id, clock)
    return found
