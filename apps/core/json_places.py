"""Where in a JSON text that reads well something stands that no document may hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from apps.core.text import text_problem

_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_MOST_DIGITS = 4_300  # what Python reads as a whole number


def forbidden_at(text: str, *, deepest: int, longest: int) -> tuple[str, str] | None:
    """The first place ("Line 1, column 9") with what is wrong there, None if nothing is.

    A key twice in one object, NaN and Infinity, more than `deepest` levels, texts that cannot be stored or have more
    than `longest` characters, numbers of more than 4,300 digits. Never raises; the text may be no JSON further on.
    """
    for start, problem in _problems(text, deepest, longest):
        line = text.count("\n", 0, start) + 1
        return f"Line {line}, column {start - text.rfind(chr(10), 0, start)}", problem
    return None


def _problems(text: str, deepest: int, longest: int) -> Iterator[tuple[int, str]]:
    keys: list[set[str]] = []  # of the objects and lists that are open; those of a list stay empty
    last = (0, "")  # where the last part begins, and the text that it is
    for found in _PART.finditer(text):
        part, start = found[0], found.start()
        if part in "{[":
            keys.append(set())
            if len(keys) > deepest:
                yield start, f"This is nested more than {deepest} levels deep."
        elif part in "}]":
            keys = keys[:-1]
        elif part == ":" and keys:
            if last[1] in keys[-1]:
                yield last[0], f"The key {last[1]!r} occurs twice in one object."
            keys[-1].add(last[1])
        else:
            yield from ((start, problem) for problem in _value_problems(part, longest))
        last = (start, _read(part))


def _value_problems(part: str, longest: int) -> Iterator[str]:
    if part[0] == '"':
        problem = text_problem(_read(part), max_length=longest)
        if problem:
            yield problem
    elif part.lstrip("-") in ("NaN", "Infinity"):
        yield f"{part} is not JSON."
    elif len(part) > _MOST_DIGITS:
        yield f"A number has at most {_MOST_DIGITS:,} digits."


def _read(part: str) -> str:
    """The text that a part is, as far as it is one."""
    try:
        return str(json.loads(part)) if part[0] == '"' else ""
    except ValueError:
        return ""
