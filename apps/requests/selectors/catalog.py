"""What a person may ask for."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.requests.models import CatalogItem


def items_for(user: User) -> QuerySet[CatalogItem]:
    """Active items without audience or with one of the person's roles or teams, in the catalogue's order."""
    return CatalogItem.objects.filter(Q(audience__isnull=True) | Q(audience__in=user.group_ids), active=True).distinct()
