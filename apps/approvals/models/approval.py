from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django_fsm import FSMField, transition

from apps.approvals.enums import ApprovalStatus, Verdict
from apps.outbox.models import Note, Stream
from apps.workflows.models import StepVisit

PENDING = ApprovalStatus.PENDING


class Approval(models.Model):
    """One round of asking. `level` is the index of the level that is open, or was last.

    Levels and seats are facts that never change once written; everything that moves is here and in `Decision`.
    """

    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, related_name="approvals")
    visit = models.ForeignKey(StepVisit, on_delete=models.PROTECT, related_name="approvals")
    instance = models.PositiveIntegerField(null=True)
    step = models.CharField(max_length=80)
    name = models.CharField(max_length=200)
    status = FSMField(default=PENDING, choices=ApprovalStatus.choices, protected=True)
    level = models.PositiveSmallIntegerField(default=0)
    opened_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("visit", Coalesce("instance", -1), name="approval_one_per_instance"),
            models.CheckConstraint(
                condition=Q(status="pending", ended_at__isnull=True) | ~Q(status="pending") & Q(ended_at__isnull=False),
                name="approval_ended_when_not_pending",
            ),
        ]
        indexes = [models.Index(fields=["stream"], condition=Q(status="pending"), name="approval_pending")]

    def __str__(self) -> str:
        return self.name

    @transition(field=status, source=PENDING, target=ApprovalStatus.APPROVED)
    def approve(self, *, at: datetime) -> None:
        self.ended_at = at

    @transition(field=status, source=PENDING, target=ApprovalStatus.REJECTED)
    def reject(self, *, at: datetime) -> None:
        self.ended_at = at

    @transition(field=status, source=PENDING, target=ApprovalStatus.RETURNED)
    def give_back(self, *, at: datetime) -> None:
        self.ended_at = at

    @transition(field=status, source=PENDING, target=ApprovalStatus.EXPIRED)
    def expire(self, *, at: datetime) -> None:
        self.ended_at = at

    @transition(field=status, source=PENDING, target=ApprovalStatus.WITHDRAWN)
    def withdraw(self, *, at: datetime) -> None:
        self.ended_at = at


class ApprovalLevel(models.Model):
    """A level as it was opened, or skipped (then it has no seats and says why)."""

    approval = models.ForeignKey(Approval, on_delete=models.PROTECT, related_name="levels")
    index = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=80)
    name = models.CharField(max_length=200)
    skipped = models.CharField(max_length=200, blank=True)
    opened_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["approval", "index"], name="approval_level_index")]


class Seat(models.Model):
    """A person's place at a level: fixed when the level opens, with the rule that put them there."""

    level = models.ForeignKey(ApprovalLevel, on_delete=models.PROTECT, related_name="seats")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="seats")
    because = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["level", "user"], name="seat_once")]
        indexes = [models.Index(fields=["user", "-level"], name="seat_mine")]


class Decision(models.Model):
    """The one answer of a seat."""

    seat = models.OneToOneField(Seat, on_delete=models.PROTECT, related_name="decision")
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="decisions")
    note = models.ForeignKey(Note, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()
