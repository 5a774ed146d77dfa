"""From a run to its request, and a run's state as data."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import User
from apps.core.errors import NotPermitted, NotVisible
from apps.requests import policies
from apps.requests.models import Request
from apps.requests.policies import Act
from apps.requests.selectors.visibility import visible_requests
from apps.workflows.engine.definition import Definition
from apps.workflows.engine.marking import Marking, Token, Visit
from apps.workflows.models import WorkflowRun
from apps.workflows.selectors import definition_of


def get_request_of_run(user: User, run_id: int) -> Request:
    """The request that the run, its own or a child run, is of. Raises NotVisible, also where they may not see it."""
    stream = WorkflowRun.objects.filter(pk=run_id).values_list("stream_id", flat=True).first()
    request = visible_requests(user).filter(pk=stream).first() if stream is not None else None
    if request is None:
        raise NotVisible
    return request


def run_states(request: Request, *, reader: User) -> list[dict[str, Any]]:
    """Every run of the request as data, oldest first: where its tokens are, what is open, what waits.

    Form values and texts are not in it, nor the items of instances. Raises NotPermitted for those who may not read
    internal notes either.
    """
    if not policies.may(reader, Act.READ_INTERNALLY, request):
        raise NotPermitted("The state of a run is for those who work on the request.")
    runs = WorkflowRun.objects.filter(stream_id=request.pk).select_related("version__workflow").order_by("n")
    return [_state(run) for run in runs]


def _state(run: WorkflowRun) -> dict[str, Any]:
    definition, marking = definition_of(run.version_id), Marking.from_json(run.marking)
    return {
        "id": run.pk,
        "n": run.n,
        "workflow": run.version.workflow.key,
        "version": run.version.n,
        "parent": run.parent_id,
        "parent_visit": run.parent_visit,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "outcome": run.outcome or None,
        "tokens": [_token(token, definition) for token in marking.tokens],
        "joins": [{"step": one.step, "seen": list(one.seen)} for one in marking.joins],
        "kept_messages": [message.name for message in marking.kept],
    }


def _token(token: Token, definition: Definition) -> dict[str, Any]:
    return {
        "id": token.id,
        "step": token.step,
        "name": definition.step(token.step).name,
        "came_from": token.came_from,
        "visits": [_visit(visit, definition) for visit in token.visits],
    }


def _visit(visit: Visit, definition: Definition) -> dict[str, Any]:
    step = definition.step(visit.step)
    return {
        "id": visit.id,
        "step": visit.step,
        "name": step.name,
        "begun": visit.begun,
        "incident": visit.incident,
        "waits_for_key": visit.key_state == "asked",
        "left_over": visit.left,
        "outcomes": [outcome.id for outcome in step.work_outcomes],
        "deadlines_passed": list(visit.fired),
        "instances": None
        if visit.instances is None
        else [
            {"index": one.index, "status": str(one.status), "outcome": one.outcome, "incident": one.incident}
            for one in visit.instances
        ],
    }
