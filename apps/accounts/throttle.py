"""How often somebody may try to log in: per account and per address, whichever face they come to."""

from __future__ import annotations

import hashlib
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage

from apps.accounts.models import User

log = structlog.get_logger(__name__)
WAIT_SECONDS = 60


def client_address(request: HttpRequest) -> str:
    """The client's address: what the outermost of our TRUSTED_PROXIES saw, or the peer's where there is none."""
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    trusted: int = settings.TRUSTED_PROXIES
    if trusted and len(forwarded) >= trusted:
        return forwarded[-trusted]
    return str(request.META.get("REMOTE_ADDR", ""))


def wait_before_login(request: HttpRequest, username: str) -> int:
    """Counts this attempt on account and address; the seconds to wait if it is one too many, else 0.

    Fails closed: where the counters cannot be reached nobody logs in.
    """
    account = hashlib.sha256(username.strip().lower().encode("utf-8", "replace")).hexdigest()
    by_account = _wait(request, "login-account", account, settings.LOGIN_RATE_PER_ACCOUNT)
    by_address = _wait(request, "login-address", client_address(request), settings.LOGIN_RATE_PER_ADDRESS)
    return max(by_account, by_address)


def wait_before_password(request: HttpRequest, person: User) -> int:
    """The same for somebody who gives their password again, to sign: counted together with attempts to log in."""
    return wait_before_login(request, person.username)


def wait_before_link(request: HttpRequest) -> int:
    """Counts a visit to an e-mail's link on the address; the seconds to wait if it is one too many, else 0."""
    return _wait(request, "answer-link", client_address(request), settings.LINK_RATE_PER_ADDRESS)


def _wait(request: HttpRequest, group: str, value: str, rate: str) -> int:
    try:
        usage: dict[str, Any] | None = get_usage(
            request, group=group, key=lambda _group, _request: value, rate=rate, increment=True
        )
    except Exception as error:  # whatever the cache raises
        log.error("login_throttle_unavailable", exc_info=error)
        return WAIT_SECONDS
    if usage is None or not usage["should_limit"]:
        return 0
    return max(usage["time_left"], 1)
