"""The script of a dry run: what happens when. Read strictly, with every problem by its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.core.errors import InvalidInput
from apps.core.text import text_problem

MOST_ENTRIES = 1_000
LONGEST = 500
MOST_FAILURES = 1_000
SAYS = ("outcome", "message", "decision", "fail")
TEXTS = ("step", "outcome", "message", "decision", "by", "key")
KEYS = frozenset({"at", "instance", "data", "fail", *TEXTS})
Problems = dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that happens at a step (in a child run `child/step`), by exactly one of outcome, message, decision,
    fail.

    Without a step only time passes. `at` None: at the time of the entry before. `instance`: the index of an instance,
    else (where the step has none) of its open visits, the oldest first. `key` is that of a message; None is the key
    that the step waits for. `data` are the values of a task's form, or the payload of a message.
    `fail`: that many of the next attempts of the step's action fail; such entries, where they stand first and name no
    later time, count before the run starts.
    """

    at: datetime | None = None
    step: str | None = None
    outcome: str | None = None
    message: str | None = None
    decision: str | None = None
    fail: int | None = None
    by: str | None = None
    key: str | None = None
    instance: int | None = None
    data: Any = None


def read_script(source: Any) -> tuple[Entry, ...]:
    """The entries of a list as JSON. Raises InvalidInput with every problem under `script.<index>.<key>`."""
    if not isinstance(source, list):
        raise InvalidInput({"script": ["This must be a list."]})
    if len(source) > MOST_ENTRIES:
        raise InvalidInput({"script": [f"A script has at most {MOST_ENTRIES:,} entries, this one {len(source):,}."]})
    problems: Problems = {}
    for index, entry in enumerate(source):
        found = _problems_of(entry)
        problems |= {f"script.{index}.{key}" if key else f"script.{index}": [text] for key, text in found.items()}
    if problems:
        raise InvalidInput(problems)
    return tuple(Entry(**{**entry, "at": _at(entry)}) for entry in source)


def read_instant(value: Any) -> datetime:
    """A point in time with its zone, ISO 8601. Raises ValueError with a sentence."""
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ValueError("This must be a point in time with its zone, such as 2026-11-23T10:00:00Z.")
    if not 1950 <= instant.year <= 2199:
        raise ValueError("This must be a year from 1950 to 2199.")
    return instant


def _at(entry: Mapping[str, Any]) -> datetime | None:
    return None if entry.get("at") is None else read_instant(entry["at"])


def _problems_of(entry: Any) -> dict[str, str]:
    """What is wrong with an entry, by key; an empty key is the entry itself."""
    if not isinstance(entry, Mapping):
        return {"": "This must be an object."}
    problems = {str(key)[:60]: "There is no such field." for key in entry if key not in KEYS}
    for key in TEXTS:
        if entry.get(key) is not None and (problem := text_problem(entry[key], max_length=LONGEST)):
            problems[key] = problem
    if not _is_whole(entry.get("instance"), least=0):
        problems["instance"] = "This must be a whole number, at least 0."
    if not _is_whole(entry.get("fail"), least=1, most=MOST_FAILURES):
        problems["fail"] = f"This must be a whole number, from 1 to {MOST_FAILURES:,}."
    try:
        _at(entry)
    except ValueError as problem:
        problems["at"] = str(problem)
    return problems or _misfits(entry)


def _is_whole(value: Any, *, least: int, most: int | None = None) -> bool:
    """Whether it is a whole number in these bounds, or nothing."""
    if value is None:
        return True
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return is_number and least <= value and (most is None or value <= most)


def _misfits(entry: Mapping[str, Any]) -> dict[str, str]:
    """What does not go together in an entry whose keys and types are right."""
    said = [key for key in SAYS if entry.get(key) is not None]
    if entry.get("step") is None:
        rest = [key for key in KEYS - {"at"} if entry.get(key) is not None]
        return {"step": "Say at which step this happens."} if rest or entry.get("at") is None else {}
    if len(said) != 1:
        return {"": "Say exactly one of outcome, message, decision and fail."}
    if said == ["decision"] and entry.get("data") is not None:
        return {"data": "A decision brings no data."}
    if said == ["fail"] and (more := [key for key in ("by", "data") if entry.get(key) is not None]):
        return {more[0]: "An action fails by nobody, and brings no data."}
    if said != ["message"] and entry.get("key") is not None:
        return {"key": "Only a message has a key."}
    if said == ["outcome"] and not isinstance(entry.get("data"), Mapping | None):
        return {"data": "This must be an object with the form's fields."}
    return {}
