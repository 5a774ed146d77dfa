from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.outbox.models.event import Event


class Delivery(models.Model):
    """One event on its way to one subscriber (`realtime`, `email:7`), in order per stream and subscriber.

    A worker takes it under a lease; `fence` rises with every claim, so a late worker cannot overwrite a newer one.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "waiting for its turn or its next attempt"
        DONE = "done", "delivered"
        DEAD = "dead", "given up after its attempts"

    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="deliveries")
    subscriber = models.CharField(max_length=64)
    stream_id = models.BigIntegerField()
    position = models.BigIntegerField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(db_default=Now())
    leased_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["event", "subscriber"], name="delivery_once")]
        indexes = [
            models.Index(fields=["next_at", "position"], condition=Q(status="pending"), name="delivery_due"),
            models.Index(
                fields=["stream_id", "subscriber", "position"], condition=Q(status="pending"), name="delivery_order"
            ),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk}"
