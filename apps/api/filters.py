"""Which requests a list shows, and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet

from apps.api.pagination import Order
from apps.api.query import choices_in, instant_in
from apps.requests.enums import Priority, RequestStatus
from apps.requests.models import Request

_EQUAL = {
    "item": "item__slug",
    "requester": "requester__username",
    "assignee": "assignee__username",
    "team": "team__key",
    "stage": "stage",
}
_CHOICES = {"status": RequestStatus, "priority": Priority}
_TIMES = {
    "created_after": "created_at__gte",
    "created_before": "created_at__lt",
    "updated_after": "updated_at__gte",
    "updated_before": "updated_at__lt",
}
ORDERS: Mapping[str, Order] = {
    f"{sign}{name}": Order(name=f"{sign}{name}", columns=columns, descending=bool(sign))
    for name, columns in {
        "number": ("stream_id",),
        "created_at": ("created_at", "stream_id"),
        "updated_at": ("updated_at", "stream_id"),
    }.items()
    for sign in ("-", "")
}
DEFAULT_ORDER = "-number"
_COMMA = "One or more, separated by commas: "

QUERY: Mapping[str, dict[str, Any]] = {
    "status": {"type": "string", "description": _COMMA + ", ".join(RequestStatus.values)},
    "priority": {"type": "string", "description": _COMMA + ", ".join(Priority.values)},
    "item": {"type": "string", "description": "The item's slug"},
    "requester": {"type": "string", "description": "A user name"},
    "assignee": {"type": "string", "description": "A user name"},
    "team": {"type": "string", "description": "The team's key"},
    "stage": {"type": "string", "description": "A stage of the workflow"},
    **{name: {"type": "string", "format": "date-time"} for name in _TIMES},
    "q": {"type": "string", "description": "In the title, or the number"},
    "ordering": {"type": "string", "enum": list(ORDERS), "default": DEFAULT_ORDER},
}


def filtered(rows: QuerySet[Request], query: Mapping[str, str]) -> QuerySet[Request]:
    """The rows that every given filter lets through. Raises InvalidInput naming the filter."""
    wanted = {column: query[name] for name, column in _EQUAL.items() if name in query}
    wanted_words = {
        f"{name}__in": choices_in(query, name, kind.values) for name, kind in _CHOICES.items() if name in query
    }
    wanted_times = {lookup: instant_in(query, name) for name, lookup in _TIMES.items() if name in query}
    rows = rows.filter(**wanted, **wanted_words, **wanted_times)
    if text := query.get("q"):
        rows = rows.filter(Q(title__icontains=text) | Q(number__icontains=text))
    return rows
