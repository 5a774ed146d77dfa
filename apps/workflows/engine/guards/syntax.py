"""The tree of a checked expression.

The binding shows none, but it serializes a checked expression as `cel.expr.CheckedExpr`. The few messages and fields
that are needed are described here as in the cel-spec (proto/cel/expr/{checked,syntax}.proto) and decoded by protobuf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped]
from google.protobuf.any_pb2 import Any as Envelope  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

ANY = "any"


class TooDeep(ValueError):
    """The expression is nested more deeply than protobuf decodes (100 messages)."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A part of an expression. `type` is what the check found: int, double, string, ..., or any."""

    type: str


@dataclass(frozen=True, kw_only=True)
class Constant(Node):
    """A value written down."""

    value: Any


@dataclass(frozen=True, kw_only=True)
class Ident(Node):
    """A name: of the environment, or of a macro's variable."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Select(Node):
    """`operand.field`; with `tested` it is `has(operand.field)`."""

    operand: Node
    field: str
    tested: bool


@dataclass(frozen=True, kw_only=True)
class Call(Node):
    """An operator (`_>_`, `@in`, `_[_]`) or a function. Of a method (`member`) the target is the first argument."""

    function: str
    arguments: tuple[Node, ...]
    member: bool


@dataclass(frozen=True, kw_only=True)
class Items(Node):
    """A list written down."""

    elements: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Entries(Node):
    """A map written down: keys and values in turn."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Comprehension(Node):
    """What `all`, `exists`, `exists_one`, `map` and `filter` become: a fold over `over`."""

    variables: tuple[str, ...]
    over: Node
    accumulator: str
    start: Node
    condition: Node
    step: Node
    result: Node

    @property
    def bound(self) -> frozenset[str]:
        """The names that hide those of the environment within condition, step and result."""
        return frozenset({*self.variables, self.accumulator})


def tree_of(serialized: bytes) -> Node:
    """The tree of `Expression.serialize()`. Raises TooDeep."""
    envelope = Envelope()
    envelope.ParseFromString(serialized)
    checked = _MESSAGES["CheckedExpr"]()
    try:
        checked.ParseFromString(envelope.value)
    except DecodeError as error:
        raise TooDeep("This expression is nested too deeply.") from error
    types = {entry.key: _type_name(entry.value) for entry in checked.type_map}
    return _node(checked.expr, types)


def parts_of(node: Node) -> Iterator[tuple[Node, frozenset[str]]]:
    """The parts directly below a node, each with the names that the node binds within it."""
    nothing: frozenset[str] = frozenset()
    if isinstance(node, Select):
        yield node.operand, nothing
    elif isinstance(node, Call):
        yield from ((part, nothing) for part in node.arguments)
    elif isinstance(node, Items):
        yield from ((part, nothing) for part in node.elements)
    elif isinstance(node, Entries):
        yield from ((part, nothing) for part in node.parts)
    elif isinstance(node, Comprehension):
        yield from ((part, nothing) for part in (node.over, node.start))
        yield from ((part, node.bound) for part in (node.condition, node.step, node.result))


def path_of(node: Node) -> tuple[str, ...] | None:
    """`("request", "data", "x")` of `request.data.x` and `request.data["x"]`; None for what is no such path."""
    if isinstance(node, Ident):
        return (node.name.removeprefix("."),)
    if isinstance(node, Select):
        return _longer(node.operand, node.field)
    if isinstance(node, Call) and node.function == "_[_]":
        key = node.arguments[1]
        if isinstance(key, Constant) and isinstance(key.value, str):
            return _longer(node.arguments[0], key.value)
    return None


def _longer(operand: Node, name: str) -> tuple[str, ...] | None:
    path = path_of(operand)
    return (*path, name) if path else None


# from messages to nodes


def _node(message: Any, types: Mapping[int, str]) -> Node:
    kind = message.WhichOneof("kind")
    return _READERS[kind](getattr(message, kind), types.get(message.id, ANY), types)


def _constant(part: Any, kind: str, types: Mapping[int, str]) -> Node:
    chosen = part.WhichOneof("kind")
    return Constant(type=kind, value=None if chosen in (None, "null_value") else getattr(part, chosen))


def _ident(part: Any, kind: str, types: Mapping[int, str]) -> Node:
    return Ident(type=kind, name=part.name)


def _select(part: Any, kind: str, types: Mapping[int, str]) -> Node:
    return Select(type=kind, operand=_node(part.operand, types), field=part.field, tested=part.test_only)


def _call(part: Any, kind: str, types: Mapping[int, str]) -> Node:
    member = part.HasField("target")
    given = [*([part.target] if member else []), *part.args]
    arguments = tuple(_node(each, types) for each in given)
    return Call(type=kind, function=part.function, arguments=arguments, member=member)


