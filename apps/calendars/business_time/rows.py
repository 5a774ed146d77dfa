"""Cases of business time as rows: a calendar, a question and the answer that is expected. Read, answered, compared.

Conventions are those of the package. A row gives `tz`, `week` and, by its `kind`, `start`, `end`, `duration_s`, `days`,
or `local_date` and `local_time`; `holidays`, `date_overrides`, `breaks`, `pauses` may be left out. A window is a pair
("22:00", "26:00") or one text; those that overlap are taken together. A paused stretch does not count, and nothing is
open in it. Where a row says what other projects answer (`expected_also`), that is right too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

from apps.calendars.business_time import questions as bt
from apps.calendars.business_time.document import WEEKDAYS
from apps.calendars.business_time.pauses import Paused
from apps.calendars.business_time.questions import Calendar
from apps.calendars.business_time.windows import SECOND, to_instant, to_micros, wall_micros
from apps.core.errors import InvalidInput

LOOK = timedelta(days=30)
CLOSE = 1e-6
Row = Mapping[str, Any]


class BadRow(Exception):
    """A row that cannot be read; the text is the reason."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a row. `expected` as the row says it; `got` an answer in JSON, or why there is none."""

    id: str
    kind: str
    passed: bool
    expected: Any
    got: Any


def judge(text: str | bytes, *, number: int = 0) -> Outcome:
    """The outcome of a row given as a line of JSON; `number` names a row without an id. Never raises."""
    row: Any = None
    try:
        row = _read(text)
        return _judged(row, _id(row, number))
    except InvalidInput as refused:
        reason = "; ".join(f"{place}: {' '.join(said)}" for place, said in refused.errors.items())
    except (BadRow, OverflowError, ValueError) as bad:
        reason = str(bad) or "This cannot be counted."
    known = row if isinstance(row, dict) else {}
    return Outcome(
        id=_id(known, number), kind=str(known.get("kind", ""))[:40], passed=False, expected=_stated(known), got=reason
    )


def answer(row: Row) -> Any:
    """What business time answers to a row: an instant, a number, a bool, a tuple of stretches, or None.

    Raises `BadRow` for a row that cannot be read, `InvalidInput` for a calendar or a value that is refused.
    """
    kind = _field(row, "kind")
    question = QUESTIONS.get(kind) if isinstance(kind, str) else None
    if question is None:
        raise BadRow(f"kind: {str(kind)[:40]!r} is none of {', '.join(QUESTIONS)}.")
    return question(row, calendar_of(row))


def calendar_of(row: Row) -> Calendar:
    """The row's calendar, which may be one that never opens, and whose windows may overlap."""
    document = {
        "time_zone": _field(row, "tz"),
        "week": _joined(row, "week", required=row["kind"] != "wall_to_instant"),
        "holidays": {_text(day, "holidays"): "holiday" for day in _list(row, "holidays")},
        "overrides": _joined(row, "date_overrides"),
        "breaks": _joined(row, "breaks"),
    }
    return _compiled(json.dumps(document, sort_keys=True))


@lru_cache(maxsize=64)
def _compiled(document: str) -> Calendar:
    return Calendar.from_document(json.loads(document), strict=False)


# ------------------------------------------------------------------------------------ comparing


def _judged(row: Row, name: str) -> Outcome:
    found = answer(row)
    zone = calendar_of(row).line.zone
    right = _accepted(row)
    got: Any
    if row["kind"] == "open_intervals":
        told = _tellings(row, found, [len(one) for one in right])
        passed = any(one in right for one in told)
        got = [[_iso(low, zone), _iso(high, zone)] for low, high in told[0]]
    elif isinstance(found, datetime):
        passed, got = found in right, _iso(found, zone)
    elif row["kind"] == "between":
        passed, got = any(abs(found - one) < CLOSE for one in right), found
    else:
        passed, got = any(found is one for one in right), found
    return Outcome(id=name, kind=row["kind"], passed=passed, expected=_stated(row), got=got)


