"""Which names an expression reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.workflows.engine.guards.syntax import Call, Constant, Ident, Items, Node, Select, parts_of, path_of

Reads = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Name:
    """A name that is read, such as `request.data.amount`; `tested` if only `has()` asks for it."""

    path: tuple[str, ...]
    tested: bool = False

    def __str__(self) -> str:
        return ".".join(self.path)


def names_of(tree: Node) -> tuple[Name, ...]:
    """The names of the environment that are read, each once, in the order of the text.

    A name is the longest path that is certain: `request.data[request.data.key]` reads `request.data` as a whole, and
    `request.data.key`. What a macro's variable hides is not counted.
    """
    found: dict[tuple[str, ...], bool] = {}
    for path, tested in _paths(tree, frozenset()):
        found[path] = found.get(path, True) and tested
    return tuple(Name(path=path, tested=tested) for path, tested in found.items())


def comparisons_of(tree: Node) -> Iterator[tuple[tuple[str, ...], str]]:
    """The names that are compared with a text written down, each with that text: by `==`, `!=`, or `in` a list."""
    return _comparisons(tree, frozenset())


def _comparisons(node: Node, hidden: frozenset[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(node, Call) and node.function in ("_==_", "_!=_", "@in"):
        for one, other in (node.arguments, node.arguments[::-1]):
            path = path_of(one)
            if path is not None and path[0] not in hidden:
                yield from ((path, text) for text in _texts(other))
    for part, bound in parts_of(node):
        yield from _comparisons(part, hidden | bound)


def _texts(node: Node) -> Iterator[str]:
    for each in node.elements if isinstance(node, Items) else (node,):
        if isinstance(each, Constant) and isinstance(each.value, str):
            yield each.value


def reads_of(names: Iterable[Name]) -> Reads:
    """The names as nested maps; None stands for all that is below."""
    reads: dict[str, Any] = {}
    for name in sorted(names, key=lambda each: len(each.path)):
        _enter(reads, name.path)
    return reads


def _enter(reads: dict[str, Any], path: tuple[str, ...]) -> None:
    level = reads
    for part in path[:-1]:
        level = level.setdefault(part, {})
        if level is None:
            return
    level.setdefault(path[-1], None)


def _paths(node: Node, hidden: frozenset[str]) -> Iterator[tuple[tuple[str, ...], bool]]:
    path = path_of(node)
    if path is not None:
        if path[0] not in hidden and not _is_type(node):
            yield path, isinstance(node, Select) and node.tested
        return
    for part, bound in parts_of(node):
        yield from _paths(part, hidden | bound)


def _is_type(node: Node) -> bool:
    """`int` in `type(x) == int`."""
    return isinstance(node, Ident) and node.type == "type"
