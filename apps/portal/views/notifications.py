"""What the person was told."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.notifications.models import Notification
from apps.notifications.render import path_of, subject_of
from apps.notifications.selectors import notifications_of
from apps.notifications.services import mark_read
from apps.portal.pages import page, reader_of

PAGE_SIZE = 30


@page
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    found = Paginator(notifications_of(reader_of(request)), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "portal/notifications.html", {"page": found, "lines": [_line(one) for one in found]})


@page
@require_http_methods(["GET", "POST"])
def mark(request: HttpRequest) -> HttpResponse:
    """Marks the named notification, or all of them, as read."""
    if request.method == "POST":
        named = request.POST.get("id", "")
        with transaction.atomic():
            mark_read(reader_of(request), ids=[int(named)] if named.isdecimal() and len(named) < 19 else None)
    return redirect("portal:notifications")


def _line(notification: Notification) -> dict[str, Any]:
    return {"notification": notification, "path": path_of(notification), "subject": subject_of(notification)}
