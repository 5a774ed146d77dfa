from __future__ import annotations

from django.db import models
from django.db.models import Q

from apps.outbox.models import Stream
from apps.workflows.models.run import WorkflowRun


class KeyClaim(models.Model):
    """A visit's place in the line for an `exclusive` key; with `granted_at` it holds the key, with `ended_at` no more.

    The line is the order of ids, over all runs. `check_at` is when the sweep looks at it.
    """

    key = models.CharField(max_length=200)
    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, related_name="key_claims")
    run = models.ForeignKey(WorkflowRun, on_delete=models.PROTECT, related_name="key_claims")
    visit = models.PositiveIntegerField()
    step = models.CharField(max_length=80)
    asked_at = models.DateTimeField()
    check_at = models.DateTimeField()
    granted_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["key", "id"], condition=Q(ended_at__isnull=True), name="key_line")]
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=Q(granted_at__isnull=False, ended_at__isnull=True), name="key_one_holder"
            ),
            models.UniqueConstraint(
                fields=["run", "visit"], condition=Q(ended_at__isnull=True), name="key_one_claim_per_visit"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} for {self.step}"
