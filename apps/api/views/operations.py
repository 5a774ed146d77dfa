"""Operators: a run's state as data, incidents, and what can be done about them; instances for those who work on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from apps.accounts.models import User
from apps.api.bodies import Shape, anything, number, read_body, shape, text
from apps.api.idempotency import one_effect
from apps.api.preconditions import check_revision
from apps.api.query import read_query
from apps.api.schema import lists, reads, writes
from apps.api.serializers.operations import IncidentSerializer, RunsSerializer
from apps.api.views.base import OLDEST, ApiView, actor_of, shown
from apps.core.errors import NotVisible
from apps.outbox.models import Incident
from apps.requests.models import Request
from apps.requests.selectors import get_request_for, incidents_of
from apps.requests.selectors.runs import get_request_of_run, run_states
from apps.requests.selectors.visibility import visible_requests
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
        return _runs(get_request_for(actor_of(http), number), actor_of(http))


class IncidentsView(ApiView):
    @lists("What needs an operator on a request", IncidentSerializer)
    def get(self, http: HttpRequest, number: str) -> Response:
        read_query(http)
        return self.paged(http, incidents_of(get_request_for(actor_of(http), number)), OLDEST, IncidentSerializer)


class RetryView(ApiView):
    @writes("Let what failed try again", IncidentSerializer, body=RETRY)
    @one_effect
    def post(self, http: HttpRequest, incident_id: int) -> Response:
        body, actor = read_body(http.data, RETRY), actor_of(http)
        incident = Incident.objects.filter(pk=incident_id, stream__in=visible_requests(actor).values("pk")).first()
        if incident is None:
            raise NotVisible
        operations.retry_incident(incident, reason=body["reason"], actor=actor)
        return Response(shown(IncidentSerializer, Incident.objects.get(pk=incident_id)))


class RunMoveView(ApiView):
    """A move of one run; subclasses say which."""

    def move(self, http: HttpRequest, run_id: int, service: Callable[..., Request], expected: Shape) -> Response:
        body: dict[str, Any] = dict(read_body(http.data, expected))
        actor = actor_of(http)
        request = get_request_of_run(actor, run_id)
        check_revision(http, request)
        return _runs(service(request, run=run_id, actor=actor, **body), actor)


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


def _runs(request: Request, reader: User) -> Response:
    return Response(shown(RunsSerializer, {"runs": run_states(request, reader=reader)}))
