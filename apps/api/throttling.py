"""How often somebody may try to log in: per account and per address. Counts are shared with the log-in page."""

from __future__ import annotations

import hashlib
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage

from apps.api.errors import TooManyAttempts

log = structlog.get_logger(__name__)
WAIT_SECONDS = 60


def count_login(request: HttpRequest, username: str) -> None:
    """Counts this attempt on account and address. Raises TooManyAttempts with the seconds to wait for either.

    Fails closed: where the counters cannot be reached nobody logs in.
    """
    account = hashlib.sha256(username.strip().lower().encode()).hexdigest()
    waits = [
        _wait(request, "login-account", account, settings.LOGIN_RATE_PER_ACCOUNT),
        _wait(request, "login-address", client_address(request), settings.LOGIN_RATE_PER_ADDRESS),
    ]
    if any(waits):
        raise TooManyAttempts(wait=max(waits))


def client_address(request: HttpRequest) -> str:
    """The client's address: what the outermost of our TRUSTED_PROXIES saw, or the peer's where there is none."""
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    trusted: int = settings.TRUSTED_PROXIES
    if trusted and len(forwarded) >= trusted:
        return forwarded[-trusted]
    return str(request.META.get("REMOTE_ADDR", ""))


def _wait(request: HttpRequest, group: str, value: str, rate: str) -> int:
    """Seconds until the next attempt is taken; 0 if this one is."""
    try:
        usage: dict[str, Any] | None = get_usage(
            request, group=group, key=lambda _group, _request: value, rate=rate, increment=True
        )
    except Exception as error:
        log.error("login_throttle_unavailable", exc_info=error)
        return WAIT_SECONDS
    if usage is None or not usage["should_limit"]:
        return 0
    return usage["time_left"] if usage["time_left"] > 0 else WAIT_SECONDS
