"""Work and answers that are waited for: of a person, and of a request."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.approvals.models import Approval, Seat
from apps.approvals.selectors import waiting_for
from apps.core.errors import NotVisible
from apps.outbox.models import Incident
from apps.requests.models import Request
from apps.requests.selectors.rounds import round_parts
from apps.requests.selectors.visibility import visible_requests
from apps.workflows.engine.definition import Outcome
from apps.workflows.enums import TaskStatus
from apps.workflows.models import Task
from apps.workflows.selectors import definition_of

OPEN = [TaskStatus.OPEN, TaskStatus.CLAIMED]
SEAT_SHOWN = (
    "level__approval__visit__run",
    "level__approval__stream__request__item",
    "level__approval__stream__request__requester",
    "level__approval__stream__request__requested_for",
)
TASK_SHOWN = ("visit__run", "assignee", "team", "group", "stream__request__item", "stream__request__requester")


def tasks_for(user: User) -> QuerySet[Task]:
    """Open tasks this person may do: their own, and those of their teams and roles that nobody has; newest first."""
    mine = Q(assignee=user) | Q(assignee__isnull=True, group__in=user.group_ids)
    return Task.objects.filter(mine, status__in=OPEN).select_related(*TASK_SHOWN).order_by("-id")


def tasks_of(request: Request) -> QuerySet[Task]:
    """All tasks of a request, oldest first."""
    return Task.objects.filter(stream_id=request.pk).select_related(*TASK_SHOWN).order_by("id")


def get_task_for(user: User, task_id: int) -> Task:
    """A task of a request that this person may see. Raises NotVisible."""
    task = Task.objects.filter(pk=task_id).select_related(*TASK_SHOWN).first()
    if task is None or not visible_requests(user).filter(pk=task.stream_id).exists():
        raise NotVisible
    return task


def outcomes_of(task: Task) -> tuple[Outcome, ...]:
    """The ways out of a task, as its document says."""
    return definition_of(task.visit.run.version_id).step(task.visit.step).work_outcomes


def waiting_approvals(user: User) -> QuerySet[Seat]:
    """Seats on which this person's answer is waited for, newest first, with approval and request."""
    return waiting_for(user).select_related(*SEAT_SHOWN)


def seats_of(user: User, ids: Collection[int]) -> QuerySet[Seat]:
    """The seats of these ids that are, or were, this person's, newest first, with approval and request."""
    found = Seat.objects.filter(pk__in=ids, user=user).select_related("level", "principal", *SEAT_SHOWN)
    return found.order_by("-level_id")


def approvals_of(request: Request) -> QuerySet[Approval]:
    """Every round of a request with its levels, seats and decisions, oldest first."""
    return (
        Approval.objects.filter(stream_id=request.pk)
        .select_related("visit__run", "stream__request")
        .prefetch_related(*round_parts())
        .order_by("id")
    )


def approval_for(user: User, approval_id: int) -> Approval:
    """An approval of a request that this person may see. Raises NotVisible."""
    approval = Approval.objects.filter(pk=approval_id).select_related("stream__request__item", "visit__run").first()
    if approval is None or not visible_requests(user).filter(pk=approval.stream_id).exists():
        raise NotVisible
    return approval


def incidents_of(request: Request) -> QuerySet[Incident]:
    """What needs an operator on this request, open ones first."""
    return Incident.objects.filter(stream_id=request.pk).order_by("status", "id")
