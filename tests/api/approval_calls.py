"""Calls about the approval of a request, and everything that such a call could move."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import User
from apps.api.models import IdempotencyKey
from apps.approvals.models import Approval, Decision, Seat
from apps.outbox.models import Note
from apps.requests.models import Request
from apps.workflows.models import WorkflowRun
from tests.api.conftest import Client
from tests.factories import row_counts
from tests.factories.approvals import approval_of

WHY = {"reason": "Because"}
SIGNED = {"meaning": "I have read the contract."}


def of(user: User) -> Client:
    return Client().of(user)


def path_of(request: Request, move: str = "") -> str:
    return f"/approvals/{approval_of(request).pk}/{move}"


def shown(user: User, request: Request) -> dict[str, Any]:
    found: dict[str, Any] = of(user).api("get", path_of(request)).json()
    return found


def state(request: Request) -> tuple[Any, ...]:
    """Everything that a change of a round could move."""
    seats = list(Seat.objects.order_by("id").values_list("user_id", "principal_id", "left_at"))
    rounds = list(Approval.objects.order_by("id").values_list("status", "level"))
    counts = (row_counts(), Decision.objects.count(), Note.objects.count(), IdempotencyKey.objects.count())
    run = WorkflowRun.objects.get(pk=request.run_id).marking
    return counts, seats, rounds, run, Request.objects.get(pk=request.pk).revision
