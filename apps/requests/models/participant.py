from __future__ import annotations

from django.db import models

from apps.requests.enums import Relation
from apps.requests.models.request import Request


class RequestParticipant(models.Model):
    """Who may see a request and why: the one table of visibility, an index range per principal."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="participants")
    principal = models.CharField(max_length=32)
    relation = models.CharField(max_length=16, choices=Relation.choices)
    sort_key = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "principal", "relation"], name="participant_once")]
        indexes = [models.Index(fields=["principal", "-sort_key"], name="participant_list")]

    def __str__(self) -> str:
        return f"{self.principal} ({self.relation})"
