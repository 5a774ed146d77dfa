"""Another priority for a request: what it would change, shown while somebody chooses, and the change."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.errors import Conflict, InvalidInput
from apps.portal.once import once
from apps.portal.pages import page, reader_of
from apps.portal.priority_form import preview_lines
from apps.portal.views.moves import move
from apps.requests.enums import Level
from apps.requests.selectors import get_request_for
from apps.requests.selectors.progress import workflow_of
from apps.requests.services.priority import preview, set_priority


@page
def change(request: HttpRequest, number: str) -> HttpResponse:
    """Gives the request another priority, at most once for each showing of the form."""
    found, reader = get_request_for(reader_of(request), number), reader_of(request)
    sent = {name: request.POST.get(name, "") for name in ("impact", "urgency", "reason")}

    def work() -> str:
        return str(set_priority(found, **sent, actor=reader).priority)

    given = request.POST.get("form_token", "")
    token = f"{given}:{number}:priority" if given else ""
    done = f"Impact and urgency of {number} are changed."
    return move(request, number, lambda: once(request, token, work), form="priority", done=done)


@page
@require_safe
def show_preview(request: HttpRequest, number: str) -> HttpResponse:
    """The priority that impact and urgency give, and what becomes of the clocks; for the page to show meanwhile."""
    found, reader = get_request_for(reader_of(request), number), reader_of(request)
    impact, urgency = (request.GET.get(name, "") for name in ("impact", "urgency"))
    shown: dict[str, Any] = {"chosen": (impact, urgency) != (found.impact, found.urgency)}
    try:
        shown["preview"] = preview_lines(
            preview(found, impact=impact, urgency=urgency, actor=reader), workflow_of(found)
        )
    except InvalidInput:
        shown["problem"] = f"Impact and urgency are each one of {', '.join(Level.values)}."
    except Conflict as refusal:
        shown["problem"] = refusal.detail
    return render(request, "portal/request/priority_preview.html", shown)
