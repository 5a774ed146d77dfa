from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from apps.core import clock
from apps.outbox.models import Stream
from apps.workflows.enums import VersionStatus


class Workflow(models.Model):
    """A process staff design. What runs is one of its published versions."""

    key = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=200)
    stream = models.OneToOneField(Stream, editable=False, on_delete=models.PROTECT, related_name="workflow")

    def __str__(self) -> str:
        return self.name


class WorkflowVersion(models.Model):
    """A document of format 1. A draft has no number; publishing gives it one and freezes it."""

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="versions")
    n = models.PositiveIntegerField(null=True)
    document = models.JSONField()
    hash = models.CharField(max_length=64)
    status = FSMField(default=VersionStatus.DRAFT, choices=VersionStatus.choices, protected=True)
    created_at = models.DateTimeField(default=clock.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    published_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "n"], name="workflow_version"),
            models.UniqueConstraint(fields=["workflow"], condition=Q(status="draft"), name="workflow_one_draft"),
            models.CheckConstraint(condition=Q(status="draft") | Q(n__isnull=False), name="workflow_version_numbered"),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} {'draft' if self.n is None else f'v{self.n}'}"

    @transition(field=status, source=VersionStatus.DRAFT, target=VersionStatus.PUBLISHED)
    def publish(self, *, n: int, at: datetime) -> None:
        self.n = n
        self.published_at = at

    @transition(field=status, source=VersionStatus.PUBLISHED, target=VersionStatus.RETIRED)
    def retire(self) -> None:
        """No new request starts on it; running ones stay."""
