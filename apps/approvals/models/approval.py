from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django_fsm import FSMField, transition

from apps.approvals.enums import ApprovalStatus, Verdict
from apps.outbox.models import Note, Stream
from apps.workflows.models import StepVisit

PENDING = ApprovalStatus.PENDING


class Approval(models.Model):
    """One round of asking. `level` is the index of the level that is open, or was last.

    Levels and seats are facts: a seat is given up (`Seat.left_at`) and another one taken, never passed on. What else
    moves is here and in `Decision`. A round that goes on where another was sent back (`resumed`) counts that one's
    answers. `matters` is the digest of the fields that must be unchanged for it.
    """

    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, related_name="approvals")
    visit = models.ForeignKey(StepVisit, on_delete=models.PROTECT, related_name="approvals")
    instance = models.PositiveIntegerField(null=True)
    step = models.CharField(max_length=80)
    name = models.CharField(max_length=200)
    status = FSMField(default=PENDING, choices=ApprovalStatus.choices, protected=True)
    level = models.PositiveSmallIntegerField(default=0)
    resumed = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    matters = models.CharField(max_length=64, blank=True)
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
    """A person's place at a level, with the rule that put them there. It ends with its answer, or is given up.

    `principal` is the person it is held for, None in one's own name. `through` is the id of the role's or team's group
    by which they were named: who is not in it any more cannot answer. `sign_offs` are the groups of a `per_group` rule
    it counts in. One that `decides` (a chair's, or one of an escalation) settles the level by itself. `unable_at` is
    when it was noticed that nobody can answer here at present. `kept_from` is a deputy to whom it does not go:
    their duties must be kept apart, or it was given away from them.
    """

    level = models.ForeignKey(ApprovalLevel, on_delete=models.PROTECT, related_name="seats")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="seats")
    principal = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="delegated_seats"
    )
    because = models.JSONField()
    through = models.IntegerField(null=True)
    sign_offs = models.JSONField(default=list)
    decides = models.BooleanField(default=False)
    left_at = models.DateTimeField(null=True)
    unable_at = models.DateTimeField(null=True)
    kept_from = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["level", "user", "decides"], condition=Q(left_at__isnull=True), name="seat_once"
            ),
            models.UniqueConstraint(
                fields=["level", "principal", "decides"],
                condition=Q(left_at__isnull=True, principal__isnull=False),
                name="seat_once_for",
            ),
            models.CheckConstraint(
                condition=Q(principal__isnull=True) | ~Q(principal=F("user")), name="seat_for_somebody_else"
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-level"], name="seat_mine"),
            models.Index(
                fields=["principal"], condition=Q(principal__isnull=False, left_at__isnull=True), name="seat_delegated"
            ),
        ]

    @property
    def named(self) -> int:
        """The id of the person whose answer it is: the principal, or who sits here in their own name."""
        return self.principal_id or self.user_id


class Decision(models.Model):
    """The one answer of a seat. `counted` is an earlier answer of the same person that counts again.

    A signed one keeps what it meant and the name as it was printed at the time.
    """

    seat = models.OneToOneField(Seat, on_delete=models.PROTECT, related_name="decision")
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="decisions")
    note = models.ForeignKey(Note, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()
    counted = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    meaning = models.CharField(max_length=500, blank=True)
    signed_as = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(meaning="", signed_as="") | ~Q(meaning="") & ~Q(signed_as=""), name="decision_signed_whole"
            )
        ]
