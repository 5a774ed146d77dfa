from __future__ import annotations

from django.db import models


class Stream(models.Model):
    """What events belong to: a request, a person, a workflow. Its row is the one lock of every write to it.

    Events up to the seq `quiet_until` have their place in the feed, but are told to nobody.
    """

    class Kind(models.TextChoices):
        REQUEST = "request", "a service request"
        PERSON = "person", "a person"
        WORKFLOW = "workflow", "a workflow"

    kind = models.CharField(max_length=16, choices=Kind.choices)
    last_seq = models.PositiveIntegerField(default=0)
    last_hash = models.BinaryField(max_length=32, default=b"")
    last_at = models.DateTimeField(null=True)
    quiet_until = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
