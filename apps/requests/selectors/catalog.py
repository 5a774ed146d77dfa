"""What a person may ask for."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.requests.models import CatalogItem


def items_for(user: User) -> QuerySet[CatalogItem]:
    """Active items that have a workflow, for everybody or one of the person's roles or teams, in order."""
    for_them = Q(audience__isnull=True) | Q(audience__in=user.group_ids)
    return CatalogItem.objects.filter(for_them, active=True, rules__isnull=False).distinct()
