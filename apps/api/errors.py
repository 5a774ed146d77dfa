"""Every refusal as a problem document (RFC 9457): the one place where the tree of `core.errors` becomes HTTP."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus
from inspect import cleandoc
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from apps.core import errors

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:service-flow:problem:"

STATUS: Mapping[type[errors.DomainError], int] = {
    errors.InvalidInput: 400,
    errors.NotPermitted: 403,
    errors.NotVisible: 404,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.PreconditionRequired: 428,
    errors.IdempotencyKeyReused: 422,
    errors.Misconfigured: 409,
}
_CODES = {
    400: "malformed",
    401: "not_authenticated",
    403: "not_permitted",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "throttled",
}
_EXPLANATIONS: Mapping[type[Exception], exceptions.APIException] = {
    Http404: exceptions.NotFound("There is nothing here, or nothing that you may see."),
    PermissionDenied: exceptions.PermissionDenied(),
}


class TooLarge(exceptions.APIException):
    """The body is larger than this server accepts."""

    status_code = 413
    default_detail = "The body is larger than this server accepts."
    default_code = "too_large"


class TooManyAttempts(exceptions.Throttled):
    """Log-in attempts came too fast; `wait` is in seconds."""

    default_detail = "Too many attempts."


def problem_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler. None for what is no refusal: that is a defect and is logged as one."""
    if isinstance(error, errors.DomainError):
        return _domain(error)
    if isinstance(error, RequestDataTooBig):
        error = TooLarge()
    for known, replacement in _EXPLANATIONS.items():
        if isinstance(error, known):
            error = replacement
    return _framework(error) if isinstance(error, exceptions.APIException) else None


def status_of(error: errors.DomainError) -> int:
    """The status of the nearest class in the tree that has one."""
    return next((STATUS[cls] for cls in type(error).__mro__ if cls in STATUS), 409)


def problem(*, status: int, code: str, title: str, detail: str, **more: Any) -> Response:
    """A problem document as an answer; `more` are extension members such as `errors`."""
    body = {"type": TYPE_PREFIX + code, "title": title, "status": status, "detail": detail, "code": code, **more}
    return Response(body, status=status, content_type=CONTENT_TYPE)


def _domain(error: errors.DomainError) -> Response:
    more = {"errors": error.errors} if isinstance(error, errors.InvalidInput) else {}
    title = cleandoc(type(error).__doc__ or "").splitlines()[0]
    return problem(status=status_of(error), code=error.code, title=title, detail=error.detail, **more)


def _framework(error: exceptions.APIException) -> Response:
    status = error.status_code
    code = _CODES.get(status, "error")
    answer = problem(status=status, code=code, title=HTTPStatus(status).phrase, detail=_detail(error))
    for header, value in _headers(error).items():
        answer[header] = value
    return answer


def _detail(error: exceptions.APIException) -> str:
    """The message; some of simplejwt's come as an object with a `detail` of their own."""
    detail: Any = error.detail
    return str(detail["detail"] if isinstance(detail, Mapping) and "detail" in detail else detail)


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if isinstance(error, exceptions.Throttled):
        headers["Retry-After"] = str(_seconds(error))
    return headers


def _seconds(error: exceptions.Throttled) -> int:
    wait: float | None = getattr(error, "wait", None)
    return max(1, math.ceil(wait or 60))
