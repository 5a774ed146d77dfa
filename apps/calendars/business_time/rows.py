"""Cases of business time as rows: a calendar, a question and the answer that is expected. Read, answered, compared.

Conventions are those of the package. A row gives `tz`, `week` and, by its `kind`, `start`, `end`, `duration_s`, `days`,
or `local_date` and `local_time`; `holidays`, `date_overrides`, `breaks`, `pauses` may be left out. A window is a pair
("22:00", "26:00") or one text; those that overlap are taken together. A paused stretch does not count, and nothing is
open in it. Where a row says what other projects answer (`expected_also`), that is right too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

from apps.calendars.business_time import questions as bt
from apps.calendars.business_time.pauses import Paused
from apps.calendars.business_time.questions import Calendar
from apps.calendars.business_time.row_values import (
    BadRow,
    Row,
    boolean,
    field,
    instant,
    instant_or_none,
    joined,
    listed,
    number,
    place_in,
    stretches,
    text,
    whole,
)
from apps.calendars.business_time.windows import MICROSECOND, SECOND, to_instant, to_micros, wall_micros
from apps.core.errors import InvalidInput

LOOK = timedelta(days=30)
STATED = {"between": "expected_s", "open_intervals": "expected_intervals"}
CLOSE = 1e-6


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a row. `expected` as the row says it; `got` an answer in JSON, or why there is none."""

    id: str
    kind: str
    passed: bool
    expected: Any
    got: Any


def judge(line: str | bytes, *, number: int = 0) -> Outcome:
    """The outcome of a row given as a line of JSON; `number` names a row without an id. Never raises."""
    row: Any = None
    try:
        row = _read(line)
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

    Raises `BadRow` for a row that cannot be read, `InvalidInput` for a calendar or a value that is refused, by the
    row's own names.
    """
    try:
        return _answer(row)
    except InvalidInput as refused:
        raise InvalidInput({place_in(row, place): said for place, said in refused.errors.items()}) from refused


def _answer(row: Row) -> Any:
    kind = field(row, "kind")
    question = QUESTIONS.get(kind) if isinstance(kind, str) else None
    if question is None:
        raise BadRow(f"kind: {str(kind)[:40]!r} is none of {', '.join(QUESTIONS)}.")
    return question(row, calendar_of(row))


def calendar_of(row: Row) -> Calendar:
    """The row's calendar, which may be one that never opens, and whose windows may overlap."""
    document = {
        "time_zone": field(row, "tz"),
        "week": joined(row, "week", required=row["kind"] != "wall_to_instant"),
        "holidays": {text(day, "holidays"): "holiday" for day in listed(row, "holidays")},
        "overrides": joined(row, "date_overrides"),
        "breaks": joined(row, "breaks"),
    }
    return _compiled(json.dumps(document, sort_keys=True))


@lru_cache(maxsize=512)
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
        passed = any(_alike(one, wanted) for one in told for wanted in right)
        got = [[_iso(low, zone), _iso(high, zone)] for low, high in told[0]]
    elif isinstance(found, datetime):
        passed, got = any(_alike([(found,)], [(one,)]) for one in right if one), _iso(found, zone)
    elif row["kind"] == "between":
        passed, got = any(abs(found - one) < CLOSE for one in right), found
    else:
        passed, got = any(found is one for one in right), found
    return Outcome(id=name, kind=row["kind"], passed=passed, expected=_stated(row), got=got)


def _alike(told: Sequence[Sequence[datetime]], wanted: Sequence[Sequence[datetime]]) -> bool:
    """Whether the instants are the same to a microsecond: other projects close a day at 23:59:59.999999."""
    return len(told) == len(wanted) and all(
        abs(one - other) <= MICROSECOND
        for pair, its in zip(told, wanted, strict=True)
        for one, other in zip(pair, its, strict=True)
    )


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
    reads = READS[row["kind"]]
    if not row.keys() & {"expected", *STATED.values()}:
        raise BadRow("expected: Is missing.")
    right = [reads(_stated(row), "expected")]
    for key in ("expected_also", "expected_also_s", "expected_also_intervals"):
        if row.get(key) is None:
            continue
        try:
            right.append(reads(row[key], key))
        except BadRow:
            right += [reads(one, key) for one in listed(row, key)]
    return right


