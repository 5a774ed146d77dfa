from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from apps.outbox.models import Stream
from apps.workflows.enums import CallStatus
from apps.workflows.models.run import WorkflowRun


class ActionCall(models.Model):
    """An action that reaches beyond its request: carried out after the commit, its answer comes back as a trigger.

    `settings` are the step's `with`, its expressions already values; secrets stand there by name only.
    """

    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, related_name="action_calls")
    run = models.ForeignKey(WorkflowRun, on_delete=models.PROTECT, related_name="action_calls")
    visit = models.PositiveIntegerField()
    instance = models.PositiveIntegerField(null=True)
    step = models.CharField(max_length=80)
    action = models.CharField(max_length=20)
    settings = models.JSONField()
    status = models.CharField(max_length=10, choices=CallStatus.choices, default=CallStatus.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True)
    opened_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "run",
                "visit",
                Coalesce("instance", -1),
                condition=Q(status="pending"),
                name="call_one_pending",
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} of {self.step}"
