"""`ETag` and `If-Match`: on a request's revision, on a workflow's draft."""

from __future__ import annotations

import re

from rest_framework.request import Request as HttpRequest

from apps.core.errors import InvalidInput, PreconditionFailed
from apps.requests.models import Request
from apps.requests.services.writing import lock_request

HEADER = "If-Match"
ANY = "*"
_TAG = r'(?:W/)?"[\x21\x23-\x7e]*"'
_TAGS = re.compile(rf"\s*{_TAG}\s*(?:,\s*{_TAG}\s*)*")


def tags_named(http: HttpRequest) -> list[str] | None:
    """The entity tags that `If-Match` names, `["*"]` for any; None without the header. Raises InvalidInput.

    Weak tags are among them and match nothing: ours are strong (RFC 9110, strong comparison).
    """
    header = http.headers.get(HEADER)
    if header is None or header.strip() == ANY:
        return None if header is None else [ANY]
    if not _TAGS.fullmatch(header):
        raise InvalidInput({HEADER: ['This must be an entity tag such as "7", in its quotation marks.']})
    return [tag.strip() for tag in header.split(",")]


def etag_of(request: Request) -> str:
    """The strong entity tag of a request's revision."""
    return f'"{request.revision}"'


def check_revision(http: HttpRequest, request: Request) -> None:
    """Raises PreconditionFailed if `If-Match` names none of the present revision, read under the lock of the write.

    Without the header nothing is read.
    """
    tags = tags_named(http)
    if tags not in (None, [ANY]) and etag_of(lock_request(request.pk)) not in (tags or ()):
        raise PreconditionFailed
