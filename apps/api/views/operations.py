"""Operators: a run's state as data, incidents, and what can be done about them; instances for those who work on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from apps.api.bodies import Shape, anything, number, read_body, shape, text
from apps.api.idempotency import one_effect
from apps.api.preconditions import check_revision, etag_of
from apps.api.query import read_query
from apps.api.schema import lists, reads, writes
from apps.api.serializers.operations import IncidentSerializer, RunsSerializer
from apps.api.views.base import OLDEST, ApiView, actor_of, shown
from apps.requests.models import Request
from apps.requests.selectors import get_request_for
from apps.requests.selectors.incidents import get_incident_for, readable_incidents
from apps.requests.selectors.runs import get_request_of_run, readable_states, run_states
from apps.requests.services import operations

REASON = text("Why; everybody who reads the request sees it", maxLength=10_000)
VISIT = number("The visit, as the run's state names it")
RETRY = shape({"reason": REASON}, required=("reason",))
SKIP = shape(
    {
        "visit": VISIT,
        "instance": number("The instance, where the step has several"),
        "outcome": text("As if the step had ended so; its first outcome, if none is named"),
        "reason": REASON,
    },
    required=("visit", "reason"),
)
MOVE = shape(
    {"token": number("The token, as the run's state names it"), "to": text("A step's id"), "reason": REASON},
    required=("token", "to", "reason"),
)
CANCEL = shape({"visit": VISIT, "reason": REASON}, required=("visit", "reason"))
ADD = shape({"visit": VISIT, "item": anything("Its part of the list")}, required=("visit",))
ONE_VISIT = shape({"visit": VISIT}, required=("visit",))


class RunsView(ApiView):
    @reads("The state of a request's runs, children too", RunsSerializer)
    def get(self, http: HttpRequest, number: str) -> Response:
        read_query(http, paged=False)
        actor = actor_of(http)
        request = get_request_for(actor, number)
        return _runs(request, readable_states(request, reader=actor))


class IncidentsView(ApiView):
    @lists("What needs an operator on a request", IncidentSerializer)
    def get(self, http: HttpRequest, number: str) -> Response:
        read_query(http)
        actor = actor_of(http)
        rows = readable_incidents(get_request_for(actor, number), reader=actor)
        return self.paged(http, rows, OLDEST, IncidentSerializer)


class RetryView(ApiView):
    @writes("Let what failed try again", IncidentSerializer, body=RETRY, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, incident_id: int) -> Response:
        body, actor = read_body(http.data, RETRY), actor_of(http)
        incident = get_incident_for(actor, incident_id)
        check_revision(http, incident.stream.request)
        operations.retry_incident(incident, reason=body["reason"], actor=actor)
        return Response(shown(IncidentSerializer, get_incident_for(actor, incident_id)))


class RunMoveView(ApiView):
    """A move of one run; subclasses say which."""

    def move(self, http: HttpRequest, run_id: int, service: Callable[..., Request], expected: Shape) -> Response:
        body: dict[str, Any] = dict(read_body(http.data, expected))
        actor = actor_of(http)
        request = get_request_of_run(actor, run_id)
        check_revision(http, request)
        moved = service(request, run=run_id, actor=actor, **body)
        return _runs(moved, run_states(moved))


class SkipView(RunMoveView):
    @writes("Let a step in incident go on as if it had ended", RunsSerializer, body=SKIP, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, run_id: int) -> Response:
        return self.move(http, run_id, operations.skip_step, SKIP)


class MoveView(RunMoveView):
    @writes("Put a token at another step", RunsSerializer, body=MOVE, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, run_id: int) -> Response:
        return self.move(http, run_id, operations.move_token, MOVE)


class CancelVisitView(RunMoveView):
    @writes("Withdraw one open step", RunsSerializer, body=CANCEL, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, run_id: int) -> Response:
        return self.move(http, run_id, operations.cancel_visit, CANCEL)


class AddInstanceView(RunMoveView):
    @writes("One more instance of an open-ended step", RunsSerializer, body=ADD, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, run_id: int) -> Response:
        return self.move(http, run_id, operations.add_instance, ADD)


class CloseInstancesView(RunMoveView):
    @writes("No more instances will come", RunsSerializer, body=ONE_VISIT, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, run_id: int) -> Response:
        return self.move(http, run_id, operations.close_instances, ONE_VISIT)


class FinishInstancesView(RunMoveView):
    @writes("End a step with the instances that are done", RunsSerializer, body=ONE_VISIT, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, run_id: int) -> Response:
        return self.move(http, run_id, operations.finish_instances, ONE_VISIT)


def _runs(request: Request, states: list[dict[str, Any]]) -> Response:
    return Response(shown(RunsSerializer, {"runs": states}), headers={"ETag": etag_of(request)})
