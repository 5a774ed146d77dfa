"""Where requests are: the visits of a run, what it waits for by itself, and the times that lists show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from apps.requests.models import Request
from apps.sla.models import SlaClock
from apps.sla.models.clock import LIVE
from apps.workflows.enums import VisitStatus
from apps.workflows.models import StepVisit, Timer
from apps.workflows.selectors import definition_of


@dataclass(frozen=True, kw_only=True)
class Wait:
    """A waiting step that is open: its name, and when it goes on by itself (None: it waits for a message)."""

    name: str
    due_at: datetime | None


def visits_of(request: Request) -> list[StepVisit]:
    """The visits of the request's present run, oldest first."""
    return list(StepVisit.objects.filter(run=request.run).order_by("number")) if request.run else []


def open_waits(request: Request, visits: Iterable[StepVisit]) -> list[Wait]:
    """The waits among these visits of the request's run that are open; one statement, or none without a wait."""
    if request.run is None:
        return []
    definition = definition_of(request.run.version_id)
    steps = {visit.number: definition.step(visit.step) for visit in visits if _is_open(visit)}
    waits = {number: step for number, step in steps.items() if step.kind == "wait"}
    if not waits:
        return []
    timers = Timer.objects.filter(run=request.run, visit__in=waits, closed_at=None).values_list("visit", "due_at")
    due = dict(timers)
    return [Wait(name=step.name or step.id, due_at=due.get(number)) for number, step in waits.items()]


def _is_open(visit: StepVisit) -> bool:
    return visit.status in (VisitStatus.OPEN, VisitStatus.BEGUN)


def next_clocks(stream_ids: Iterable[int]) -> dict[int, SlaClock]:
    """The live clock that is due first, by request; a clock that stands still comes last. One statement."""
    found: dict[int, SlaClock] = {}
    clocks = SlaClock.objects.filter(stream_id__in=list(stream_ids), status__in=LIVE)
    for clock in sorted(clocks, key=lambda one: (one.due_at is None, one.due_at or one.started_at, one.pk)):
        found.setdefault(clock.stream_id, clock)
    return found
