"""The list of requests, and the page of one."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.accounts.models import User
from apps.core.text import text_problem
from apps.outbox.selectors import feed_position
from apps.portal.clock_bars import bars_of
from apps.portal.once import new_token
from apps.portal.pages import page, reader_of
from apps.portal.request_page import Attempt, page_of
from apps.requests.enums import ENDED_STATES, OPEN_STATES, RequestStatus
from apps.requests.models import Request
from apps.requests.selectors import get_request_for, visible_requests
from apps.requests.selectors.clocks import explained_clocks
from apps.requests.selectors.progress import next_clocks, workflow_of

PAGE_SIZE = 25
LONGEST_SEARCH = 200
STATES: dict[str, tuple[str, ...]] = {
    "open": tuple(OPEN_STATES),
    "draft": (RequestStatus.DRAFT,),
    "on_hold": (RequestStatus.ON_HOLD,),
    "ended": tuple(ENDED_STATES),
    "archived": (RequestStatus.ARCHIVED,),
}
STATE_LABELS = (
    ("", "Any status"),
    ("open", "Open"),
    ("draft", "Drafts"),
    ("on_hold", "On hold"),
    ("ended", "Ended"),
    ("archived", "Archived"),
)


@page
@require_safe
def show_all(request: HttpRequest) -> HttpResponse:
    """The reader's own requests, or everything they may see; newest first, by status and text."""
    after, asked = feed_position(), request.GET
    reader = reader_of(request)
    found = _found(reader, asked)
    before = asked.get("before", "")
    rows = list((found.filter(pk__lt=int(before)) if _is_id(before) else found)[: PAGE_SIZE + 1])
    shown = {
        "after": after,
        "rows": with_clocks(rows[:PAGE_SIZE], reader),
        "older": _link(asked, before=rows[PAGE_SIZE - 1].pk) if len(rows) > PAGE_SIZE else "",
        "q": asked.get("q", "")[:LONGEST_SEARCH],
        "scope": _scope(asked),
        "status": asked.get("status", ""),
        "states": STATE_LABELS,
        "first_page": not _is_id(before),
    }
    only_results = request.headers.get("HX-Target") == "request-results"
    return render(request, "portal/parts/request_results.html" if only_results else "portal/requests.html", shown)


def with_clocks(requests: list[Request], reader: User) -> list[dict[str, Any]]:
    """Each request with the clock that is due first of those the reader sees; one statement."""
    clocks = next_clocks((one.pk for one in requests), reader=reader)
    return [{"request": one, "clock": clocks.get(one.pk)} for one in requests]


def mine(user: User) -> Q:
    """The requests that somebody made, or that are for them."""
    return Q(requester=user) | Q(requested_for=user)


def _found(reader: User, asked: QueryDict) -> QuerySet[Request]:
    found = visible_requests(reader)
    if _scope(asked) == "mine":
        found = found.filter(mine(reader))
    if states := STATES.get(asked.get("status", "")):
        found = found.filter(status__in=states)
    text = asked.get("q", "").strip()
    if text and text_problem(text, max_length=LONGEST_SEARCH) is None:
        found = found.filter(Q(number__iexact=text) | Q(title__icontains=text) | Q(item__name__icontains=text))
    return found


def _scope(asked: QueryDict) -> str:
    return "all" if asked.get("scope") == "all" else "mine"


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _link(asked: QueryDict, *, before: int) -> str:
    query = asked.copy()
    query["before"] = str(before)
    return f"?{query.urlencode()}"


@page
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """A number leads straight to its request; any other text to the list."""
    text = request.GET.get("q", "").strip()[:LONGEST_SEARCH]
    if text_problem(text, max_length=LONGEST_SEARCH) is None:
        known = visible_requests(reader_of(request)).filter(number__iexact=text).first()
        if known:
            return redirect("portal:request", number=known.number)
    query = QueryDict(mutable=True)
    query.update({"scope": "all", "q": text})
    return HttpResponseRedirect(f"{reverse('portal:requests')}?{query.urlencode()}")


@page
@require_safe
def show(request: HttpRequest, number: str) -> HttpResponse:
    """A request with everything the reader may know of it and do to it."""
    return request_page(request, number)


@page
@require_safe
def fragment(request: HttpRequest, number: str) -> HttpResponse:
    """The parts of the page that follow what happens; the open page fetches them again."""
    return request_page(request, number, template="portal/request_fragment.html")


def request_page(
    request: HttpRequest,
    number: str,
    *,
    attempt: Attempt | None = None,
    alert: str = "",
    status: int = 200,
    template: str = "portal/request.html",
) -> HttpResponse:
    """The page as it is now; after a refused move with what was entered and why it was refused."""
    reader = reader_of(request)
    attempt = attempt or Attempt()
    shown = page_of(get_request_for(reader, number), reader=reader, attempt=attempt)
    context = {"page": shown, "attempt": attempt, "alert": alert}
    return render(request, template, context | {"form_token": new_token()}, status=status)


@page
@require_safe
def clocks(request: HttpRequest, number: str) -> HttpResponse:
    """Why a request is due when it is: its clocks as bars, with every stretch and its reason."""
    reader = reader_of(request)
    found = get_request_for(reader, number)
    sla = found.selection.get("sla") or {}
    bars = bars_of(found, explained_clocks(found, reader=reader), workflow_of(found))
    shown = {"request_shown": found, "bars": bars, "reason": sla.get("rule", "")}
    return render(request, "portal/clocks.html", shown)
