"""From a run to its request, and a run's state as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.accounts.models import User
from apps.core.errors import NotPermitted, NotVisible
from apps.requests import policies
from apps.requests.models import Request
from apps.requests.policies import Act
from apps.requests.selectors.visibility import visible_requests
from apps.workflows.engine.definition import Definition
from apps.workflows.engine.marking import Instance, KeyState, Marking, Token, Visit
from apps.workflows.enums import CallStatus, TimerKind
from apps.workflows.models import ActionCall, Timer, WorkflowRun
from apps.workflows.selectors import definition_of

Data = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """What is written beside the markings of some runs: timers by run and visit, waiting calls by run."""

    timers: Mapping[tuple[int, int], Sequence[Timer]]
    calls: Mapping[int, Sequence[ActionCall]]


def get_request_of_run(user: User, run_id: int) -> Request:
    """The request that the run, its own or a child run, is of. Raises NotVisible, also where they may not see it."""
    stream = WorkflowRun.objects.filter(pk=run_id).values_list("stream_id", flat=True).first()
    request = visible_requests(user).filter(pk=stream).first() if stream is not None else None
    if request is None:
        raise NotVisible
    return request


def readable_states(request: Request, *, reader: User) -> list[Data]:
    """`run_states` for a reader. Raises NotPermitted for those who may not read internal notes either."""
    if not policies.may(reader, Act.READ_INTERNALLY, request):
        raise NotPermitted("The state of a run is for those who work on the request.")
    return run_states(request)


def run_states(request: Request) -> list[Data]:
    """Every run of the request as data, oldest first: where its tokens are, what is open, when what is due.

    Of form values only the keys that steps need are in it, no texts, nor the items of instances. Three statements.
    """
    runs = list(WorkflowRun.objects.filter(stream_id=request.pk).select_related("version__workflow").order_by("n"))
    rows = _rows_beside(runs)
    return [_state(run, rows) for run in runs]


def _rows_beside(runs: Iterable[WorkflowRun]) -> _Rows:
    ids = [run.pk for run in runs if run.ended_at is None]
    timers: dict[tuple[int, int], list[Timer]] = {}
    for timer in Timer.objects.filter(run__in=ids).order_by("due_at", "id"):
        timers.setdefault((timer.run_id, timer.visit), []).append(timer)
    calls: dict[int, list[ActionCall]] = {}
    for call in ActionCall.objects.filter(run__in=ids, status=CallStatus.PENDING).order_by("id"):
        calls.setdefault(call.run_id, []).append(call)
    return _Rows(timers=timers, calls=calls)


def _state(run: WorkflowRun, rows: _Rows) -> Data:
    definition, marking = definition_of(run.version_id), Marking.from_json(run.marking)
    return {
        "id": run.pk,
        "n": run.n,
        "workflow": run.version.workflow.key,
        "version": run.version.n,
        "parent": run.parent_id,
        "parent_visit": run.parent_visit,
        "parent_instance": run.parent_instance,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "outcome": run.outcome or None,
        "tokens": [_token(token, run, definition, rows) for token in marking.tokens],
        "joins": [{"step": one.step, "seen": list(one.seen)} for one in marking.joins],
        "kept_messages": [message.name for message in marking.kept],
        "calls": [_call(call) for call in rows.calls.get(run.pk, ())],
    }


def _token(token: Token, run: WorkflowRun, definition: Definition, rows: _Rows) -> Data:
    step = definition.step(token.step)
    return {
        "id": token.id,
        "step": token.step,
        "name": step.name,
        "came_from": token.came_from,
        "waits_at_join": step.kind == "join",
        "visits": [_visit(visit, definition, rows.timers.get((run.pk, visit.id), ())) for visit in token.visits],
    }


def _visit(visit: Visit, definition: Definition, timers: Sequence[Timer]) -> Data:
    step = definition.step(visit.step)
    return {
        "id": visit.id,
        "step": visit.step,
        "name": step.name,
        "begun": visit.begun,
        "incident": visit.incident,
        "key": visit.exclusive,
        "waits_for_key": visit.key_state is KeyState.ASKED,
        "left_over": visit.left,
        "closed": visit.closed,
        "outcomes": [outcome.id for outcome in step.work_outcomes],
        "due": [_due(timer) for timer in timers if timer.closed_at is None and timer.kind != TimerKind.DEADLINE],
        "deadlines": [_deadline(timer) for timer in timers if timer.kind == TimerKind.DEADLINE],
        "instances": None if visit.instances is None else [_instance(one) for one in visit.instances],
    }


def _due(timer: Timer) -> Data:
    return {"kind": timer.kind, "instance": timer.instance, "at": timer.due_at}


def _deadline(timer: Timer) -> Data:
    return {"id": timer.deadline, "due_at": timer.due_at, "passed": timer.fired}


def _instance(one: Instance) -> Data:
    return {"index": one.index, "status": str(one.status), "outcome": one.outcome, "incident": one.incident}


def _call(call: ActionCall) -> Data:
    return {
        "id": call.pk,
        "step": call.step,
        "visit": call.visit,
        "instance": call.instance,
        "action": call.action,
        "attempts": call.attempts,
        "last_error": call.last_error,
        "opened_at": call.opened_at,
    }
