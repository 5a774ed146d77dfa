"""What an expression may cost at most, found from its tree before it is evaluated.

cel-cpp bounds nesting (32) and the iterations of all macros together (10,000), but not what one iteration builds or
reads: `['a'].map(a, a + a)`, said 27 times, makes 128 MB of two kilobytes. So the sizes of all values that could arise
are bounded first, as cost estimators for CEL do: a value weighs 16, a text its characters besides. One unit is about
a byte that is built or 10 ns of work.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.workflows.engine.guards.conversion import A_VALUE
from apps.workflows.engine.guards.syntax import (
    Call,
    Comprehension,
    Constant,
    Entries,
    Items,
    Node,
    Select,
    parts_of,
    path_of,
)

MOST = 20_000_000
MOST_ITERATIONS = 10_000
_FIXED = frozenset({"bool", "int", "uint", "double", "timestamp", "duration", "null", "type"})
_COMPARISONS = frozenset({"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"})
_CHEAP = frozenset({"_&&_", "_||_", "!_", "@not_strictly_false"})
_COUNTED = re.compile(r"\{(\d{1,6}),?(\d{0,6})\}")
_MOST_REPEATS = 1_000


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How large a value can be: its elements, the weight of all, the weight of the heaviest element."""

    count: int = 0
    size: int = A_VALUE
    largest: int = A_VALUE

    @property
    def element(self) -> Extent:
        return Extent(count=self.largest // A_VALUE, size=self.largest, largest=self.largest)


SCALAR = Extent()
UNKNOWN = Extent(count=10, size=1_000, largest=100)
Scope = Mapping[str, Extent]


def needs_measuring(tree: Node) -> bool:
    """Whether the expression has anything that costs more than its length times its facts."""
    costly = isinstance(tree, Comprehension) or (isinstance(tree, Call) and tree.function == "matches")
    return costly or any(needs_measuring(part) for part, _ in parts_of(tree))


def size_of(tree: Node) -> int:
    """The number of parts of an expression."""
    return 1 + sum(size_of(part) for part, _ in parts_of(tree))


def cost_of(tree: Node, facts: Mapping[str, Any] | None = None) -> int:
    """An upper bound of the cost over these facts (converted); without facts, over small ones of every name."""
    meter = _Meter(facts)
    answer = meter.extent(tree, {}, 1)
    return meter.spent + answer.size


class _Meter:
    """Walks a tree once; `times` is how often a part is evaluated at most."""

    def __init__(self, facts: Mapping[str, Any] | None) -> None:
        self.facts = facts
        self.spent = 0

    def extent(self, node: Node, scope: Scope, times: int) -> Extent:
        path = path_of(node)
        if path is not None:
            self.spent += A_VALUE * times
            found = self._read(path, scope)
        else:
            found = _MEASURES[type(node)](self, node, scope, times)
        return SCALAR if node.type in _FIXED else found

    def _read(self, path: tuple[str, ...], scope: Scope) -> Extent:
        if path[0] in scope:
            return scope[path[0]] if len(path) == 1 else scope[path[0]].element
        if self.facts is None:
            return UNKNOWN
        return extent_of(self._value(path))

    def _value(self, path: tuple[str, ...]) -> Any:
        value: Any = self.facts
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def _constant(self, node: Constant, scope: Scope, times: int) -> Extent:
        return Extent(size=A_VALUE + (len(node.value) if isinstance(node.value, str | bytes) else 0))

    def _select(self, node: Select, scope: Scope, times: int) -> Extent:
        return self.extent(node.operand, scope, times).element

    def _collection(self, node: Items | Entries, scope: Scope, times: int) -> Extent:
        return self._built([self.extent(part, scope, times) for part, _ in parts_of(node)], times)

    def _built(self, parts: list[Extent], times: int) -> Extent:
        size = A_VALUE + sum(part.size for part in parts)
        self.spent += size * times
        return Extent(count=len(parts), size=size, largest=max([A_VALUE, *(part.size for part in parts)]))

    def _call(self, node: Call, scope: Scope, times: int) -> Extent:
        given = [self.extent(part, scope, times) for part in node.arguments]
        work = self._matching(node, scope, given) if node.function == "matches" else _work(node, given)
        self.spent += work * times
        return _result(node, given)

    def _matching(self, node: Call, scope: Scope, given: list[Extent]) -> int:
        """A text against a pattern. What the pattern is may be known with the facts only."""
        text, pattern = given[0].size, given[1].size
        source, path = node.arguments[1], path_of(node.arguments[1])
        found = source.value if isinstance(source, Constant) else None
        if path and path[0] not in scope:
            found = self._value(path)
        if isinstance(found, str):
            return text * pattern * _repeats(found)
        return text * pattern * (1 if self.facts is None else _MOST_REPEATS)

    def _comprehension(self, node: Comprehension, scope: Scope, times: int) -> Extent:
        over = self.extent(node.over, scope, times)
        rounds = min(over.count, MOST_ITERATIONS)
        inner = min(times * max(rounds, 1), MOST_ITERATIONS)
        within = {**scope, **dict.fromkeys(node.variables, over.element), node.accumulator: SCALAR}
        self.extent(node.condition, within, inner)
        step = self.extent(node.step, within, inner)
        self.extent(node.result, within, times)
        return Extent(count=rounds * max(step.count, 1), size=A_VALUE + rounds * step.size, largest=step.largest)


_MEASURES: Mapping[type[Node], Callable[[_Meter, Any, Scope, int], Extent]] = {
    Constant: _Meter._constant,
    Select: _Meter._select,
    Items: _Meter._collection,
    Entries: _Meter._collection,
    Call: _Meter._call,
    Comprehension: _Meter._comprehension,
}


def extent_of(value: Any) -> Extent:
    """The extent of a converted fact."""
    if isinstance(value, Mapping):
        weights = [A_VALUE + len(key) + extent_of(item).size for key, item in value.items()]
    elif isinstance(value, list):
        weights = [extent_of(item).size for item in value]
    else:
        return Extent(size=A_VALUE + (len(value) if isinstance(value, str) else 0))
    return Extent(count=len(weights), size=A_VALUE + sum(weights), largest=max([A_VALUE, *weights]))


def _work(node: Call, given: list[Extent]) -> int:
    """What one evaluation of the call itself reads and builds."""
    sizes = [part.size for part in given]
    if node.function in _CHEAP or node.function in ("_?_:_", "_[_]"):
        return A_VALUE
    if node.function in _COMPARISONS:
        return 2 * min(sizes)
    return sum(sizes)


def _repeats(pattern: str) -> int:
    """What the counted repetitions of a pattern multiply its states by: 12 for `[A-Z]{2}[0-9]{6}`."""
    counts = [max(int(each or 1) for each in found) for found in _COUNTED.findall(pattern)]
    return max(1, min(_MOST_REPEATS, math.prod(counts)))


def _result(node: Call, given: list[Extent]) -> Extent:
    largest = max(part.largest for part in given)
    if node.function == "_?_:_":
        one, other = given[1:]
        return Extent(count=max(one.count, other.count), size=max(one.size, other.size), largest=largest)
    if node.function == "_[_]":
        return given[0].element
    count, size = sum(part.count for part in given), sum(part.size for part in given)
    return Extent(count=count, size=size + A_VALUE, largest=largest)
