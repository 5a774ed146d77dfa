"""Every page speaks the reader's time zone."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apps.accounts.models import User
from apps.accounts.zones import zone_of

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


def _zone_of(request: HttpRequest) -> ZoneInfo | None:
    return zone_of(request.user) if isinstance(request.user, User) else None
