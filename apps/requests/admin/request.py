"""Requests and who may see them, read-only. What moves a request is a service; people use the portal."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.forms.widgets import Script
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from unfold.decorators import display

from apps.approvals.models import Approval
from apps.core import clock
from apps.core.admin import ReadOnlyAdmin
from apps.core.admin_parts import ACTIVE, BAD, GOOD, NOTHING, WAITING, as_code, badge, link_to, link_to_list, table
from apps.outbox.admin import OfStreamAdmin
from apps.outbox.models import Delivery, Event, Incident, Note
from apps.requests.facts import current_form, form_of
from apps.requests.models import Request, RequestParticipant
from apps.requests.selectors import visible_requests
from apps.requests.selectors.incidents import place_of
from apps.requests.selectors.progress import with_next_due
from apps.sla import due_times
from apps.sla.models import SlaClock
from apps.workflows.models import Task, Timer, WorkflowRun

COLOURS = {"submitted": WAITING, "in_progress": ACTIVE, "on_hold": WAITING, "completed": GOOD, "rejected": BAD}
BELONGING = (
    ("events", Event),
    ("runs", WorkflowRun),
    ("tasks", Task),
    ("approvals", Approval),
    ("SLA clocks", SlaClock),
    ("timers", Timer),
    ("incidents", Incident),
    ("notes", Note),
)


@admin.register(Request)
class RequestAdmin(ReadOnlyAdmin):
    """The same door as everywhere: staff see the requests they take part in, administrators and auditors all."""

    list_display = (
        "number",
        "title",
        "item",
        "status_badge",
        "time_left",
        "priority",
        "requester",
        "assignee",
        "team",
        "created_at",
    )
    list_filter = ("status", "priority", "item", "team", "created_at")
    search_fields = ("=number", "title", "requester__username")
    search_help_text = "A number, a word of the title, or a requester's user name"
    readonly = ("requester", "requested_for", "assignee", "team")
    fieldsets = (
        (None, {"fields": ("number", "title", "item", "status", "outcome", "stage", "belonging")}),
        ("Values", {"fields": ("impact", "urgency", "priority", "tags", "values")}),
        ("People", {"fields": readonly}),
        ("Times", {"fields": ("created_at", "submitted_at", "updated_at", "ended_at", "archive_at", "archived_at")}),
        ("How it runs", {"fields": ("run", "selection_text", "pins_text", "revision", "origin", "external_id")}),
    )
    status_badge = badge("status", COLOURS)

    class Media:
        js = (Script("portal/js/time_left.js", type="module"),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Request]:
        return with_next_due(visible_requests(request.user))  # type: ignore[arg-type]  # the admin lets only people in

    @display(description="time left", ordering=F("next_due").asc(nulls_last=True), empty_value="–")
    def time_left(self, request: Any) -> str | None:
        """Of the clock that is due first; it runs down while the page is open."""
        if not request.is_timed:
            return None
        left, now = due_times.left(request.next_due), clock.now().isoformat()
        return format_html('<span data-now="{}" data-now-url="{}">{}</span>', now, reverse("portal:now"), left)

    @display(description="what belongs to it")
    def belonging(self, request: Request) -> str:
        links = [(link_to(request.stream, "stream"),)]
        links += [(link_to_list(model, name, stream__id__exact=request.pk),) for name, model in BELONGING]
        links.append((link_to_list(RequestParticipant, "participants", request__stream__exact=request.pk),))
        links.append((link_to_list(Delivery, "deliveries", stream_id=request.pk),))
        return format_html_join(" · ", "{}", links)

    @display(description="form")
    def values(self, request: Request) -> str:
        version = request.pins.get("form") or getattr(current_form(request.item), "pk", None)
        rows = form_of(version).rows(request.data) if version else []
        return table(("Field", "Value"), rows, empty="Nothing was filled in.")

    @display(description="why this workflow")
    def selection_text(self, request: Request) -> str:
        return as_code(request.selection)

    @display(description="pinned versions")
    def pins_text(self, request: Request) -> str:
        return as_code(request.pins)


@admin.register(RequestParticipant)
class RequestParticipantAdmin(ReadOnlyAdmin):
    list_display = ("principal", "relation", "request_link")
    list_filter = ("relation",)
    list_select_related = ("request",)
    search_fields = ("=principal", "=request__number")
    search_help_text = "A principal such as user:7 or group:3, or a request's number"
    fields = ("request_link", "principal", "relation")

    @display(description="request", ordering="request_id")
    def request_link(self, participant: RequestParticipant) -> str:
        return link_to(participant.request)


@admin.register(Incident)
class IncidentAdmin(OfStreamAdmin):
    """What needs an operator, open ones first. It is dealt with on the request's own page."""

    list_display = ("kind", "owner", "step", "detail", "status_badge", "opened_at", "resolved_at", "page")
    list_filter = ("status", "kind", "opened_at")
    search_fields = ("detail", "key", "=stream__request__number")
    search_help_text = "Words of the detail, a step's id, or a request's number"
    ordering = ("status", "-id")
    fields = ("kind", "key", "owner", "page", "step", "stream_link", "detail", "status", "opened_at", "resolved_at")
    status_badge = badge("status", {"open": BAD, "resolved": GOOD})

    @display(description="step")
    def step(self, incident: Incident) -> str:
        return place_of(incident).step or NOTHING

    @display(description="where it is dealt with")
    def page(self, incident: Incident) -> str:
        request = getattr(incident.stream, "request", None)
        if request is None:
            return NOTHING
        address = reverse("portal:request", args=[request.number])
        return format_html('<a class="text-link" href="{}">{}</a>', address, request.number)
