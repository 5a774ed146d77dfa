from __future__ import annotations

from django.db import models

from apps.core.models import KeyedVersion


class SlaPolicyVersion(KeyedVersion):
    """An immutable SLA policy: targets with a duration per priority (`sla.clock.check_policy` says what fits)."""

    class Meta:
        verbose_name = "SLA policy version"
        constraints = [models.UniqueConstraint(fields=["key", "n"], name="sla_policy_version")]
