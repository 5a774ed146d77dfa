from __future__ import annotations

from django.db import models

from apps.requests.models.request import Request


class ImportedCase(models.Model):
    """What became of a case of a log: which request, how many of its lines were accepted, where they left it.

    `accepted_digest` is that of the accepted lines, `revision` the request's after the last of them.
    A case that was refused at a line ended there (`refused_at`, `reason`); any other goes on if the log grows.
    """

    request = models.OneToOneField(Request, primary_key=True, on_delete=models.PROTECT, related_name="imported_case")
    source = models.CharField(max_length=40)
    case = models.CharField(max_length=150)
    accepted = models.PositiveIntegerField(default=0)
    accepted_digest = models.CharField(max_length=64, blank=True)
    revision = models.PositiveIntegerField(default=0)
    status = models.CharField(max_length=16)
    step = models.CharField(max_length=400, blank=True)
    refused_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "case"], name="imported_case_once")]

    def __str__(self) -> str:
        return f"{self.source}: {self.case}"
