"""The figures behind the charts, as JSON and as CSV, for administrators, auditors and those who lead a team."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from apps.api.query import choices_in, instant_in, number_in, read_query
from apps.api.schema import CSV, FORMAT, tabulates
from apps.api.serializers.reports import (
    BottlenecksSerializer,
    ComplianceSerializer,
    DueSoonSerializer,
    ThroughputSerializer,
)
from apps.api.views.base import ApiView, Serializer, actor_of, shown
from apps.core.errors import InvalidInput
from apps.requests.enums import Priority
from apps.requests.reports import Filters, sheet_of
from apps.requests.selectors import reports
from apps.sla.policy_check import METRICS

Query = Mapping[str, dict[str, Any]]
COMMA = "One or more, separated by commas: "
COUNTED: Query = {
    "item": {"type": "string", "description": "The item's slug"},
    "team": {"type": "string", "description": "The team's key"},
    "priority": {"type": "string", "description": COMMA + ", ".join(Priority.values)},
}
METRIC: Query = {"metric": {"type": "string", "description": COMMA + ", ".join(METRICS)}}


def period(what: str) -> Query:
    """The parameters of a period, which bounds what is counted."""
    return {
        "since": {"type": "string", "format": "date-time", "description": f"Only what was {what} then or later"},
        "until": {"type": "string", "format": "date-time", "description": f"Only what was {what} before"},
    }


def groups(allowed: tuple[str, ...]) -> Query:
    return {"by": {"type": "string", "description": COMMA + ", ".join(allowed)}}


COMPLIANCE = {**COUNTED, **METRIC, **period("decided"), **groups(reports.BY)}
DUE = {
    **COUNTED,
    **METRIC,
    "hours": {"type": "integer", "minimum": 1, "maximum": reports.MOST_HOURS, "default": reports.HOURS},
}
THROUGHPUT = {
    **COUNTED,
    **period("submitted, or ended,"),
    **groups(reports.GROUPS),
    "per": {"type": "string", "enum": list(reports.PERIODS), "default": reports.PERIODS[0]},
}
BOTTLENECKS = {**COUNTED, **period("reached")}


class ComplianceView(ApiView):
    @tabulates("How many SLA clocks were met, and how long it took", ComplianceSerializer, query=COMPLIANCE)
    def get(self, http: HttpRequest) -> HttpResponse:
        query = _read(http, COMPLIANCE)
        found = reports.compliance(actor_of(http), _filters(http, query), by=_groups(query, reports.BY))
        return _answer(query, found, ComplianceSerializer, name="sla")


class DueSoonView(ApiView):
    @tabulates("The SLA clocks that breach soon, and those overdue that no sweep has seen yet; the first 200",
               DueSoonSerializer, query=DUE)  # fmt: skip
    def get(self, http: HttpRequest) -> HttpResponse:
        query = _read(http, DUE)
        found = reports.due_soon(actor_of(http), _filters(http, query), hours=_hours(query))
        return _answer(query, found, DueSoonSerializer, name="sla-due")


class ThroughputView(ApiView):
    @tabulates("How many requests came and went in each period", ThroughputSerializer, query=THROUGHPUT)
    def get(self, http: HttpRequest) -> HttpResponse:
        query = _read(http, THROUGHPUT)
        per, by = query.get("per", reports.PERIODS[0]), _groups(query, reports.GROUPS)
        found = reports.throughput(actor_of(http), _filters(http, query), per=per, by=by)
        return _answer(query, found, ThroughputSerializer, name="throughput")


class BottlenecksView(ApiView):
    @tabulates("Where requests wait: the time at steps and stages", BottlenecksSerializer, query=BOTTLENECKS)
    def get(self, http: HttpRequest) -> HttpResponse:
        query = _read(http, BOTTLENECKS)
        found = reports.bottlenecks(actor_of(http), _filters(http, query))
        return _answer(query, found, BottlenecksSerializer, name="bottlenecks")


def _read(http: HttpRequest, known: Query) -> Mapping[str, str]:
    query = read_query(http, {**known, **FORMAT}, paged=False)
    formats = FORMAT["format"]["enum"]
    if query.get("format", "json") not in formats:
        raise InvalidInput({"format": [f"This must be one of {', '.join(formats)}."]})
    return query


def _filters(http: HttpRequest, query: Mapping[str, str]) -> Filters:
    """Raises NotPermitted, and InvalidInput naming the parameter, also for what is not in the actor's reports."""
    filters = Filters(
        item=query.get("item", ""),
        team=query.get("team", ""),
        priorities=tuple(choices_in(query, "priority", Priority.values)) if "priority" in query else (),
        metrics=tuple(choices_in(query, "metric", METRICS)) if "metric" in query else (),
        since=instant_in(query, "since") if "since" in query else None,
        until=instant_in(query, "until") if "until" in query else None,
    )
    reports.check_choices(actor_of(http), filters)
    return filters


def _hours(query: Mapping[str, str]) -> int:
    return number_in(query, "hours", least=1, most=reports.MOST_HOURS) if "hours" in query else reports.HOURS


def _groups(query: Mapping[str, str], allowed: tuple[str, ...]) -> list[str]:
    return choices_in(query, "by", allowed) if "by" in query else []


def _answer(query: Mapping[str, str], report: Any, serializer: Serializer, *, name: str) -> HttpResponse:
    """The report as JSON, or as a file that a spreadsheet reads."""
    if query.get("format") != "csv":
        return Response(shown(serializer, report))
    named = f'attachment; filename="{name}-{report.at:%Y-%m-%d}.csv"'
    return HttpResponse(sheet_of(report), content_type=CSV, headers={"Content-Disposition": named})
