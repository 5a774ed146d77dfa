"""What belongs to a request: its events, clocks, approvals, tasks and comments; and the feed of everything."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from apps.api.bodies import anything, flag, read_body, shape, text
from apps.api.idempotency import one_effect
from apps.api.pagination import Order, body_of, paginate
from apps.api.preconditions import check_revision
from apps.api.query import position_in, read_query
from apps.api.schema import lists, reads, writes
from apps.api.serializers.approvals import ApprovalSerializer
from apps.api.serializers.requests import CommentSerializer, EventSerializer, MessageSerializer
from apps.api.serializers.sla import ClockSerializer, ExplanationSerializer
from apps.api.serializers.work import TaskSerializer
from apps.api.views.base import OLDEST, ApiView, actor_of, shown
from apps.requests.selectors import approvals_of, feed_for, get_request_for, readable_clocks, readable_events, tasks_of
from apps.requests.selectors.clocks import calendars_of, explained
from apps.requests.selectors.comments import comments_of
from apps.requests.selectors.explaining import explain
from apps.requests.selectors.rounds import round_parts
from apps.requests.selectors.runs import get_request_of_run
from apps.requests.services.comments import add_comment
from apps.requests.services.work import send_message

BY_SEQ = Order(name="seq", columns=("seq",))
BY_POSITION = Order(name="position", columns=("position",))
COMMENT = shape(
    {"text": text(maxLength=10_000), "internal": flag("For those who work on it only", default=False)},
    required=("text",),
)
MESSAGE = shape(
    {
        "name": text(maxLength=200),
        "key": text("What the wait listens for", maxLength=200),
        "payload": anything("Goes into the field that the wait names"),
    },
    required=("name",),
)
AFTER = {"after": {"type": "integer", "minimum": 0, "default": 0, "description": "The last position one has seen"}}


class EventsView(ApiView):
    @lists("What happened to a request, in order", EventSerializer)
    def get(self, http: HttpRequest, number: str) -> Response:
        read_query(http)
        actor = actor_of(http)
        rows = readable_events(get_request_for(actor, number), reader=actor).select_related("stream__request")
        return self.paged(http, rows, BY_SEQ, EventSerializer)


class FeedView(ApiView):
    @lists("Every event I may see, by feed position: no gap, nothing skipped", EventSerializer, query=AFTER)
    def get(self, http: HttpRequest) -> Response:
        query = read_query(http, AFTER)
        rows = feed_for(actor_of(http), after=position_in(query, "after")).select_related("stream__request")
        return self.paged(http, rows, BY_POSITION, EventSerializer)


class ClocksView(ApiView):
    @lists("A request's SLA clocks, each with every stretch that counted or did not, and why", ClockSerializer)
    def get(self, http: HttpRequest, number: str) -> Response:
        read_query(http)
        actor = actor_of(http)
        request = get_request_for(actor, number)
        rows = (
            readable_clocks(request, reader=actor)
            .select_related("policy", "calendar")
            .defer("policy__document", "calendar__document")
        )
        page = paginate(http, rows, OLDEST)
        clocks: Any = explained(request, page.rows)
        told = ClockSerializer(clocks, many=True, context={"calendars": calendars_of(clocks)}).data
        return Response(body_of(page, list(told)))


class ExplainView(ApiView):
    @reads("Why this workflow, these approvers, these due times", ExplanationSerializer)
    def get(self, http: HttpRequest, number: str) -> Response:
        read_query(http, paged=False)
        actor = actor_of(http)
        return Response(shown(ExplanationSerializer, explain(get_request_for(actor, number), reader=actor)))


class RequestApprovalsView(ApiView):
    @lists("A request's approvals with levels, seats and decisions", ApprovalSerializer)
    def get(self, http: HttpRequest, number: str) -> Response:
        read_query(http)
        rows = approvals_of(get_request_for(actor_of(http), number)).select_related("stream__request")
        rows = rows.prefetch_related(None).prefetch_related(*round_parts())
        return self.paged(http, rows, OLDEST, ApprovalSerializer)


class RequestTasksView(ApiView):
    @lists("A request's tasks", TaskSerializer)
    def get(self, http: HttpRequest, number: str) -> Response:
        read_query(http)
        return self.paged(http, tasks_of(get_request_for(actor_of(http), number)), OLDEST, TaskSerializer)


class CommentsView(ApiView):
    @lists("What was written on a request", CommentSerializer)
    def get(self, http: HttpRequest, number: str) -> Response:
        read_query(http)
        request = get_request_for(actor_of(http), number)
        return self.paged(http, comments_of(request, reader=actor_of(http)), OLDEST, CommentSerializer)

    @writes("Comment on a request", CommentSerializer, body=COMMENT, status=201, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, number: str) -> Response:
        body, actor = read_body(http.data, COMMENT), actor_of(http)
        request = get_request_for(actor, number)
        check_revision(http, request)
        comment = add_comment(request, text=body["text"], internal=body.get("internal", False), actor=actor)
        return Response(shown(CommentSerializer, comment), status=201)


class MessagesView(ApiView):
    @writes("Answer a wait of a run from outside", MessageSerializer, body=MESSAGE)
    @one_effect
    def post(self, http: HttpRequest, run_id: int) -> Response:
        body, actor = read_body(http.data, MESSAGE), actor_of(http)
        request = get_request_of_run(actor, run_id)
        told = send_message(
            request, name=body["name"], key=body.get("key", ""), payload=body.get("payload"), run=run_id, actor=actor
        )
        return Response({"request": request.number, "events": [str(event.type) for event in told]})
