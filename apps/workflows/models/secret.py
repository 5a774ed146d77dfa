from __future__ import annotations

from django.db import models

from apps.core import clock


class Secret(models.Model):
    """A value that workflows name and nobody reads: the key that signs a webhook, say. Stored sealed, never shown."""

    name = models.SlugField(max_length=80, unique=True)
    sealed = models.TextField(editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    changed_at = models.DateTimeField(default=clock.now, editable=False)
    created_by = models.CharField(max_length=64, blank=True, editable=False)  # a plain value (`user:7`, `system`)

    def __str__(self) -> str:
        return self.name
