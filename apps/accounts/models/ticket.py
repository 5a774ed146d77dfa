from __future__ import annotations

from django.conf import settings
from django.db import models


class Ticket(models.Model):
    """A one-time pass to the socket for clients without a session cookie. Only its digest is stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tickets")
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
