from __future__ import annotations

from django.db import models

from apps.core.models import KeyedVersion


class FormVersion(KeyedVersion):
    """An immutable form: `{"fields": [{"name", "type", "label", ...}]}` (`requests/forms/` says what fits)."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "n"], name="form_version")]
