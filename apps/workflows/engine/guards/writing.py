"""Parts of an expression as a person would write them, for messages."""

from __future__ import annotations

import json

from apps.workflows.engine.guards.operations import operator_of
from apps.workflows.engine.guards.syntax import Call, Constant, Ident, Node, path_of

_LONGEST = 60


def written(node: Node) -> str:
    """The part as text, at most 60 characters; a part that would not read well is three dots."""
    text = _written(node)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _written(node: Node) -> str:
    path = path_of(node)
    if path is not None:
        return "…" if isinstance(node, Ident) and node.name.startswith("@") else ".".join(path)
    if isinstance(node, Constant):
        return _constant(node)
    return _call(node) if isinstance(node, Call) and not node.function.startswith("@not") else "…"


def _constant(node: Constant) -> str:
    value = node.value
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return repr(value) if isinstance(value, int | float | bytes) else json.dumps(value, ensure_ascii=False)


def _call(node: Call) -> str:
    given = [_within(part) for part in node.arguments]
    if node.function == "_?_:_":
        return "{} ? {} : {}".format(*given)
    if node.function == "_[_]":
        return f"{given[0]}[{given[1]}]"
    if node.function in ("!_", "-_"):
        return f"{node.function[0]}{given[0]}"
    if node.function == "@in" or node.function.startswith("_"):
        return f" {operator_of(node.function)} ".join(given)
    plain = [_written(part) for part in node.arguments]
    return (
        f"{given[0]}.{node.function}({', '.join(plain[1:])})" if node.member else f"{node.function}({', '.join(plain)})"
    )


def _within(node: Node) -> str:
    """In brackets where the part is an operation of its own."""
    is_operation = isinstance(node, Call) and (node.function.startswith("_") or node.function == "@in")
    return f"({_written(node)})" if is_operation and path_of(node) is None else _written(node)
