"""Whether the rows of a request say what the markings of its runs say: work items, timers, calls, children and keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from apps.approvals.models import Approval
from apps.requests.models import Request
from apps.workflows.engine.definition import Definition, Step
from apps.workflows.engine.marking import LIVE, KeyState, Marking, Visit
from apps.workflows.models import ActionCall, KeyClaim, StepVisit, Task, Timer, WorkflowRun
from apps.workflows.selectors import definition_of

Row = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Open:
    """What is open, each as a row of plain values; of the visits in incident `deadlines` may be missing."""

    visits: frozenset[Row]
    work: frozenset[Row]
    deadlines: frozenset[Row]
    keys: frozenset[Row]


def assert_agreement(request: Request) -> None:
    """Everything open in the database is open in the markings, and the other way round."""
    runs = list(WorkflowRun.objects.filter(stream_id=request.pk).order_by("id"))
    told, stored = _of_markings(runs), _of_rows(request)
    assert stored.visits == told.visits
    assert stored.work == told.work
    assert stored.deadlines == told.deadlines
    held_above = told.keys - stored.keys
    assert stored.keys <= told.keys
    children = {run.pk for run in runs if run.parent_id}
    assert all(state == "held" and run in children for run, _, state in held_above)
    assert (Request.objects.get(pk=request.pk).ended_at is None) == any(run.ended_at is None for run in runs)


def _of_markings(runs: list[WorkflowRun]) -> Open:
    visits, work, deadlines, keys = set(), set(), set(), set()
    for run, step, visit in _open_visits(runs):
        if not visit.left:
            visits.add((run.pk, visit.id, "begun" if visit.begun else "open"))
            deadlines |= {(run.pk, visit.id, name) for name in _deadlines(step, visit)}
        work |= {(step.kind, run.pk, visit.id, index) for index in _at_work(step, visit)}
        if visit.key_state is not KeyState.NONE:
            keys.add((run.pk, visit.id, str(visit.key_state)))
    return Open(visits=frozenset(visits), work=frozenset(work), deadlines=frozenset(deadlines), keys=frozenset(keys))


def _open_visits(runs: list[WorkflowRun]) -> Iterator[tuple[WorkflowRun, Step, Visit]]:
    for run in runs:
        definition: Definition = definition_of(run.version_id)
        marking = Marking.from_json(run.marking)
        assert marking.to_json() == run.marking
        assert (run.ended_at is None) == bool(marking.tokens)
        for visit in marking.open_visits():
            step = definition.step(visit.step)
            if step.kind not in ("choice", "split", "join", "race", "start", "end"):
                yield run, step, visit


def _at_work(step: Step, visit: Visit) -> set[int | None]:
    """The instances (None: the visit itself) that have an open work item."""
    if step.kind == "wait" and "message" in step.settings["for"]:
        return set()
    if visit.instances is not None:
        return {part.index for part in visit.instances if part.status in LIVE and not part.incident and not part.child}
    return set() if visit.incident or visit.child or visit.key_state is KeyState.ASKED else {None}


def _deadlines(step: Step, visit: Visit) -> set[str]:
    return {one["id"] for one in step.settings.get("deadlines", ())} - set(visit.fired)


def _of_rows(request: Request) -> Open:
    of = {"stream_id": request.pk}
    visits = StepVisit.objects.filter(run__stream_id=request.pk, status__in=("open", "begun"))
    tasks = Task.objects.filter(**of, status__in=("open", "claimed"))
    approvals = Approval.objects.filter(**of, status="pending")
    waits = Timer.objects.filter(**of, kind="wait", closed_at=None)
    deadlines = Timer.objects.filter(**of, kind="deadline", closed_at=None)
    calls = ActionCall.objects.filter(**of, status="pending")
    children = WorkflowRun.objects.filter(**of, parent__isnull=False, ended_at=None)
    claims = KeyClaim.objects.filter(**of, ended_at=None)
    work = [
        *(("task", *row) for row in tasks.values_list("visit__run", "visit__number", "instance")),
        *(("approval", *row) for row in approvals.values_list("visit__run", "visit__number", "instance")),
        *(("wait", *row) for row in waits.values_list("run", "visit", "instance")),
        *(("action", *row) for row in calls.values_list("run", "visit", "instance")),
        *(("subflow", *row) for row in children.values_list("parent", "parent_visit", "parent_instance")),
    ]
    assert len(work) == len(set(work))
    return Open(
        visits=frozenset(visits.values_list("run", "number", "status")),
        work=frozenset(work),
        deadlines=frozenset(deadlines.values_list("run", "visit", "deadline")),
        keys=frozenset((one.run_id, one.visit, "held" if one.granted_at else "asked") for one in claims),
    )
