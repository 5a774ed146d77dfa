"""Every page speaks the reader's time zone."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

OWN_PREFIXES = ("/admin/", "/api/", "/healthz", "/readyz", "/metrics")


class ReaderTimeZone:
    """Activates the logged-in person's zone for the portal's pages; the other faces keep theirs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(OWN_PREFIXES) or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return self.get_response(request)
        with timezone.override(_zone_of(request)):
            return self.get_response(request)


def _zone_of(request: HttpRequest) -> zoneinfo.ZoneInfo | None:
    name = getattr(request.user, "time_zone", "")
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None
