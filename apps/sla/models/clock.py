from __future__ import annotations

from django.db import models
from django.db.models import Q
from django_fsm import RETURN_VALUE, FSMField, transition

from apps.calendars.models import CalendarVersion
from apps.outbox.models import Stream
from apps.sla.enums import ClockStatus
from apps.sla.models.policy import SlaPolicyVersion

LIVE = [ClockStatus.RUNNING, ClockStatus.PAUSED]


class SlaClock(models.Model):
    """The stored reading of one target: a cache of the replay in `sla/clock`, and what the sweep looks at.

    `calendar` and `priority` are those it counts by now, `allowed` and `elapsed` are seconds as it counts them.
    `team` is the key of the team whose own target (OLA) it keeps, which only those who work on the request read of; it
    is empty where it is the service's. `reached` is whether it stopped because what it measures came to pass, in time
    or late.
    """

    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, related_name="clocks")
    policy = models.ForeignKey(SlaPolicyVersion, on_delete=models.PROTECT, related_name="clocks")
    calendar = models.ForeignKey(CalendarVersion, null=True, on_delete=models.PROTECT, related_name="clocks")
    target = models.CharField(max_length=80)
    metric = models.CharField(max_length=20)
    team = models.CharField(max_length=80, blank=True, default="")
    priority = models.CharField(max_length=10)
    status = FSMField(default=ClockStatus.RUNNING, choices=ClockStatus.choices, protected=True)
    started_at = models.DateTimeField()
    allowed = models.FloatField(default=0)
    elapsed = models.FloatField(default=0)
    running_since = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    next_check_at = models.DateTimeField(null=True)
    paused_by = models.JSONField(default=list)
    warned = models.JSONField(default=list)
    escalated = models.JSONField(default=list)
    open_items = models.PositiveIntegerField(default=1)
    breached_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)
    reached = models.BooleanField(default=False)

    class Meta:
        verbose_name = "SLA clock"
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "target"], condition=Q(status__in=LIVE), name="clock_one_live_per_target"
            )
        ]
        indexes = [
            models.Index(fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="clock_due"),
            models.Index(fields=["stream"], name="clock_stream"),
        ]

    def __str__(self) -> str:
        return f"{self.target} ({self.priority})"

    @transition(field=status, source=ClockStatus.RUNNING, target=ClockStatus.PAUSED)
    def pause(self) -> None:
        """Time stands still."""

    @transition(field=status, source=ClockStatus.PAUSED, target=ClockStatus.RUNNING)
    def resume(self) -> None:
        """Time runs again."""

    @transition(field=status, source=LIVE, target=ClockStatus.MET)
    def meet(self) -> None:
        """The target was reached in time."""

    @transition(field=status, source=LIVE, target=ClockStatus.BREACHED)
    def breach(self) -> None:
        """The target was missed; final."""

    @transition(field=status, source=LIVE, target=ClockStatus.VOID)
    def void(self) -> None:
        """No longer measured."""

    @transition(field=status, source="*", target=RETURN_VALUE(*ClockStatus.values))
    def measure_anew(self, status: str) -> str:
        """By other rules from the beginning: what it is now, a breach too may be none any more."""
        return status
