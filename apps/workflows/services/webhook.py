"""One webhook, once: signed after Standard Webhooks 1.0.0, its answer judged. Trying again is the caller's matter."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from apps.core.errors import DomainError
from apps.core.models import canonical_json
from apps.core.outgoing import Answer, Limits, OutgoingFailed, Refused, send

LIMITS = Limits(total_s=20.0, connect_s=5.0, read_s=15.0, most_bytes=64 * 1024)
MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")  # no full stop: it divides what is signed
PREFIX = b"whsec_"
TRY_AGAIN = frozenset({408, 425, 429})
LONGEST_WAIT_S = 3600


class DeliveryFailed(DomainError):
    """The webhook was not accepted."""

    code = "delivery_failed"


class Permanent(DeliveryFailed):
    """The webhook was not accepted, and trying again does not help."""

    code = "delivery_failed_for_good"


class Temporary(DeliveryFailed):
    """The webhook was not accepted now, but may be later; `retry_after_s`: not before, its receiver asks."""

    code = "delivery_failed_for_now"

    def __init__(self, detail: str, *, retry_after_s: int | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(detail)


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A webhook that was accepted (2xx), and what came back where that was JSON of at most 64 KiB, else None."""

    status: int
    data: Any


def deliver(*, url: str, body: Mapping[str, Any], secret: bytes | None, message_id: str, at: datetime) -> Receipt:
    """Sends the body as canonical JSON by POST and returns once the receiver has accepted it (2xx).

    `message_id` (letters, digits, `_`, `-`) is the same at every attempt, so that a receiver can drop repeats; `at` is
    this attempt's instant. With a `secret` (`whsec_` and base64, or the key itself) the call is signed. A failure may
    come after the receiver has acted: at least once, not exactly once.

    Raises Permanent for an address that may not be called, a body or secret that cannot be used and every 4xx but 408,
    425 and 429; Temporary for everything else, 3xx too (redirects are not followed). Their sentences hold neither
    secret nor body nor path. ValueError for a message id or an `at` that no caller may pass.
    """
    if not MESSAGE_ID.fullmatch(message_id) or at.tzinfo is None:
        raise ValueError("message_id takes letters, digits, _ and -; at has a time zone")
    payload = _payload(body)
    headers = {"Content-Type": "application/json", **_headers(payload, secret=secret, message_id=message_id, at=at)}
    try:
        answer = send("POST", url, headers=headers, body=payload, limits=LIMITS)
    except Refused as error:
        raise Permanent(error.detail) from error
    except OutgoingFailed as error:
        raise Temporary(error.detail) from error
    return _judged(answer)


def _payload(body: Mapping[str, Any]) -> bytes:
    try:
        json.dumps(body, allow_nan=False)
        return canonical_json(dict(body))
    except (TypeError, ValueError, RecursionError):
        raise Permanent("The body cannot be written as JSON.") from None


def _headers(payload: bytes, *, secret: bytes | None, message_id: str, at: datetime) -> dict[str, str]:
    instant = at.astimezone(UTC)
    headers = {"webhook-id": message_id, "webhook-timestamp": str(int(instant.timestamp()))}
    if secret is not None:
        headers["webhook-signature"] = _signature(payload, secret=secret, message_id=message_id, instant=instant)
    return headers


def _signature(payload: bytes, *, secret: bytes, message_id: str, instant: datetime) -> str:
    try:
        return Webhook(_key(secret)).sign(message_id, instant, payload.decode())
    except EmptyWebhookSecretError:
        raise Permanent("The secret cannot sign: it is empty.") from None


def _key(secret: bytes) -> bytes:
    """What signs: the bytes after `whsec_` are base64, any other secret is the key itself."""
    if not secret.startswith(PREFIX):
        return secret
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        raise Permanent("The secret cannot sign: after whsec_ it must go on in base64.") from None


def _judged(answer: Answer) -> Receipt:
    if 200 <= answer.status <= 299:
        return Receipt(status=answer.status, data=None if answer.cut else _json(answer.body))
    said = f"The receiver answered {answer.status}."
    if 400 <= answer.status <= 499 and answer.status not in TRY_AGAIN:
        raise Permanent(said)
    raise Temporary(said, retry_after_s=_retry_after(answer.headers.get("retry-after", "")))


def _retry_after(header: str) -> int | None:
    """The seconds of a Retry-After header, at most an hour; None without one, and for its form with a date."""
    return min(int(header), LONGEST_WAIT_S) if re.fullmatch(r"[0-9]{1,9}", header) else None


def _json(body: bytes) -> Any:
    """The value, or None for what is no JSON or what PostgreSQL could not store: NUL, lone surrogates, infinity."""
    try:
        value = json.loads(body)
        written = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return None if b"\\u0000" in written else value
