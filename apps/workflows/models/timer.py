from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from apps.outbox.models import Stream
from apps.workflows.enums import TimerKind
from apps.workflows.models.run import WorkflowRun


class Timer(models.Model):
    """Something that falls due: fired once by the sweep, or closed when its visit ends.

    `check_at` is when the sweep looks at it: `due_at`, or later after a failed attempt.
    """

    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, related_name="timers")
    run = models.ForeignKey(WorkflowRun, on_delete=models.PROTECT, related_name="timers")
    visit = models.PositiveIntegerField()
    instance = models.PositiveIntegerField(null=True)
    deadline = models.CharField(max_length=80, blank=True)
    kind = models.CharField(max_length=20, choices=TimerKind.choices)
    due_at = models.DateTimeField()
    check_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    fired = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["check_at"], condition=Q(closed_at__isnull=True), name="timer_due")]
        constraints = [
            models.UniqueConstraint(
                "run",
                "visit",
                "kind",
                "deadline",
                Coalesce("instance", -1),
                condition=Q(closed_at__isnull=True),
                name="timer_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} due {self.due_at:%Y-%m-%d %H:%M}"
