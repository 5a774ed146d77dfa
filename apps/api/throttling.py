"""Too many log-ins, as the API says it."""

from __future__ import annotations

from django.http import HttpRequest

from apps.accounts.throttle import wait_before_login
from apps.api.errors import TooManyAttempts


def count_login(request: HttpRequest, username: str) -> None:
    """Counts this attempt. Raises TooManyAttempts with the seconds to wait."""
    wait = wait_before_login(request, username)
    if wait:
        raise TooManyAttempts(wait=wait)
