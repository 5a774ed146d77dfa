"""What a person may ask for."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Max, Q, QuerySet

from apps.accounts.models import User
from apps.requests.facts import form_of
from apps.requests.forms.fields import MoneyField
from apps.requests.models import CatalogItem, FormVersion


def items_for(user: User) -> QuerySet[CatalogItem]:
    """Active items that have a workflow, for everybody or one of the person's roles or teams, in order."""
    for_them = Q(audience__isnull=True) | Q(audience__in=user.group_ids)
    return CatalogItem.objects.filter(for_them, active=True, rules__isnull=False).distinct()


def names_of_items(slugs: Iterable[str]) -> dict[str, str]:
    """The names of items by slug, active or not; one statement, none for no slugs."""
    wanted = set(slugs)
    rows = CatalogItem.objects.filter(slug__in=wanted).order_by("name").values_list("slug", "name") if wanted else []
    return dict(rows)


def limit_currencies() -> list[str]:
    """The currencies of the amounts that a deputy's limit is compared with, in the forms of active items."""
    active = CatalogItem.objects.filter(active=True).values("form_key")
    newest = FormVersion.objects.filter(key__in=active).values("key").annotate(newest=Max("id"))
    forms = [form_of(pk) for pk in newest.values_list("newest", flat=True)]
    fields = [field for form in forms for field in form.fields if field.name == form.amount_field]
    return sorted({one for field in fields if isinstance(field, MoneyField) for one in field.currencies})
