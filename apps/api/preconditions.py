"""`ETag` and `If-Match` on a request's revision."""

from __future__ import annotations

import re

from rest_framework.request import Request as HttpRequest

from apps.core.errors import InvalidInput, PreconditionFailed
from apps.requests.models import Request
from apps.requests.services.writing import lock_request

HEADER = "If-Match"
_TAGS = re.compile(r'\s*(?:W/)?"[\x21\x23-\x7e]*"\s*(?:,\s*(?:W/)?"[\x21\x23-\x7e]*"\s*)*')


def etag_of(request: Request) -> str:
    """The strong entity tag of a request's revision."""
    return f'"{request.revision}"'


def check_revision(http: HttpRequest, request: Request) -> None:
    """Raises PreconditionFailed if `If-Match` names none of the present revision, read under the lock of the write.

    Without the header nothing is read. Weak tags never match (RFC 9110, strong comparison).
    """
    header = http.headers.get(HEADER)
    if header is None or header.strip() == "*":
        return
    if not _TAGS.fullmatch(header):
        raise InvalidInput({HEADER: ['This must be an entity tag such as "7".']})
    if etag_of(lock_request(request.pk)) not in [tag.strip() for tag in header.split(",")]:
        raise PreconditionFailed
