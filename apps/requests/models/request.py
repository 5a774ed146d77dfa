from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from apps.accounts.models import Team
from apps.outbox.models import Stream
from apps.requests.enums import ENDED_STATES, OPEN_STATES, Level, Priority, RequestStatus
from apps.requests.models.catalog import CatalogItem
from apps.workflows.models import WorkflowRun

S = RequestStatus


class Request(models.Model):
    """A person's request. `revision` is its stream's `last_seq` after each of its writes, `pins` its versions.

    `edited_by` is the person who last changed its data. `tags` are words of the requester's, for guards to read.
    """

    stream = models.OneToOneField(Stream, primary_key=True, on_delete=models.PROTECT, related_name="request")
    number = models.CharField(max_length=20, unique=True)
    item = models.ForeignKey(CatalogItem, on_delete=models.PROTECT, related_name="requests")
    title = models.CharField(max_length=200)
    data = models.JSONField(default=dict)
    tags = models.JSONField(default=list)
    requester = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="requests")
    requested_for = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="requests_for")
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="assigned_requests"
    )
    edited_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    team = models.ForeignKey(Team, null=True, on_delete=models.PROTECT, related_name="requests")
    impact = models.CharField(max_length=10, choices=Level.choices, default=Level.MEDIUM)
    urgency = models.CharField(max_length=10, choices=Level.choices, default=Level.MEDIUM)
    priority = models.CharField(max_length=10, choices=Priority.choices, default=Priority.MEDIUM)
    status = FSMField(default=S.DRAFT, choices=S.choices, protected=True)
    outcome = models.CharField(max_length=16, blank=True)
    stage = models.CharField(max_length=80, blank=True)
    pins = models.JSONField(default=dict)
    selection = models.JSONField(default=dict)
    run = models.ForeignKey(WorkflowRun, null=True, on_delete=models.PROTECT, related_name="+")
    revision = models.PositiveIntegerField(default=0)
    origin = models.CharField(max_length=40, default="portal")
    external_id = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    held_from = models.CharField(max_length=16, blank=True)
    ended_at = models.DateTimeField(null=True)
    archive_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["origin", "external_id"], condition=~Q(external_id=""), name="request_external_once"
            ),
            models.CheckConstraint(
                condition=Q(status="draft", submitted_at__isnull=True)
                | Q(status__in=[S.CANCELLED, S.ARCHIVED], outcome="cancelled")
                | ~Q(status="draft") & Q(submitted_at__isnull=False),
                name="request_submitted",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[S.DRAFT, *OPEN_STATES], outcome="", ended_at__isnull=True)
                | Q(status__in=[*ENDED_STATES, S.ARCHIVED], ended_at__isnull=False) & ~Q(outcome=""),
                name="request_outcome_when_ended",
            ),
        ]
        indexes = [
            models.Index(fields=["archive_at"], condition=Q(status__in=ENDED_STATES), name="request_archive_due"),
            models.Index(fields=["status", "-stream"], name="request_status"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.title}"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATES

    @transition(field=status, source=S.DRAFT, target=S.SUBMITTED)
    def submit(self, *, at: datetime) -> None:
        self.submitted_at = at

    @transition(field=status, source=S.SUBMITTED, target=S.IN_PROGRESS)
    def begin(self) -> None:
        """The first claim, decision or completed task."""

    @transition(field=status, source=[S.SUBMITTED, S.IN_PROGRESS], target=S.ON_HOLD)
    def hold(self, *, since: str) -> None:
        self.held_from = since

    @transition(
        field=status, source=S.ON_HOLD, target=S.SUBMITTED, conditions=[lambda self: self.held_from == S.SUBMITTED]
    )
    def resume_submitted(self) -> None:
        self.held_from = ""

    @transition(
        field=status, source=S.ON_HOLD, target=S.IN_PROGRESS, conditions=[lambda self: self.held_from == S.IN_PROGRESS]
    )
    def resume_in_progress(self) -> None:
        self.held_from = ""

    @transition(field=status, source=OPEN_STATES, target=S.COMPLETED)
    def complete(self, *, at: datetime, archive_at: datetime) -> None:
        self.outcome, self.ended_at, self.archive_at, self.held_from = "completed", at, archive_at, ""

    @transition(field=status, source=OPEN_STATES, target=S.REJECTED)
    def reject(self, *, at: datetime, archive_at: datetime) -> None:
        self.outcome, self.ended_at, self.archive_at, self.held_from = "rejected", at, archive_at, ""

    @transition(field=status, source=[S.DRAFT, *OPEN_STATES], target=S.CANCELLED)
    def cancel(self, *, at: datetime, archive_at: datetime) -> None:
        self.outcome, self.ended_at, self.archive_at, self.held_from = "cancelled", at, archive_at, ""

    @transition(field=status, source=ENDED_STATES, target=S.IN_PROGRESS)
    def reopen(self) -> None:
        self.outcome, self.ended_at, self.archive_at = "", None, None

    @transition(field=status, source=ENDED_STATES, target=S.ARCHIVED)
    def archive(self, *, at: datetime) -> None:
        self.archived_at = at
