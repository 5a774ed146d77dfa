"""Reading bodies: strict JSON, bounded in size and depth, with every refused text or number named by its field."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from apps.api.errors import TooLarge
from apps.core.errors import InvalidInput
from apps.core.text import text_problem

DEEPEST = 32
LARGEST_INTEGER = 2**63 - 1
NAME_LENGTH = 60


class StrictJSONParser(BaseParser):
    """UTF-8 JSON objects as RFC 8259 has them: no NaN, no repeated key, nothing that could not be stored.

    Raises ParseError (400) for what is no JSON, TooLarge (413), and InvalidInput naming the fields otherwise.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        value = _decoded(_read(stream))
        if not isinstance(value, dict):
            raise ParseError("The body must be a JSON object.")
        refused = {_name(path): [problem] for path, problem in _problems(value)}
        if refused:
            raise InvalidInput(refused)
        return value


def _read(stream: IO[Any]) -> bytes:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body: bytes = stream.read(limit + 1)
    if len(body) > limit:
        raise TooLarge
    return body


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_no_constant, object_pairs_hook=_once)
    except RecursionError as error:
        raise ParseError("The body is nested too deeply.") from error
    except UnicodeDecodeError as error:
        raise ParseError("The body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise ParseError(f"The body is not JSON: {error.msg} in line {error.lineno}, column {error.colno}.") from error
    except ValueError as error:
        raise ParseError("The body holds a number with too many digits.") from error


def _no_constant(name: str) -> None:
    raise ParseError(f"The body is not JSON: {name} is no number.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ParseError("The body holds an object in which a key is repeated.")
    return found


def _problems(body: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """(path, problem) of every value and key that is refused, without recursion."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), body)]
    while waiting:
        path, value = waiting.pop()
        if len(path) > DEEPEST:
            yield path[:2], "This is nested too deeply."
        elif isinstance(value, dict):
            yield from ((path, "A name in here cannot be stored.") for key in value if _bad_text(key))
            waiting += [((*path, key), inner) for key, inner in value.items() if not _bad_text(key)]
        elif isinstance(value, list):
            waiting += [((*path, str(place)), inner) for place, inner in enumerate(value)]
        elif problem := _scalar_problem(value):
            yield path, problem


def _bad_text(text: str) -> bool:
    return text_problem(text, max_length=len(text)) is not None


def _scalar_problem(value: object) -> str | None:
    if isinstance(value, str):
        return text_problem(value, max_length=len(value))
    if isinstance(value, float) and not math.isfinite(value):
        return "This number is too large."
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return "This number is too large."
    return None


def _name(path: tuple[str, ...]) -> str:
    return ".".join(part[:NAME_LENGTH] for part in path) or "body"