def _tellings(row: Row, found: tuple[Any, ...], counts: list[int]) -> list[list[Any]]:
    """The same open time told in two ways, as often as expected: windows that touch taken together, and one by one."""
    calendar = calendar_of(row)
    apart: list[Any] = []
    for low, high in found:
        cuts = [at for at in _openings(calendar, low, high) if low < at < high]
        edges = [low, *cuts, high]
        apart += pairwise(edges)
    whole = "end" in row or not all(counts)
    return [list(told if whole else told[:count]) for count in counts for told in (found, apart)]


def _openings(calendar: Calendar, low: datetime, high: datetime) -> list[datetime]:
    line = calendar.line
    days = range(low.toordinal() - 2, min(high.toordinal() + 2, low.toordinal() + 400))
    return sorted(
        {
            to_instant(wall_micros(line.zone, day, window.start * SECOND))
            for day in days
            for window in line.overrides.get(day, line.week[(day - 1) % 7])
        }
    )


def _accepted(row: Row) -> list[Any]:
    """The answers that are right: the one expected, and what `expected_also` holds (one more, or a list of them)."""
    reads = READS.get(row["kind"], _instant_or_none)
    right = [reads(_stated(row), "expected")]
    for key in ("expected_also", "expected_also_s", "expected_also_intervals"):
        if row.get(key) is None:
            continue
        try:
            right.append(reads(row[key], key))
        except BadRow:
            right += [reads(one, key) for one in _list(row, key)]
    return right


def _stated(row: Row) -> Any:
    keys = {"between": "expected_s", "open_intervals": "expected_intervals"}
    kind = row.get("kind")
    key = keys.get(kind, "expected") if isinstance(kind, str) else "expected"
    return row.get(key, row.get("expected"))


def _iso(instant: datetime, zone: Any) -> str:
    return instant.astimezone(zone).isoformat()


# ------------------------------------------------------------------------------------ reading


def _read(text: str | bytes) -> Row:
    try:
        row = json.loads(text.decode("utf-8-sig") if isinstance(text, bytes) else text, parse_constant=_no_constant)
        json.dumps(row)  # what is read can be told again: it writes fewer levels than it reads
    except RecursionError:
        raise BadRow("This is nested too deeply.") from None
    except UnicodeDecodeError:
        raise BadRow("This is not UTF-8.") from None
    except ValueError as error:
        raise BadRow(f"This is not JSON: {error}.") from None
    if not isinstance(row, dict):
        raise BadRow("A row is a JSON object.")
    return row


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is none of its numbers")


def _id(row: Row, number: int) -> str:
    name = row.get("id")
    return str(name)[:200] if isinstance(name, str | int) else f"line {number}"


def _field(row: Row, key: str) -> Any:
    if row.get(key) is None:
        raise BadRow(f"{key}: Is missing.")
    return row[key]


def _list(row: Row, key: str) -> list[Any]:
    value = row.get(key)
    if value is not None and not isinstance(value, list):
        raise BadRow(f"{key}: Must be a list.")
    return value or []


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise BadRow(f"{place}: {str(value)[:40]!r} is no text.")
    return value


def _joined(row: Row, key: str, *, required: bool = False) -> dict[str, list[str]]:
    """Pairs of clock times as windows."""
    days = _field(row, key) if required else row.get(key) or {}
    if not isinstance(days, dict):
        raise BadRow(f"{key}: Must be an object.")
    if key == "week" and (unknown := days.keys() - set(WEEKDAYS)):
        raise BadRow(f"week: {min(unknown)[:40]!r} is no day; they are {', '.join(WEEKDAYS)}.")
    return {day: [_window(window, f"{key}.{day}") for window in _list(days, day)] for day in days}


def _window(value: object, place: str) -> str:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value):
        return "-".join(value)
    return _text(value, place)


def _instant(value: object, place: str) -> datetime:
    try:
        instant = datetime.fromisoformat(_text(value, place))
    except ValueError:
        raise BadRow(f"{place}: {str(value)[:40]!r} is no time such as “2026-03-02T09:00:00+01:00”.") from None
    if instant.tzinfo is None:
        raise BadRow(f"{place}: {value!r} has no offset from UTC.")
    return instant


