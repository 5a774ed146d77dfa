"""Too many log-ins and passwords, as the API says it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from django.http import HttpRequest
from rest_framework.request import Request

from apps.accounts.models import User
from apps.accounts.throttle import wait_before_login, wait_before_password
from apps.api.errors import TooManyAttempts


def count_login(request: HttpRequest, username: str) -> None:
    """Counts this attempt. Raises TooManyAttempts with the seconds to wait."""
    wait = wait_before_login(request, username)
    if wait:
        raise TooManyAttempts(wait=wait)


def count_passwords(request: Request, given: Iterable[object]) -> None:
    """Counts each different password that is given to sign, before any is tried. Raises TooManyAttempts as above.

    What is empty or no text is none, and counts for nothing.
    """
    for _ in {password for password in given if isinstance(password, str) and password}:
        wait = wait_before_password(request._request, cast(User, request.user))
        if wait:
            raise TooManyAttempts(wait=wait)
