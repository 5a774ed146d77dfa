from __future__ import annotations

from django.db import models

from apps.core.models import KeyedVersion


class ApprovalPolicyVersion(KeyedVersion):
    """An immutable approval policy that workflow documents name by `policy_ref`."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "n"], name="approval_policy_version")]