def _instant_or_none(value: object, place: str) -> datetime | None:
    return None if value is None else _instant(value, place)


def _number(value: object, place: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRow(f"{place}: {str(value)[:40]!r} is no number.")
    return value


def _whole(value: object, place: str) -> int:
    number = _number(value, place)
    if number != number or number in (float("inf"), -float("inf")) or number != int(number):
        raise BadRow(f"{place}: {number!r} is no whole number.")
    return int(number)


def _bool(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise BadRow(f"{place}: {str(value)[:40]!r} is neither true nor false.")
    return value


def _stretches(value: object, place: str) -> list[tuple[datetime, datetime]]:
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        raise BadRow(f"{place}: Must be a list of pairs of times.")
    return [(_instant(low, place), _instant(high, place)) for low, high in value]


def _start(row: Row) -> datetime:
    return _instant(_field(row, "start"), "start")


def _paused(row: Row, calendar: Calendar) -> Paused:
    pauses = _stretches(row.get("pauses") or [], "pauses")
    if any(high < low for low, high in pauses):
        raise BadRow("pauses: One ends before it starts.")
    return Paused(calendar, pauses)


# ------------------------------------------------------------------------------------ one question a kind


def _add(row: Row, calendar: Calendar) -> datetime:
    return _paused(row, calendar).add(_start(row), _number(_field(row, "duration_s"), "duration_s"))


def _between(row: Row, calendar: Calendar) -> int | float:
    return _paused(row, calendar).between(_start(row), _instant(_field(row, "end"), "end"))


def _is_open(row: Row, calendar: Calendar) -> bool:
    return _paused(row, calendar).is_open(_start(row))


def _next_open(row: Row, calendar: Calendar) -> datetime:
    return _paused(row, calendar).add(_start(row), 0)


def _next_close(row: Row, calendar: Calendar) -> datetime | None:
    return _paused(row, calendar).next_close(_start(row))


def _previous_open(row: Row, calendar: Calendar) -> datetime:
    return _paused(row, calendar).previous_open(_start(row))


def _add_days(row: Row, calendar: Calendar) -> datetime:
    return bt.add_days(calendar, _start(row), _whole(_field(row, "days"), "days"))


def _wall_to_instant(row: Row, calendar: Calendar) -> datetime:
    day = _text(_field(row, "local_date"), "local_date")
    try:
        return bt.wall_to_instant(calendar, date.fromisoformat(day), _field(row, "local_time"))
    except ValueError:
        raise BadRow(f"local_date: {day[:40]!r} is no date such as “2026-12-25”.") from None


def _open_intervals(row: Row, calendar: Calendar) -> tuple[tuple[datetime, datetime], ...]:
    """Up to `end`; without one, as far as anything is expected and a month more."""
    start = _start(row)
    if row.get("end") is not None:
        end = _instant(row["end"], "end")
    else:
        ends = [high for _, high in _stretches(_field(row, "expected_intervals"), "expected_intervals")]
        end = to_instant(max(map(to_micros, [start, *ends]))) + LOOK
    return _paused(row, calendar).open_intervals(start, end)


READS: dict[str, Callable[[object, str], Any]] = {
    "between": _number,
    "is_open": _bool,
    "open_intervals": _stretches,
    "next_close": _instant_or_none,
    "add": _instant,
    "next_open": _instant,
    "prev_open": _instant,
    "add_days": _instant,
    "wall_to_instant": _instant,
}
QUESTIONS: dict[str, Callable[[Row, Calendar], Any]] = {
    "add": _add,
    "between": _between,
    "next_open": _next_open,
    "next_close": _next_close,
    "is_open": _is_open,
    "add_days": _add_days,
    "open_intervals": _open_intervals,
    "wall_to_instant": _wall_to_instant,
    "prev_open": _previous_open,
}
