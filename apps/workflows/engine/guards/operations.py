"""What an operation makes of values of given types, found by letting CEL try it on samples."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import product
from typing import Any

from apps.workflows.engine.guards.adapter import GuardFailed, evaluate
from apps.workflows.engine.guards.syntax import ANY

OVER = "@over"
_NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
_SAMPLES: Mapping[str, tuple[Any, ...]] = {
    "bool": (True, False),
    "int": (1,),
    "double": (1.5,),
    "string": ("2026-01-31T12:00:00Z",),
    "timestamp": (_NOW,),
    "duration": (timedelta(hours=1),),
    "list": ([1],),
    "map": ({"k": 1},),
    "null": (None,),
}
_NAMES: Mapping[type, str] = {type(samples[0]): name for name, samples in _SAMPLES.items()}
_REFUSALS = ("No matching overload", "Invalid container type", "Index error: expected", "non-message type")
_LETTERS = "abcdefgh"


@lru_cache(maxsize=4_096)
def result_of(function: str, types: tuple[str, ...], *, member: bool = False) -> str | None:
    """The type that the operation gives for arguments of these types; None if CEL has no such operation.

    `any` where it cannot be said: of a type without samples, or where only an error about the value came. Of each type
    all samples are tried, since `a && b` looks at b for some values of a only.
    """
    if any(name not in _SAMPLES for name in types) or len(types) > len(_LETTERS):
        return ANY
    source = _written(function, [f"item.{letter}" for letter, _ in zip(_LETTERS, types, strict=False)], member)
    found = ANY
    for values in product(*(_SAMPLES[name] for name in types)):
        try:
            value = evaluate(source, {"item": dict(zip(_LETTERS, values, strict=False))}, _NOW)
        except GuardFailed as failure:
            if any(refusal in failure.reason for refusal in _REFUSALS):
                return None
        else:
            found = _NAMES.get(type(value), ANY)
    return ANY if function == "_[_]" else found


def operator_of(function: str) -> str:
    """The sign of an operator (`>` of `_>_`, `in` of `@in`), else the function's name with parentheses."""
    if function == "_[_]":
        return "[]"
    bare = function.strip("_@")
    return bare if function != bare else f"{bare}()"


def _written(function: str, given: list[str], member: bool) -> str:  # noqa: FBT001 - private
    if function == OVER:
        return f"{given[0]}.all(each, true)"
    if function == "_[_]":
        return f"{given[0]}[{given[1]}]"
    if function in ("!_", "-_"):
        return f"{function[0]}{given[0]}"
    if function == "@in" or function.startswith("_"):
        return f" {operator_of(function)} ".join(given)
    if member:
        return f"{given[0]}.{function}({', '.join(given[1:])})"
    return f"{function}({', '.join(given)})"
