"""The first page: what waits for me, what I wait for, what I can ask for."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core import clock
from apps.outbox.selectors import feed_position
from apps.portal.pages import page, reader_of
from apps.portal.views.catalog import by_category
from apps.portal.views.inbox import waiting_for_reader
from apps.portal.views.requests import mine, with_clocks
from apps.requests.enums import OPEN_STATES, RequestStatus
from apps.requests.selectors import items_for, visible_requests

MOST_WAITING = 5
MOST_OWN = 8


@page
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    reader = reader_of(request)
    after = feed_position()
    own = visible_requests(reader).filter(mine(reader), status__in=[RequestStatus.DRAFT, *OPEN_STATES])
    shown = {
        "after": after,
        "own": with_clocks(list(own[:MOST_OWN]), reader),
        "categories": by_category(items_for(reader)),
    }
    return render(request, "portal/home.html", shown | waiting_for_reader(reader, most=MOST_WAITING))


@page
@require_safe
def now(request: HttpRequest) -> HttpResponse:
    """What time it is here: open pages ask when their own clock has jumped."""
    return HttpResponse(clock.now().isoformat(), content_type="text/plain; charset=utf-8")