def _stated(row: Row) -> Any:
    kind = row.get("kind")
    key = STATED.get(kind, "expected") if isinstance(kind, str) else "expected"
    return row.get(key, row.get("expected"))


def _iso(moment: datetime, zone: Any) -> str:
    return moment.astimezone(zone).isoformat()


# ------------------------------------------------------------------------------------ reading


def _read(line: str | bytes) -> Row:
    try:
        row = json.loads(line.decode("utf-8-sig") if isinstance(line, bytes) else line, parse_constant=_no_constant)
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


def _start(row: Row) -> datetime:
    return instant(field(row, "start"), "start")


def _paused(row: Row, calendar: Calendar) -> Paused:
    pauses = stretches(row.get("pauses") or [], "pauses")
    if any(high < low for low, high in pauses):
        raise BadRow("pauses: One ends before it starts.")
    return Paused(calendar, pauses)


# ------------------------------------------------------------------------------------ one question a kind


def _add(row: Row, calendar: Calendar) -> datetime:
    return _paused(row, calendar).add(_start(row), number(field(row, "duration_s"), "duration_s"))


def _between(row: Row, calendar: Calendar) -> int | float:
    return _paused(row, calendar).between(_start(row), instant(field(row, "end"), "end"))


def _is_open(row: Row, calendar: Calendar) -> bool:
    return _paused(row, calendar).is_open(_start(row))


def _next_open(row: Row, calendar: Calendar) -> datetime | None:
    start, paused = _start(row), _paused(row, calendar)
    return _or_never(calendar, start, lambda: paused.add(start, 0))


def _next_close(row: Row, calendar: Calendar) -> datetime | None:
    return _paused(row, calendar).next_close(_start(row))


def _previous_open(row: Row, calendar: Calendar) -> datetime | None:
    start, paused = _start(row), _paused(row, calendar)
    return _or_never(calendar, start, lambda: paused.previous_open(start))


def _or_never(calendar: Calendar, start: datetime, found: Callable[[], datetime]) -> datetime | None:
    """What is found, or None for a calendar that is closed from `start` to the end of the years that are known."""
    calendar.line.covering(to_micros(start))
    try:
        return found()
    except InvalidInput:
        return None


def _add_days(row: Row, calendar: Calendar) -> datetime:
    found = bt.add_days(calendar, _start(row), whole(field(row, "days"), "days"))
    return _paused(row, calendar).add(found, 0)


def _wall_to_instant(row: Row, calendar: Calendar) -> datetime:
    day = text(field(row, "local_date"), "local_date")
    try:
        return bt.wall_to_instant(calendar, date.fromisoformat(day), field(row, "local_time"))
    except ValueError:
        raise BadRow(f"local_date: {day[:40]!r} is no date such as “2026-12-25”.") from None


def _open_intervals(row: Row, calendar: Calendar) -> tuple[tuple[datetime, datetime], ...]:
    """Up to `end`; without one, as far as anything is expected and a month more."""
    start = _start(row)
    if row.get("end") is not None:
        end = instant(row["end"], "end")
    else:
        stated = _stated(row) if isinstance(_stated(row), list) else field(row, "expected_intervals")
        ends = [high for _, high in stretches(stated, "expected_intervals")]
        end = to_instant(max(map(to_micros, [start, *ends]))) + LOOK
    return _paused(row, calendar).open_intervals(start, end)


READS: dict[str, Callable[[object, str], Any]] = {
    "between": number,
    "is_open": boolean,
    "open_intervals": stretches,
    "next_close": instant_or_none,
    "add": instant,
    "next_open": instant_or_none,
    "prev_open": instant_or_none,
    "add_days": instant,
    "wall_to_instant": instant,
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
