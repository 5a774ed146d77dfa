"""Which requests a report counts, and in which time zone."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.zones import zone_of
from apps.core.errors import InvalidInput
from apps.requests import policies
from apps.requests.reports import Filters


def requests_for(reader: User, filters: Filters, *, at: str = "", priority: str = "") -> Q:
    """The requests that the reader's reports count and the filters let through, whatever their period.

    `at` leads from the counted row to its request; `priority` is the row's own, if it has one. Raises NotPermitted;
    InvalidInput for a period that is over before it begins.
    """
    teams = policies.reported_teams(reader)
    if filters.since and filters.until and filters.until <= filters.since:
        raise InvalidInput({"until": ["This must be later than since."]})
    asked: dict[str, Any] = {} if teams is None else {f"{at}team_id__in": sorted(teams)}
    if filters.item:
        asked[f"{at}item__slug"] = filters.item
    if filters.team:
        asked[f"{at}team__key"] = filters.team
    if filters.priorities:
        asked[f"{priority or f'{at}priority'}__in"] = filters.priorities
    return Q(**asked)


def within(filters: Filters, instant: str) -> Q:
    """The rows whose instant is in the period."""
    asked = {f"{instant}__gte": filters.since, f"{instant}__lt": filters.until}
    return Q(**{lookup: bound for lookup, bound in asked.items() if bound is not None})


def reading_zone(reader: User) -> tzinfo:
    """The zone in which a day or a month of the reader begins."""
    return zone_of(reader) or timezone.get_default_timezone()
