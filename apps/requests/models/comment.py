from __future__ import annotations

from django.conf import settings
from django.db import models

from apps.outbox.models import Note
from apps.requests.models.request import Request


class Comment(models.Model):
    """What somebody, or an action of the workflow (no author), wrote. Internal ones are for those who work on it."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="comments")
    note = models.OneToOneField(Note, on_delete=models.PROTECT, related_name="comment")
    internal = models.BooleanField(default=False)
    at = models.DateTimeField()
