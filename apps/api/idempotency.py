"""One effect per key: a client may repeat any POST under the same `Idempotency-Key`, for 24 hours."""

from __future__ import annotations

import functools
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import User
from apps.api.models import IdempotencyKey
from apps.core import clock
from apps.core.crypto import audit_ring
from apps.core.errors import IdempotencyKeyReused, InvalidInput
from apps.core.models import canonical_json

HEADER = "Idempotency-Key"
KEY_LENGTH = 200
KEPT_FOR = timedelta(hours=24)
KEPT_HEADERS = ("ETag", "Location")

Handler = Callable[..., Response]


def one_effect(handler: Handler) -> Handler:
    """Wraps a view's write: one transaction, in which the key (if there is one) is inserted first.

    The same key with the same method, path and body gets the stored answer; with another body
    IdempotencyKeyReused. A refusal leaves by the transaction, so its key is free again and a repeat is judged anew.
    A second request under a key in flight waits on the unique constraint and then answers from the row.
    """

    @functools.wraps(handler)
    def wrapped(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        message = [request.method, request.path, request.data]
        return once(cast(User, request.user), key_of(request), message, lambda: handler(view, request, *args, **kwargs))

    return wrapped


def once(user: User, key: str | None, message: Any, act: Callable[[], Response]) -> Response:
    """What `one_effect` does, for any part of a call: `message` (JSON) is what must be the same under the key."""
    digest = _digest(message)
    with transaction.atomic():
        if key is None:
            return act()
        row = _claim(user, key, digest)
        if row.status is not None:
            return _stored(row, digest)
        answer = act()
        _keep(row, answer)
        return answer


def key_of(request: Request, *, spare: int = 0) -> str | None:
    """The key that the request names, None without one. Raises InvalidInput.

    `spare` characters are left for what a bulk call appends for each row.
    """
    key: str | None = request.headers.get(HEADER)
    if key is None:
        return None
    longest = KEY_LENGTH - spare
    if not 1 <= len(key) <= longest or not all(" " < character <= "~" for character in key):
        raise InvalidInput({HEADER: [f"A key has 1 to {longest} printable ASCII characters, no blanks."]})
    return key


def _digest(message: Any) -> str:
    """Keyed, so that the stored value says nothing about a body that somebody might guess."""
    return audit_ring().mac(b"idempotency:" + canonical_json(message)).hex()


def _claim(user: User, key: str, digest: str) -> IdempotencyKey:
    """The row of this key: ours if it has no status yet, an earlier request's otherwise. Expired ones are removed.

    A committed row always has its status, because only answers are stored; so one without is what was just inserted.
    """
    now = clock.now()
    IdempotencyKey.objects.filter(user=user, created_at__lt=now - KEPT_FOR).delete()
    row = IdempotencyKey(user=user, key=key, digest=digest, created_at=now)
    IdempotencyKey.objects.bulk_create([row], ignore_conflicts=True)
    return IdempotencyKey.objects.get(user=user, key=key)


def _stored(row: IdempotencyKey, digest: str) -> Response:
    if not hmac.compare_digest(row.digest, digest):
        raise IdempotencyKeyReused
    answer: Any = row.answer
    return Response(answer["body"], status=row.status, headers=answer["headers"])


def _keep(row: IdempotencyKey, answer: Response) -> None:
    headers = {name: answer[name] for name in KEPT_HEADERS if name in answer}
    row.status, row.answer = answer.status_code, {"body": json.loads(json.dumps(answer.data)), "headers": headers}
    row.save(update_fields=["status", "answer"])
