from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from apps.accounts.models import Team
from apps.outbox.models import Stream
from apps.workflows.enums import TaskStatus, VisitStatus
from apps.workflows.models.workflow import WorkflowVersion


class WorkflowRun(models.Model):
    """A passage of a stream through a workflow version. `marking` is the engine's, `revision` rises with each plan.

    A child run belongs to a visit of its parent (to one instance of it, where the step has several); `input` is what it
    was given.
    """

    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, related_name="runs")
    version = models.ForeignKey(WorkflowVersion, on_delete=models.PROTECT, related_name="runs")
    n = models.PositiveSmallIntegerField(default=1)
    marking = models.JSONField()
    revision = models.PositiveIntegerField(default=0)
    outcome = models.CharField(max_length=16, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    parent_visit = models.PositiveIntegerField(null=True)
    parent_instance = models.PositiveIntegerField(null=True)
    input = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stream", "n"], name="run_number"),
            models.UniqueConstraint(
                fields=["stream"], condition=Q(ended_at__isnull=True, parent__isnull=True), name="run_one_open"
            ),
            models.UniqueConstraint(
                "parent",
                "parent_visit",
                Coalesce("parent_instance", -1),
                condition=Q(ended_at__isnull=True, parent__isnull=False),
                name="run_one_child",
            ),
            models.CheckConstraint(
                condition=Q(parent__isnull=True, parent_visit__isnull=True)
                | Q(parent__isnull=False, parent_visit__isnull=False),
                name="run_child_of_a_visit",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, outcome="") | Q(ended_at__isnull=False) & ~Q(outcome=""),
                name="run_outcome_when_ended",
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.pk}"


class StepVisit(models.Model):
    """One visit of a run to a working step, for people and reports; `number` is the visit's id in the marking."""

    run = models.ForeignKey(WorkflowRun, on_delete=models.PROTECT, related_name="visits")
    number = models.PositiveIntegerField()
    token = models.PositiveIntegerField()
    step = models.CharField(max_length=80)
    status = models.CharField(max_length=10, choices=VisitStatus.choices, default=VisitStatus.OPEN)
    outcome = models.CharField(max_length=80, blank=True)
    opened_at = models.DateTimeField()
    begun_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="visit_number"),
            models.UniqueConstraint(
                fields=["run", "token", "step"],
                condition=Q(status__in=["open", "begun"]),
                name="visit_one_open_per_token",  # in a race a token has one for each step that competes
            ),
        ]

    def __str__(self) -> str:
        return f"{self.step} ({self.number})"


class Task(models.Model):
    """A work item: offered to a person, a team or a role, taken up by one of them, left by one of its outcomes.

    Of a step with instances each has a task of its own: `instance` is its index, `item` its part of the list.
    """

    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, related_name="tasks")
    visit = models.ForeignKey(StepVisit, on_delete=models.PROTECT, related_name="tasks")
    instance = models.PositiveIntegerField(null=True)
    item = models.JSONField(null=True)
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=TaskStatus.choices, default=TaskStatus.OPEN)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="assigned_tasks"
    )
    team = models.ForeignKey(Team, null=True, on_delete=models.PROTECT, related_name="tasks")
    group = models.ForeignKey(Group, null=True, on_delete=models.PROTECT, related_name="tasks")
    outcome = models.CharField(max_length=80, blank=True)
    opened_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["assignee", "-id"], condition=Q(status__in=["open", "claimed"]), name="task_mine"),
            models.Index(fields=["group", "-id"], condition=Q(status__in=["open", "claimed"]), name="task_group"),
        ]
        constraints = [
            models.UniqueConstraint("visit", Coalesce("instance", -1), name="task_one_per_instance"),
            models.CheckConstraint(
                condition=~Q(status="claimed") | Q(assignee__isnull=False, claimed_at__isnull=False),
                name="task_claimed_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(status="open") | Q(assignee__isnull=False) | Q(group__isnull=False),
                name="task_waits_for_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.name
