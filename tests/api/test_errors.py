"""The whole tree of domain errors, mapped once."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from rest_framework import exceptions

from apps.api.errors import problem_handler, status_of
from apps.core import errors

STATUSES: dict[type[errors.DomainError], int] = {
    errors.InvalidInput: 400,
    errors.BrokenDocument: 400,
    errors.WouldBreak: 400,
    errors.NotPermitted: 403,
    errors.NotVisible: 404,
    errors.Conflict: 409,
    errors.TransitionNotAllowed: 409,
    errors.AlreadyDecided: 409,
    errors.AlreadyClaimed: 409,
    errors.PreconditionFailed: 412,
    errors.PreconditionRequired: 428,
    errors.IdempotencyKeyReused: 422,
    errors.Misconfigured: 409,
}


def _tree(root: type[errors.DomainError]) -> set[type[errors.DomainError]]:
    return {root}.union(*(_tree(child) for child in root.__subclasses__()))


def test_every_domain_error_has_its_status() -> None:
    found = {cls for cls in _tree(errors.DomainError) if cls.__module__ == errors.__name__}
    assert found - {errors.DomainError} == STATUSES.keys()


@pytest.mark.parametrize(("kind", "status"), STATUSES.items(), ids=lambda part: getattr(part, "code", part))
def test_a_domain_error_becomes_its_problem(kind: type[errors.DomainError], status: int) -> None:
    error = kind({"title": ["Too long."]}) if issubclass(kind, errors.InvalidInput) else kind()

    answer = problem_handler(error, {})

    assert answer is not None
    assert status_of(error) == status
    assert (answer.status_code, answer.data["code"], answer.data["detail"]) == (status, kind.code, error.detail)
    assert answer.data.get("errors") == ({"title": ["Too long."]} if status == 400 else None)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "not_permitted"),
        (RequestDataTooBig(), 413, "too_large"),
        (exceptions.Throttled(wait=1.2), 429, "throttled"),
        (exceptions.ParseError(), 400, "malformed"),
    ],
)
def test_a_framework_error_becomes_a_problem_too(error: Exception, status: int, code: str) -> None:
    answer = problem_handler(error, {})
    assert answer is not None
    assert (answer.status_code, answer.data["code"]) == (status, code)


def test_a_throttle_says_when_to_come_back() -> None:
    answer = problem_handler(exceptions.Throttled(wait=1.2), {})
    assert answer is not None
    assert answer["Retry-After"] == "2"


def test_a_defect_is_no_problem_document() -> None:
    assert problem_handler(ZeroDivisionError(), {}) is None
