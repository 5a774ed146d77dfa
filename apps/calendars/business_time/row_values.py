"""Values of a row of business time, read or refused: every reader raises `BadRow` naming the place and the reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.calendars.business_time.document import WEEKDAYS

Row = Mapping[str, Any]
IN_A_ROW = {
    "time_zone": "tz",
    "overrides": "date_overrides",
    "seconds": "duration_s",
    "wall": "local_time",
    "instant": "start",
}  # where a row says it otherwise than business time does


class BadRow(Exception):
    """A row that cannot be read; the text is the reason."""


def place_in(row: Row, place: str) -> str:
    """What the row calls a place that business time names."""
    part, dot, rest = place.partition(".")
    if part == "instant" and row.get("end") is not None:
        return "start, end"
    return IN_A_ROW.get(part, part) + dot + rest


def field(row: Row, key: str) -> Any:
    if row.get(key) is None:
        raise BadRow(f"{key}: Is missing.")
    return row[key]


def listed(row: Row, key: str) -> list[Any]:
    value = row.get(key)
    if value is not None and not isinstance(value, list):
        raise BadRow(f"{key}: Must be a list.")
    return value or []


def text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise BadRow(f"{place}: {str(value)[:40]!r} is no text.")
    return value


def joined(row: Row, key: str, *, required: bool = False) -> dict[str, list[str]]:
    """Pairs of clock times as windows."""
    days = field(row, key) if required else row.get(key) or {}
    if not isinstance(days, dict):
        raise BadRow(f"{key}: Must be an object.")
    if key == "week" and (unknown := days.keys() - set(WEEKDAYS)):
        raise BadRow(f"week: {min(unknown)[:40]!r} is no day; they are {', '.join(WEEKDAYS)}.")
    return {day: [_window(window, f"{key}.{day}") for window in listed(days, day)] for day in days}


def _window(value: object, place: str) -> str:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value):
        return "-".join(value)
    return text(value, place)


def instant(value: object, place: str) -> datetime:
    try:
        found = datetime.fromisoformat(text(value, place))
    except ValueError:
        raise BadRow(f"{place}: {str(value)[:40]!r} is no time such as “2026-03-02T09:00:00+01:00”.") from None
    if found.tzinfo is None:
        raise BadRow(f"{place}: {value!r} has no offset from UTC.")
    return found


def instant_or_none(value: object, place: str) -> datetime | None:
    return None if value is None else instant(value, place)


def number(value: object, place: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRow(f"{place}: {str(value)[:40]!r} is no number.")
    return value


def whole(value: object, place: str) -> int:
    found = number(value, place)
    if found in (float("inf"), -float("inf")) or found != int(found):
        raise BadRow(f"{place}: {found!r} is no whole number.")
    return int(found)


def boolean(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise BadRow(f"{place}: {str(value)[:40]!r} is neither true nor false.")
    return value


def stretches(value: object, place: str) -> list[tuple[datetime, datetime]]:
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise BadRow(f"{place}: Must be a list of pairs of times.")
    return [(instant(low, place), instant(high, place)) for low, high in value]
