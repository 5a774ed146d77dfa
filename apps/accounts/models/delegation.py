from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from apps.accounts.enums import DelegationState


class Delegation(models.Model):
    """From `starts_at` until `ends_at` (not included) the deputy answers approvals for the principal.

    `items` are slugs of catalogue items (none: all of them), `up_to` with `currency` the largest amount. It never
    changes but for `ended_at`, when it was taken back before its time.
    """

    principal = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="delegations")
    deputy = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="deputyships")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    items = models.JSONField(default=list, blank=True)
    up_to = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(principal=F("deputy")), name="delegation_to_somebody_else"),
            models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="delegation_lasts"),
            models.CheckConstraint(
                condition=Q(up_to__isnull=True, currency="") | Q(up_to__gt=0) & ~Q(currency=""),
                name="delegation_amount_has_currency",
            ),
        ]
        indexes = [
            models.Index(fields=["principal", "ends_at"], name="delegation_of"),
            models.Index(fields=["ends_at"], condition=Q(ended_at__isnull=True), name="delegation_live"),
        ]

    def __str__(self) -> str:
        return f"{self.deputy} for {self.principal}"

    def state(self, at: datetime) -> DelegationState:
        """Where it stands at that moment, by its times alone: of a deputy who has left nothing is asked."""
        if self.ended_at is not None:
            return DelegationState.ENDED
        if at < self.starts_at:
            return DelegationState.COMING
        return DelegationState.CURRENT if at < self.ends_at else DelegationState.OVER
