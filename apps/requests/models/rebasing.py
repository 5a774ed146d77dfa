from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.requests.enums import RebasingStatus
from apps.sla.models import SlaPolicyVersion


class Rebasing(models.Model):
    """Requests carried over to a new version of an SLA policy or a calendar: looked at, confirmed, done by a worker.

    `target` is what has a new version (`policy:standard`, `calendar:office`), `replaces` says which calendar version
    takes the place of which. `total`, `seen` and `cursor` are the progress of the look, then of the change; `claim`
    rises with each worker that takes it, so a late one changes nothing more.
    """

    target = models.CharField(max_length=100)
    policy = models.ForeignKey(SlaPolicyVersion, null=True, on_delete=models.PROTECT, related_name="+")
    replaces = models.JSONField(default=dict)
    retroactive = models.BooleanField(default=False)
    status = models.CharField(max_length=10, choices=RebasingStatus.choices, default=RebasingStatus.LOOKING)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    total = models.PositiveIntegerField(default=0)
    seen = models.PositiveIntegerField(default=0)
    cursor = models.BigIntegerField(default=0)
    claim = models.PositiveIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True)
    clocks = models.PositiveIntegerField(default=0)
    moved = models.PositiveIntegerField(default=0)
    begun = models.PositiveIntegerField(default=0)
    breached = models.PositiveIntegerField(default=0)
    no_longer_breached = models.PositiveIntegerField(default=0)
    timers = models.PositiveIntegerField(default=0)
    shown = models.JSONField(default=list)  # the first clocks that move or begin
    unmeasured = models.PositiveIntegerField(default=0)
    reasons = models.JSONField(default=list)  # the first requests that cannot be measured, and why
    changed = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = "requests carried over"
        verbose_name_plural = "requests carried over"
        constraints = [
            models.UniqueConstraint(
                fields=["target"],
                condition=Q(status__in=[RebasingStatus.LOOKING, RebasingStatus.CHANGING]),
                name="rebasing_one_at_a_time",
            )
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(status__in=[RebasingStatus.LOOKING, RebasingStatus.CHANGING]),
                name="rebasing_to_do",
            )
        ]

    def __str__(self) -> str:
        return f"{self.target.replace(':', ' ')} ({self.get_status_display()})"
