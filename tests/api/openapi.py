"""Answers held against the OpenAPI document."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator

Operation = tuple[str, str]
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


@cache
def document() -> dict[str, Any]:
    """The document as it is served."""
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return found


def operations() -> set[Operation]:
    """(method, path template) of every operation."""
    return {(method, path) for path, methods in document()["paths"].items() for method in methods}


def operation_of(method: str, path: str) -> Operation | None:
    """Which operation a request is; None for one that the document does not have."""
    found = (method.lower(), "/" + PARAMETER.sub(r"{\1}", str(resolve(path.partition("?")[0]).route)))
    return found if found in operations() else None


def check_answer(operation: Operation, answer: Any) -> None:
    """Fails unless status, media type and body are as the document says."""
    method, path = operation
    responses = document()["paths"][path][method]["responses"]
    assert str(answer.status_code) in responses, (operation, answer.status_code, answer.content[:300])
    content = responses[str(answer.status_code)]["content"]
    assert answer["Content-Type"] in content, (operation, answer["Content-Type"])
    schema = {**content[answer["Content-Type"]]["schema"], "components": document()["components"]}
    checker = Draft202012Validator.FORMAT_CHECKER
    body = answer.json() if "json" in answer["Content-Type"] else answer.content.decode()
    Draft202012Validator(schema, format_checker=checker).validate(body)
