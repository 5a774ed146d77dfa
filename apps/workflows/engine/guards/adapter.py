"""The one place that touches CEL (the Common Expression Language; the binding is Google's cel-cpp).

An expression sees `request`, `run`, `visit` and `instances`, each a map of names to values of any type, and `now`, a
timestamp; in a step with instances also `item`, a value of any type, and `index`, an int: elsewhere they are absent,
and reading them is an error. A condition of an SLA sees `event` and nothing else. Values go in and come out like this:

- int, bool, str, None, lists and maps as they are; a whole number that does not fit 64 bits becomes a double;
- Decimal becomes a double before it goes in: the binding refuses it;
- datetime and timedelta: the binding takes a datetime only as a variable declared a timestamp, never inside a map, so
  inside the facts they are handed over as protobuf Timestamp and Duration messages, which it takes anywhere. A datetime
  without a zone is refused. A date has no counterpart; the caller makes it the midnight that is meant;
- results come out as plain Python values; a timestamp as an aware datetime in UTC.

Numbers of different types compare (`request.data.n > 3.0` with an int), but only where one side's type is known at run
time alone: two literals (`1 > 3.0`) do not compile. Arithmetic needs one type.

An expression is compiled once per process. Only what it reads of the facts goes in, so evaluating costs about as much
as the expression is long, whatever else a request holds. Bounds: 2,000 characters; nesting 32 and 10,000 iterations
(cel-cpp); the facts that are read (`conversion.HEAVIEST`) and what could be built from them (`cost.MOST`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

from apps.workflows.engine.guards.conversion import Intake
from apps.workflows.engine.guards.cost import MOST, cost_of, needs_measuring, size_of
from apps.workflows.engine.guards.names import Name, Reads, comparisons_of, names_of, reads_of
from apps.workflows.engine.guards.syntax import Node, tree_of

LONGEST = 2_000
NAMES = ("request", "run", "visit", "instances")
OF_AN_INSTANCE = ("item", "index")
SOMETIMES = (*OF_AN_INSTANCE, "event")
_MAP = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_ENVIRONMENT = cel.NewEnv(
    variables={
        **dict.fromkeys(NAMES, _MAP),
        "event": _MAP,
        "item": cel.Type.DYN,
        "index": cel.Type.INT,
        "now": cel.Type.TIMESTAMP,
    }
)
_MIXED = " Numbers written down must be of one type: write 10.0, not 10, where the other side is a double."
_MISSING = re.compile(r'NOT_FOUND: Key not found in map : (".*")')
_TOO_COSTLY = "The expression could take too much time or memory: shorten its lists, texts or repetitions."


class GuardFailed(Exception):
    """An expression that gave no usable value, and why."""

    def __init__(self, expression: str, reason: str) -> None:
        self.expression = expression
        self.reason = reason
        super().__init__(f"{reason} (in: {expression})")


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """An expression that compiles, with what is known of it; `measured` if its cost depends on the facts."""

    program: Any
    tree: Node
    names: tuple[Name, ...]
    reads: Reads
    size: int
    measured: bool


def check_expression(source: object, *, boolean: bool = False) -> str | None:
    """Why the source is no expression (with `boolean`: no condition), or None."""
    problem = _text_problem(source)
    if problem:
        return problem
    try:
        kind = compiled(str(source)).program.return_type()
    except (RuntimeError, TypeError, ValueError) as error:
        return _reason(str(error))
    if boolean and kind not in (cel.Type.BOOL, cel.Type.DYN):
        return f"A condition is true or false, this one gives {kind.name().lower()}."
    return None


def names_in(source: str) -> tuple[Name, ...]:
    """The names that an expression reads, in the order of its text. Raises GuardFailed if it does not compile."""
    return _ready(source).names


def compared_in(source: str) -> tuple[tuple[tuple[str, ...], str], ...]:
    """The names that an expression compares with a text, each with that text. Raises GuardFailed as `names_in`."""
    return tuple(comparisons_of(_ready(source).tree))


def evaluate(source: str, facts: Mapping[str, Any], now: datetime) -> Any:
    """The value of an expression as a plain Python value. Raises GuardFailed."""
    guard = _ready(source)
    try:
        value = guard.program.eval(data={**_seen(guard, facts), "now": now})
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


@lru_cache(maxsize=1_024)
def compiled(source: str) -> Compiled:
    """The expression, compiled. Raises RuntimeError, TypeError or ValueError with CEL's message, or ours."""
    program = _ENVIRONMENT.compile(source)
    tree = tree_of(program.serialize())
    if cost_of(tree) > MOST:
        raise ValueError(_TOO_COSTLY)
    names = names_of(tree)
    return Compiled(
        program=program,
        tree=tree,
        names=names,
        reads=reads_of(names),
        size=size_of(tree),
        measured=needs_measuring(tree),
    )


def _ready(source: str) -> Compiled:
    problem = check_expression(source)
    if problem:
        raise GuardFailed(source, problem)
    return compiled(source)


def _seen(guard: Compiled, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the expression reads of the facts, converted. Raises ValueError where that is too much."""
    intake = Intake()
    seen = {name: intake.read(facts.get(name, {}), guard.reads[name]) for name in NAMES if name in guard.reads}
    for name in SOMETIMES:
        if name in guard.reads and name in facts:
            seen[name] = intake.read(facts[name], guard.reads[name])
    heavy = guard.measured or guard.size * intake.weight > MOST
    if heavy and cost_of(guard.tree, seen) > MOST:
        raise ValueError(_TOO_COSTLY)
    return seen


def _text_problem(source: object) -> str | None:
    if not isinstance(source, str) or not source.strip():
        return "An expression is a text that is not empty."
    if len(source) > LONGEST:
        return f"An expression has at most {LONGEST:,} characters, this one has {len(source):,}."
    return None


def _reason(raw: str) -> str:
    """The first line of CEL's message, without its code words; a field that is not there in words for people."""
    line = raw.strip().splitlines()[0] if raw.strip() else "It could not be evaluated."
    if line.endswith(("applied to '(double, int)'", "applied to '(int, double)'")):
        line += f".{_MIXED}"
    if missing := _MISSING.match(line):
        return f"{missing[1]} is empty or not there."
    if line.startswith("compile(): incompatible function arguments"):
        return "The text holds characters that cannot be encoded."
    return line.removeprefix("INVALID_ARGUMENT: ").removeprefix("ERROR: ").removesuffix(" [INVALID_ARGUMENT]")[:500]
