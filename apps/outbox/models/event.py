from __future__ import annotations

from django.db import models
from django.db.models import Q

from apps.outbox.models.stream import Stream


class Event(models.Model):
    """Something that happened. Never changed but for `position`, which goes from NULL to its number once.

    `data` holds ids, enum values, field names and numbers; texts live in `Note`. `actor` is a plain value
    (`user:7`, or `system` for what the product did by itself), `role` the capacity in which they acted.
    """

    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, related_name="events")
    seq = models.PositiveIntegerField()
    type = models.CharField(max_length=64)
    version = models.PositiveSmallIntegerField(default=1)
    actor = models.CharField(max_length=64)
    role = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()
    data = models.JSONField(default=dict)
    prev_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)
    key_id = models.CharField(max_length=32)
    position = models.BigIntegerField(null=True, unique=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stream", "seq"], name="event_stream_seq")]
        indexes = [models.Index(fields=["id"], condition=Q(position__isnull=True), name="event_unplaced")]

    def __str__(self) -> str:
        return f"{self.type} ({self.stream_id}/{self.seq})"


class FeedHead(models.Model):
    """One row: the last position given out, so that a position is never given twice, whatever is removed later."""

    position = models.BigIntegerField(default=0)
