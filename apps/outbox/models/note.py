from __future__ import annotations

from django.db import models

from apps.outbox.models.stream import Stream


class Note(models.Model):
    """A text that an event points at (comment, reason). It can be erased; the event keeps a salted HMAC of it."""

    stream = models.ForeignKey(Stream, on_delete=models.PROTECT, related_name="notes")
    salt = models.BinaryField(max_length=16)
    text = models.TextField()

    def __str__(self) -> str:
        return f"note {self.pk}"
