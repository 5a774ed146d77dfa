"""Approvals: what waits for my answer, giving it, and what else people change about a round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import prefetch_related_objects
from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from apps.accounts.models import User
from apps.api.bodies import Body, Shape, read_body, shape, text
from apps.api.idempotency import key_of, one_effect
from apps.api.people import active_person
from apps.api.preconditions import check_revision, etag_of
from apps.api.query import read_query
from apps.api.schema import lists, reads, writes
from apps.api.serializers.approvals import AnswersSerializer, ApprovalSerializer
from apps.api.throttling import count_passwords
from apps.api.views.base import NEWEST, ApiView, actor_of, shown
from apps.api.views.bulk import ANSWER, ANSWERS, Answers, read_rows
from apps.approvals.models import Approval
from apps.requests.selectors import approval_for, waiting_approvals
from apps.requests.selectors.rounds import round_parts
from apps.requests.services import rounds
from apps.requests.services.decisions import record_decision

REASON = text("Why; everybody who reads the request sees it", maxLength=10_000)
PERSON = text("The user name of who is asked")
REASSIGN = shape(
    {"seat": {"type": "integer", "minimum": 1, "description": "A seat of the open level"}, "user": PERSON,
     "reason": REASON},
    required=("seat", "user", "reason"),
)  # fmt: skip
ADD = shape({"user": PERSON, "reason": REASON}, required=("user", "reason"))
MAYBE_WHY = shape({"reason": REASON})
OVERRIDE = shape({"decision": text(enum=sorted(rounds.OVERRIDES)), "reason": REASON}, required=("decision", "reason"))


class ApprovalsView(ApiView):
    @lists("Approvals that wait for my answer", ApprovalSerializer)
    def get(self, http: HttpRequest) -> Response:
        read_query(http)
        seats = waiting_approvals(actor_of(http)).select_related("level__approval__visit__run")
        rows = seats.prefetch_related(*round_parts("level__approval__"))
        return self.paged(http, rows, NEWEST, ApprovalSerializer, of=lambda seat: seat.level.approval)


class ApprovalView(ApiView):
    @reads("An approval with levels, seats and decisions", ApprovalSerializer)
    def get(self, http: HttpRequest, approval_id: int) -> Response:
        read_query(http, paged=False)
        return _approval(actor_of(http), approval_id)


class DecideView(ApiView):
    @writes("Give my answer", ApprovalSerializer, body=ANSWER, conditional=True, limited=True)
    def post(self, http: HttpRequest, approval_id: int) -> Response:
        body = read_body(http.data, ANSWER)
        count_passwords(http, [body.get("password")])  # also of a repeat: its key would tell whether it is right
        return self.decide(http, approval_id, body)

    @one_effect
    def decide(self, http: HttpRequest, approval_id: int, body: Body) -> Response:
        actor = actor_of(http)
        approval = approval_for(actor, approval_id)
        check_revision(http, approval.stream.request)
        record_decision(
            approval,
            verdict=body["decision"],
            comment=body.get("comment", ""),
            password=body.get("password"),
            seat=body.get("seat"),
            actor=actor,
        )
        return _approval(actor, approval_id)


class BulkDecideView(ApiView):
    @writes(
        "Give many answers, each judged by itself: what is refused is told in its row, and the others count",
        AnswersSerializer,
        body=ANSWERS,
        limited=True,
    )
    def post(self, http: HttpRequest) -> Response:
        rows = read_rows(read_body(http.data, ANSWERS))
        answers = Answers(actor=actor_of(http), key=key_of(http, spare=len("/99")), path=http.path)
        count_passwords(http, [row.get("password") for row in rows if isinstance(row, dict)])
        told = [answers.give(number, row) for number, row in enumerate(rows)]
        decided = sum(one["result"] is not None for one in told)
        return Response({"decided": decided, "refused": len(told) - decided, "results": told})


class RoundChangeView(ApiView):
    """Something else that is done to a round; subclasses say what."""

    def change(
        self, http: HttpRequest, approval_id: int, expected: Shape, service: Callable[[Approval, Body, User], Any]
    ) -> Response:
        body, actor = read_body(http.data, expected), actor_of(http)
        approval = approval_for(actor, approval_id)
        check_revision(http, approval.stream.request)
        service(approval, body, actor)
        return _approval(actor, approval_id)


class ReassignView(RoundChangeView):
    @writes("Give a seat to somebody else", ApprovalSerializer, body=REASSIGN, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, approval_id: int) -> Response:
        def reassign(approval: Approval, body: Body, actor: User) -> None:
            user = active_person(body["user"], field="user")
            rounds.reassign(approval, body["seat"], user, reason=body["reason"], actor=actor)

        return self.change(http, approval_id, REASSIGN, reassign)


class AddApproverView(RoundChangeView):
    @writes("Ask one more person at the open level", ApprovalSerializer, body=ADD, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, approval_id: int) -> Response:
        def add(approval: Approval, body: Body, actor: User) -> None:
            user = active_person(body["user"], field="user")
            rounds.add_approver(approval, user, reason=body["reason"], actor=actor)

        return self.change(http, approval_id, ADD, add)


class CloseVoteView(RoundChangeView):
    @writes("As the chair: end the vote with the answers given", ApprovalSerializer, body=MAYBE_WHY, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, approval_id: int) -> Response:
        def close(approval: Approval, body: Body, actor: User) -> None:
            rounds.close_vote(approval, reason=body.get("reason", ""), actor=actor)

        return self.change(http, approval_id, MAYBE_WHY, close)


class OverrideView(RoundChangeView):
    @writes("As an administrator: end the round over all heads", ApprovalSerializer, body=OVERRIDE, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, approval_id: int) -> Response:
        def override(approval: Approval, body: Body, actor: User) -> None:
            rounds.override(approval, verdict=body["decision"], reason=body["reason"], actor=actor)

        return self.change(http, approval_id, OVERRIDE, override)


class WithdrawApprovalView(RoundChangeView):
    @writes("As the requester: take the round back", ApprovalSerializer, body=MAYBE_WHY, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, approval_id: int) -> Response:
        def withdraw(approval: Approval, body: Body, actor: User) -> None:
            rounds.withdraw_round(approval, reason=body.get("reason", ""), actor=actor)

        return self.change(http, approval_id, MAYBE_WHY, withdraw)


def _approval(actor: User, approval_id: int) -> Response:
    approval = approval_for(actor, approval_id)
    prefetch_related_objects([approval], *round_parts())
    headers = {"ETag": etag_of(approval.stream.request)}
    return Response(shown(ApprovalSerializer, approval), headers=headers)
