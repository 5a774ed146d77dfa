"""Reading query strings: an allowlist of parameters, each value checked before it meets the database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from rest_framework.request import Request

from apps.api.pagination import PARAMETERS, Order
from apps.core.errors import InvalidInput
from apps.core.text import text_problem

LONGEST_VALUE = 200
LARGEST_INTEGER = 2**63 - 1
YEARS = range(1900, 9999)


def read_query(request: Request, known: Iterable[str] = (), *, paged: bool = True) -> Mapping[str, str]:
    """The parameters that were given and are not empty. Raises InvalidInput for unknown ones and unfit text."""
    allowed = set(known) | (PARAMETERS if paged else set())
    problems: dict[str, list[str]] = {}
    for name, value in request.query_params.items():
        limit = 4000 if name == "cursor" else LONGEST_VALUE
        if name not in allowed:
            problems[name[:60] if text_problem(name, max_length=4000) is None else "query"] = ["Unknown parameter."]
        elif problem := text_problem(value, max_length=limit):
            problems[name] = [problem]
    if problems:
        raise InvalidInput(problems)
    return {name: str(value) for name, value in request.query_params.items() if value}


def choices_in(query: Mapping[str, str], name: str, allowed: Collection[str]) -> list[str]:
    """A comma-separated list of allowed words. Raises InvalidInput."""
    words = query[name].split(",")
    if not set(words) <= set(allowed):
        raise InvalidInput({name: [f"This must be one or more of {', '.join(allowed)}, separated by commas."]})
    return words


def instant_in(query: Mapping[str, str], name: str) -> datetime:
    """An RFC 3339 time with its offset, of a year that every zone and database can hold. Raises InvalidInput."""
    found: datetime | None
    try:
        found = datetime.fromisoformat(query[name])
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InvalidInput({name: ["This must be a time with its offset, such as 2026-01-31T09:00:00Z."]})
    if found.year not in YEARS:
        raise InvalidInput({name: [f"This must be a time of the years {YEARS[0]} to {YEARS[-1]}."]})
    return found.astimezone(UTC)  # PostgreSQL does not read every offset that Python does


def position_in(query: Mapping[str, str], name: str) -> int:
    """A whole number from 0; 0 where it is not given. Raises InvalidInput."""
    number = _whole(query.get(name, "0"))
    if number is None or number > LARGEST_INTEGER:
        raise InvalidInput({name: ["This must be a whole number from 0."]})
    return number


def number_in(query: Mapping[str, str], name: str, *, least: int, most: int) -> int:
    """A whole number between two bounds, both allowed. Raises InvalidInput."""
    number = _whole(query[name])
    if number is None or not least <= number <= most:
        raise InvalidInput({name: [f"This must be a whole number from {least} to {most}."]})
    return number


def _whole(text: str) -> int | None:
    """Digits as a number, None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def order_in(query: Mapping[str, str], orders: Mapping[str, Order], default: str) -> Order:
    """The order that `ordering` names. Raises InvalidInput."""
    name = query.get("ordering", default)
    if name not in orders:
        raise InvalidInput({"ordering": [f"This must be one of {', '.join(orders)}."]})
    return orders[name]
