from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.workflows.enums import CheckStatus
from apps.workflows.models.workflow import Workflow


class GateCheck(models.Model):
    """The long check of a drawn document: asked for, made by a worker, kept for the document's hash.

    Where it could not see every way a run can go, a second person may sign for it.
    """

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="checks")
    hash = models.CharField(max_length=64)
    document = models.JSONField()
    status = models.CharField(max_length=8, choices=CheckStatus.choices, default=CheckStatus.PENDING)
    markings = models.PositiveIntegerField(default=0)
    verified = models.BooleanField(default=False)
    problems = models.JSONField(default=list)
    asked_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    waived_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    waived_at = models.DateTimeField(null=True)
    waived_because = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "hash"], name="check_once_per_document"),
            models.CheckConstraint(
                condition=Q(waived_by__isnull=True, waived_at__isnull=True, waived_because="")
                | Q(waived_by__isnull=False, waived_at__isnull=False) & ~Q(waived_because=""),
                name="check_waiver_whole",
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=~Q(status="done"), name="check_to_do")]

    def __str__(self) -> str:
        return f"check of {self.workflow} {self.hash[:8]}"
