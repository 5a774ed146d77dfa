"""What the OpenAPI document says about an operation; errors are the same problem document everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from apps.api.bodies import Shape
from apps.api.errors import CONTENT_TYPE
from apps.api.serializers.problems import ProblemSerializer

Answer = type[serializers.Serializer[Any]]
CAPITAL = re.compile(r"([A-Z])")
READ_ERRORS = (400, 401, 403, 404, 409)
WRITE_ERRORS = (400, 401, 403, 404, 409, 412, 413, 415, 422)
AUTH_ERRORS = (400, 401, 413, 415, 429)
KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The same key and body give the same answer and one effect, for 24 hours.",
)
IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="Only if what is changed still has this `ETag`."
)
PAGING = {
    "cursor": {"type": "string", "description": "From `next` or `previous` of another page."},
    "page_size": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
}
CSV = "text/csv; charset=utf-8"
FORMAT = {"format": {"type": "string", "enum": ["json", "csv"], "default": "json", "description": "CSV as RFC 4180"}}


class ApiSchema(AutoSchema):
    """Operations are named after their view: `get_request`, `post_claim`. What they do is in their summary."""

    def get_operation_id(self) -> str:
        name = type(self.view).__name__.removesuffix("View")
        return self.method.lower() + CAPITAL.sub(r"_\1", name).lower()

    def get_description(self) -> str:  # type: ignore[override] # as drf-spectacular's own
        return ""


def reads(summary: str, answer: Answer, *, query: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """Describes a GET of one thing."""
    return extend_schema(
        summary=summary,
        parameters=_query(query or {}),
        responses={200: answer, **_problems(READ_ERRORS)},
    )


def tabulates(summary: str, answer: Answer, *, query: Mapping[str, Any]) -> Callable[..., Any]:
    """Describes a GET of a report, which is there as CSV too: `format=csv`."""
    return extend_schema(
        summary=summary,
        parameters=_query({**query, **FORMAT}),
        responses={(200, "application/json"): answer, (200, CSV): OpenApiTypes.STR, **_problems(READ_ERRORS)},
    )


def lists(summary: str, row: Answer, *, query: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """Describes a GET of a page of rows."""
    return reads(summary, page_of(row), query={**(query or {}), **PAGING})


def writes(
    summary: str,
    answer: Answer,
    *,
    body: Shape | None = None,
    status: int = 200,
    conditional: bool = False,
    keyed: bool = True,
    replaces: bool = False,
    limited: bool = False,
) -> Callable[..., Any]:
    """Describes a POST or PATCH; `conditional` ones take `If-Match`, `keyed` ones an `Idempotency-Key`.

    One that `replaces` what is there demands `If-Match` then (428) and answers 200, and 201 where there was nothing.
    `limited` ones take a password, which may be tried so often only (429).
    """
    answers = (200, 201) if replaces else (status,)
    refusals = (*WRITE_ERRORS, *([428] if replaces else []), *([429] if limited else []))
    return extend_schema(
        summary=summary,
        parameters=[*([KEY] if keyed else []), *([IF_MATCH] if conditional or replaces else [])],
        request={"application/json": dict(body)} if body else None,
        responses={**dict.fromkeys(answers, answer), **_problems(refusals)},
    )


def authenticates(summary: str, answer: Answer | OpenApiTypes, *, body: Shape, status: int = 200) -> Callable[..., Any]:
    """Describes a POST that needs no token."""
    return extend_schema(
        summary=summary,
        request={"application/json": dict(body)},
        responses={status: answer, **_problems(AUTH_ERRORS)},
        auth=[],
    )


@cache
def page_of(row: Answer) -> Answer:
    """The shape of a page of these rows."""
    name = f"{row.__name__.removesuffix('Serializer')}Page"
    fields = {
        "next": serializers.CharField(allow_null=True),
        "previous": serializers.CharField(allow_null=True),
        "results": row(many=True),
    }
    return type(f"{name}Serializer", (serializers.Serializer,), fields)


def _query(properties: Mapping[str, Any]) -> list[OpenApiParameter]:
    return [
        OpenApiParameter(
            name,
            {key: value for key, value in told.items() if key != "description"},
            description=told.get("description", ""),
        )
        for name, told in properties.items()
    ]


def _problems(statuses: Sequence[int]) -> dict[tuple[int, str], Answer]:
    return {(status, CONTENT_TYPE): ProblemSerializer for status in statuses}