def _items(part: Any, kind: str, types: Mapping[int, str]) -> Node:
    return Items(type=kind, elements=tuple(_node(each, types) for each in part.elements))


def _entries(part: Any, kind: str, types: Mapping[int, str]) -> Node:
    both = [each for entry in part.entries for each in (entry.map_key, entry.value)]
    return Entries(type=kind, parts=tuple(_node(each, types) for each in both if each.WhichOneof("kind")))


def _comprehension(part: Any, kind: str, types: Mapping[int, str]) -> Node:
    return Comprehension(
        type=kind,
        variables=tuple(name for name in (part.iter_var, part.iter_var2) if name),
        over=_node(part.iter_range, types),
        accumulator=part.accu_var,
        start=_node(part.accu_init, types),
        condition=_node(part.loop_condition, types),
        step=_node(part.loop_step, types),
        result=_node(part.result, types),
    )


_READERS: Mapping[str, Callable[[Any, str, Mapping[int, str]], Node]] = {
    "const_expr": _constant,
    "ident_expr": _ident,
    "select_expr": _select,
    "call_expr": _call,
    "list_expr": _items,
    "struct_expr": _entries,
    "comprehension_expr": _comprehension,
}
_PRIMITIVES = {1: "bool", 2: "int", 3: "uint", 4: "double", 5: "string", 6: "bytes"}
_WELL_KNOWN = {2: "timestamp", 3: "duration"}
_BY_FIELD = {"list_type": "list", "map_type": "map", "null": "null", "type": "type"}


def _type_name(message: Any) -> str:
    kind = message.WhichOneof("kind")
    if kind == "primitive":
        return _PRIMITIVES.get(message.primitive, ANY)
    if kind == "well_known":
        return _WELL_KNOWN.get(message.well_known, ANY)
    return _BY_FIELD.get(kind, ANY)


# the messages, in short: field -> (number, type); a leading "*" repeats it, a leading "?" makes it one of `kind`

_LAYOUT: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "CheckedExpr": {"type_map": (3, "*TypeEntry"), "expr": (4, "Expr")},
    "TypeEntry": {"key": (1, "int64"), "value": (2, "Type")},
    "Type": {
        "dyn": (1, "?Empty"),
        "null": (2, "?int64"),
        "primitive": (3, "?int64"),
        "well_known": (5, "?int64"),
        "list_type": (6, "?Empty"),
        "map_type": (7, "?Empty"),
        "type": (11, "?Empty"),
    },
    "Empty": {},
    "Expr": {
        "id": (2, "int64"),
        "const_expr": (3, "?Constant"),
        "ident_expr": (4, "?Ident"),
        "select_expr": (5, "?Select"),
        "call_expr": (6, "?Call"),
        "list_expr": (7, "?List"),
        "struct_expr": (8, "?Struct"),
        "comprehension_expr": (9, "?Comprehension"),
    },
    "Constant": {
        "null_value": (1, "?int64"),
        "bool_value": (2, "?bool"),
        "int64_value": (3, "?int64"),
        "uint64_value": (4, "?uint64"),
        "double_value": (5, "?double"),
        "string_value": (6, "?string"),
        "bytes_value": (7, "?bytes"),
    },
    "Ident": {"name": (1, "string")},
    "Select": {"operand": (1, "Expr"), "field": (2, "string"), "test_only": (3, "bool")},
    "Call": {"target": (1, "Expr"), "function": (2, "string"), "args": (3, "*Expr")},
    "List": {"elements": (1, "*Expr")},
    "Struct": {"entries": (2, "*Entry")},
    "Entry": {"map_key": (3, "Expr"), "value": (4, "Expr")},
    "Comprehension": {
        "iter_var": (1, "string"),
        "iter_range": (2, "Expr"),
        "accu_var": (3, "string"),
        "accu_init": (4, "Expr"),
        "loop_condition": (5, "Expr"),
        "loop_step": (6, "Expr"),
        "result": (7, "Expr"),
        "iter_var2": (8, "string"),
    },
}
_PACKAGE = "serviceflow.cel"


def _describe(name: str, fields: Mapping[str, tuple[int, str]], into: Any) -> None:
    message = into.message_type.add(name=name)
    for field, (number, kind) in fields.items():
        marker, plain = kind[0], kind.lstrip("*?")
        described = message.field.add(name=field, number=number, label=3 if marker == "*" else 1)
        if plain in _LAYOUT:
            described.type, described.type_name = 11, f".{_PACKAGE}.{plain}"
        else:
            described.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{plain.upper()}")
        if marker == "?":
            described.oneof_index = 0
    if any(kind[0] == "?" for _, kind in fields.values()):
        message.oneof_decl.add(name="kind")


def _message_classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="serviceflow/cel.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _LAYOUT.items():
        _describe(name, fields, file)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _LAYOUT}


_MESSAGES = _message_classes()
