from __future__ import annotations

from django.db import models
from django.db.models import Q

from apps.outbox.models.stream import Stream


class Incident(models.Model):
    """Something needs an operator. Open at most once per stream, kind and key."""

    class Status(models.TextChoices):
        OPEN = "open", "waits for an operator"
        RESOLVED = "resolved", "dealt with"

    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, related_name="incidents")
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=120)
    detail = models.CharField(max_length=500)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.OPEN)
    opened_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stream", "kind", "key"], condition=Q(status="open"), name="incident_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"
