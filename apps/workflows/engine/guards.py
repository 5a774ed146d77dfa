"""The one place that touches CEL (the Common Expression Language; the binding is Google's cel-cpp).

An expression sees `request`, `run`, `visit` and `instances`, each a map of names to values of any type, and `now`, a
timestamp. Values go in and come out like this:

- int, bool, str, None, lists and maps as they are; a whole number that does not fit 64 bits becomes a double;
- Decimal becomes a double before it goes in: the binding refuses it;
- datetime and timedelta: the binding takes a datetime only as a variable declared a timestamp, never inside a map, so
  inside the facts they are handed over as protobuf Timestamp and Duration messages, which it takes anywhere. A datetime
  without a zone is refused. A date has no counterpart; the caller makes it the midnight that is meant;
- results come out as plain Python values; a timestamp as an aware datetime in UTC.

Numbers of different types compare (`request.data.n > 3.0` with an int), but only where one side's type is known at run
time alone: two literals (`1 > 3.0`) do not compile. Arithmetic needs one type. cel-cpp bounds nesting (32) and
iterations itself; expressions have at most 2,000 characters, facts at most 32 levels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from cel_expr_python import cel
from google.protobuf.duration_pb2 import Duration  # type: ignore[import-untyped]
from google.protobuf.timestamp_pb2 import Timestamp  # type: ignore[import-untyped]

LONGEST = 2_000
DEEPEST = 32
NAMES = ("request", "run", "visit", "instances")
_MAP = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_ENVIRONMENT = cel.NewEnv(variables={**dict.fromkeys(NAMES, _MAP), "now": cel.Type.TIMESTAMP})
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


class GuardFailed(Exception):
    """An expression that gave no usable value, and why."""

    def __init__(self, expression: str, reason: str) -> None:
        self.expression = expression
        self.reason = reason
        super().__init__(f"{reason} (in: {expression})")


def check_expression(source: object, *, boolean: bool = False) -> str | None:
    """Why the source is no expression (with `boolean`: no condition), or None."""
    if not isinstance(source, str) or not source.strip():
        return "An expression is a text that is not empty."
    if len(source) > LONGEST:
        return f"An expression has at most {LONGEST:,} characters, this one has {len(source):,}."
    try:
        kind = _compiled(source).return_type()
    except (RuntimeError, TypeError, ValueError) as error:
        return _reason(str(error))
    if boolean and kind not in (cel.Type.BOOL, cel.Type.DYN):
        return f"A condition is true or false, this one gives {kind.name().lower()}."
    return None


def evaluate(source: str, facts: Mapping[str, Any], now: datetime) -> Any:
    """The value of an expression as a plain Python value. Raises GuardFailed."""
    problem = check_expression(source)
    if problem:
        raise GuardFailed(source, problem)
    try:
        seen = {name: _given(facts.get(name, {}), DEEPEST) for name in NAMES}
        value = _compiled(source).eval(data={**seen, "now": now})
        plain = value.plain_value()
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise GuardFailed(source, _reason(str(error))) from error
    if value.type() == cel.Type.ERROR:
        raise GuardFailed(source, _reason(str(plain)))
    return plain


def holds(source: str, facts: Mapping[str, Any], now: datetime) -> bool:
    """Whether a condition holds. Raises GuardFailed, also where the value is neither true nor false."""
    value = evaluate(source, facts, now)
    if not isinstance(value, bool):
        raise GuardFailed(source, f"A condition is true or false, this one gave {type(value).__name__}.")
    return value


@lru_cache(maxsize=4_096)
def _compiled(source: str) -> Any:
    return _ENVIRONMENT.compile(source)


def _reason(raw: str) -> str:
    """The first line of CEL's message, without its code words."""
    line = raw.strip().splitlines()[0] if raw.strip() else "It could not be evaluated."
    if line.startswith("compile(): incompatible function arguments"):
        return "The text holds characters that cannot be encoded."
    return line.removeprefix("INVALID_ARGUMENT: ").removeprefix("ERROR: ").removesuffix(" [INVALID_ARGUMENT]")[:500]


def _given(value: Any, depth: int) -> Any:
    """A fact as the binding takes it. Raises ValueError for what has no counterpart."""
    for kind, convert in _CONVERSIONS.items():
        if isinstance(value, kind):
            return convert(value)
    if depth == 0:
        raise ValueError(f"The facts are nested more than {DEEPEST} levels deep.")
    if isinstance(value, Mapping):
        return {str(key): _given(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_given(item, depth - 1) for item in value]
    raise ValueError(f"A value of type {type(value).__name__} cannot be used in an expression.")


def _same(value: Any) -> Any:
    return value


def _number(value: int) -> int | float:
    return value if _SMALLEST <= value <= _LARGEST else float(value)


def _timestamp(value: datetime) -> Timestamp:
    if value.tzinfo is None:
        raise ValueError("A point in time without a zone cannot be used in an expression.")
    message = Timestamp()
    message.FromDatetime(value)
    return message


def _duration(value: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(value)
    return message


_CONVERSIONS: Mapping[type, Callable[[Any], Any]] = {
    **dict.fromkeys((bool, float, type(None)), _same),
    str: str.__str__,  # an enum's member becomes its plain text
    int: _number,
    Decimal: float,
    datetime: _timestamp,
    timedelta: _duration,
}
