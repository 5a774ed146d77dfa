from __future__ import annotations

from django.conf import settings
from django.db import models

from apps.accounts.models import Delegation
from apps.outbox.models import Event


class Notification(models.Model):
    """A person was told of an event, once. `kind` picks the sentence, which is rendered when it is read.

    It is about the request of the event's stream, or about a delegation.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="notifications")
    delegation = models.ForeignKey(Delegation, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=40)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "event"], name="notification_once")]
        indexes = [models.Index(fields=["user", "-id"], name="notification_list")]

    def __str__(self) -> str:
        return f"{self.kind} to user {self.user_id}"
