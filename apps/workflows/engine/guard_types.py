"""Guards against the forms: does an expression read what is there, and does every operation fit the types it may meet?

A `Shape` says what `request.data` may hold in one world, usually that of one catalogue item; the other names are the
same everywhere. The names are read from the checked expression. The types are found from the inside out: each
operation of the expression is tried by CEL itself on samples of every type its parts may have. So an operation behind
`&&` or `has()` is checked as well, whatever stands before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice, product
from types import MappingProxyType
from typing import Any

from apps.workflows.engine.guards.adapter import OF_AN_INSTANCE, check_expression, compiled
from apps.workflows.engine.guards.operations import OVER, operator_of, result_of
from apps.workflows.engine.guards.syntax import (
    ANY,
    Call,
    Comprehension,
    Constant,
    Node,
    Select,
    parts_of,
    path_of,
)
from apps.workflows.engine.guards.writing import written

Types = frozenset[str]
ANYTHING: Types = frozenset({ANY})
BOOL, INT, DOUBLE, STRING = (frozenset({name}) for name in ("bool", "int", "double", "string"))
TIMESTAMP, LIST, MAP = (frozenset({name}) for name in ("timestamp", "list", "map"))
NUMBER = INT | DOUBLE
_ARTICLES = {"int": "an int", "null": "null", "any": "any value"}
_MOST_COMBINATIONS = 100
_MOST_NAMED = 12
_ARITHMETIC = frozenset({"_+_", "_-_", "_*_", "_/_", "_%_"})
_EQUALITY = frozenset({"_==_", "_!=_"})
_INTERNAL = frozenset({"@not_strictly_false"})


@dataclass(frozen=True, kw_only=True)
class GuardProblem:
    """`expression` does not compile, `unknown_field` reads what is nowhere, `guard_type` does not fit the types."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True)
class FieldShape:
    """The types a field's value may have in guards (`int`, `double`, ..., `any`); `always` if it is never absent."""

    types: Types = ANYTHING
    always: bool = False


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What `request.data` may hold for one item, named by it. `open`: there may be other fields as well."""

    name: str = ""
    fields: Mapping[str, FieldShape] = field(default_factory=lambda: MappingProxyType({}))
    open: bool = False


ANY_SHAPE = Shape(open=True)
REQUEST: Mapping[str, Types] = {
    **dict.fromkeys(("number", "item", "title", "priority", "impact", "urgency"), STRING),
    **dict.fromkeys(("requester", "requested_for", "department"), STRING),
    "created_at": TIMESTAMP,
    "tags": LIST,
}
_ELSEWHERE: Mapping[str, Any] = {
    "run": {"n": INT, "input": MAP, "outcome": STRING},
    "visit": {"id": INT, "step": STRING, "came_from": STRING | {"null"}},
    "instances": {"total": INT, "completed": INT, "outcomes": LIST},
    "item": ANYTHING,
    "index": INT,
    "now": TIMESTAMP,
}


def check_types(
    source: str, shapes: Iterable[Shape] = (), *, boolean: bool = False, instance: bool = True
) -> tuple[GuardProblem, ...]:
    """What is wrong with an expression in any of the shapes; a message names the items that it is about.

    Without shapes nothing is known of `request.data`, and the rest is checked. With `boolean` it must give true or
    false. `instance` says whether `item` and `index` exist where it stands. A field that may be absent and is read
    without `has()` is no problem here. Never raises.
    """
    broken = check_expression(source, boolean=boolean)
    if broken:
        return (GuardProblem(code="expression", message=broken),)
    found: dict[GuardProblem, list[str]] = {}
    for shape in tuple(shapes) or (ANY_SHAPE,):
        for problem in _problems(compiled(source).tree, shape, boolean=boolean, instance=instance):
            found.setdefault(problem, []).append(shape.name)
    return tuple(_naming(problem, [name for name in names if name]) for problem, names in found.items())


def check_types_in(source: str, world: Mapping[str, Any]) -> tuple[GuardProblem, ...]:
    """What is wrong with a condition that reads the names of `world` only: types by name, maps of them below. Never
    raises.
    """
    broken = check_expression(source, boolean=True)
    if broken:
        return (GuardProblem(code="expression", message=broken),)
    return tuple(_found(_Reader(world), compiled(source).tree, boolean=True))


def said(types: Types) -> str:
    """The types as part of a sentence: `an int or a double`."""
    return " or ".join(_ARTICLES.get(name, f"a {name}") for name in sorted(types, reverse=True))


def _naming(problem: GuardProblem, names: list[str]) -> GuardProblem:
    if not names:
        return problem
    listed = ", ".join(names[:_MOST_NAMED]) + (" ..." if len(names) > _MOST_NAMED else "")
    label = "item" if len(names) == 1 else "items"
    return GuardProblem(code=problem.code, message=f"{problem.message} ({label} {listed})")


def _problems(tree: Node, shape: Shape, *, boolean: bool, instance: bool) -> list[GuardProblem]:
    data = ANYTHING if shape.open else {name: each.types for name, each in shape.fields.items()}
    world: Mapping[str, Any] = {"request": {**REQUEST, "data": data}, **_ELSEWHERE}
    return _found(_Reader(world, shape=shape, instance=instance), tree, boolean=boolean)


def _found(reader: _Reader, tree: Node, *, boolean: bool) -> list[GuardProblem]:
    gives = reader.types(tree, frozenset())
    if boolean and gives - BOOL - ANYTHING:
        reader.object(f"A condition is true or false, this one gives {said(gives - BOOL)}.")
    return list(dict.fromkeys(reader.problems))


class _Reader:
    """Finds the types of every part in one world and gathers what does not fit."""

    def __init__(self, world: Mapping[str, Any], *, shape: Shape = ANY_SHAPE, instance: bool = True) -> None:
        self.world = world
        self.shape = shape
        self.instance = instance
        self.problems: list[GuardProblem] = []

    def object(self, message: str, code: str = "guard_type") -> None:
        self.problems.append(GuardProblem(code=code, message=message))

    def types(self, node: Node, hidden: frozenset[str]) -> Types:
        """The types the part may have."""
        path = path_of(node)
        if path is not None and path[0] not in hidden and node.type != "type":
            found = self._look_up(path)
            return BOOL if isinstance(node, Select) and node.tested else found
        given = [self.types(part, hidden | bound) for part, bound in parts_of(node)]
        found = self._call(node, given) if isinstance(node, Call) else ANYTHING
        if isinstance(node, Comprehension) and not self._fits(OVER, given[:1]):
            self.object(f"{written(node.over)} is {said(given[0])}: only a list or a map has elements to go through.")
        return found if node.type == ANY else frozenset({node.type})

    # names

    def _look_up(self, path: tuple[str, ...]) -> Types:
        level: Any = self.world
        if path[0] in OF_AN_INSTANCE and not self.instance:
            self.object(f"{path[0]} exists only in a step with for_each or count.", "unknown_field")
            return ANYTHING
        for place, name in enumerate(path):
            if isinstance(level, frozenset):
                return self._below(path, place, level)
            if name not in level:
                self.object(_unknown(path, place, level, self.shape), "unknown_field")
                return ANYTHING
            level = level[name]
        return level if isinstance(level, frozenset) else MAP

    def _below(self, path: tuple[str, ...], place: int, types: Types) -> Types:
        if not types & (ANYTHING | MAP):
            self.object(f"{'.'.join(path[:place])} is {said(types)}: it has no part {path[place]!r}.")
        return ANYTHING

    # operations

    def _fits(self, function: str, given: list[Types], *, member: bool = False) -> bool:
        return None not in self._results(function, given, member=member)

    @staticmethod
    def _results(function: str, given: list[Types], *, member: bool) -> set[str | None]:
        combinations = islice(product(*(sorted(types) for types in given)), _MOST_COMBINATIONS)
        return {result_of(function, types, member=member) for types in combinations}

    def _call(self, node: Call, given: list[Types]) -> Types:
        if node.function in _INTERNAL:
            return BOOL
        if node.function == "_?_:_":
            if not self._fits("!_", given[:1]):
                self.object(f"{written(node.arguments[0])} is {said(given[0])}: before ? stands true or false.")
            return given[1] | given[2]
        results = self._results(node.function, given, member=node.member)
        if None in results:
            self.object(_misfit(node, given))
        elif _never_equal(node, given):
            self.object(f"{_facts(node.arguments, given)}: they are never equal.{_about_null(node)}")
        return frozenset(each for each in results if each is not None) or ANYTHING


def _unknown(path: tuple[str, ...], place: int, level: Mapping[str, Any], shape: Shape) -> str:
    name, above = path[place], ".".join(path[:place])
    text = f"There is no {above}.{name}."
    if above == "request" and name in shape.fields:
        return f"{text} Did you mean request.data.{name}?"
    near = get_close_matches(name, level, n=1)
    if near:
        return f"{text} Did you mean {above}.{near[0]}?"
    return f"{text} {above} has {', '.join(list(level)[:_MOST_NAMED]) or 'no names'}."


def _facts(arguments: Iterable[Node], given: Iterable[Types]) -> str:
    """`request.data.n is an int and "x" is a string`"""
    known = [(part, types) for part, types in zip(arguments, given, strict=True) if not types & ANYTHING]
    return " and ".join(f"{written(part)} is {said(types)}" for part, types in known)


def _misfit(node: Call, given: list[Types]) -> str:
    sign = operator_of(node.function)
    if sign in ("&&", "||", "!"):
        wrong = [(part, types) for part, types in zip(node.arguments, given, strict=True) if types - BOOL - ANYTHING]
        return f"{_facts(*zip(*wrong, strict=True))}: {sign} takes only true or false."
    if node.function in _ARITHMETIC and all(types <= NUMBER for types in given):
        corrected = f" {sign} ".join(
            _as_one_type(sign, part, types) for part, types in zip(node.arguments, given, strict=True)
        )
        return f"{_facts(node.arguments, given)}: arithmetic needs one type. Write {corrected}."
    hint = _about_times(given)
    return f"{_facts(node.arguments, given)}: {sign} does not take {'them' if len(given) > 1 else 'it'}.{hint}"


def _as_one_type(sign: str, part: Node, types: Types) -> str:
    """The part as a double; as an int where the operator (`%`) has no other."""
    wanted, convert = (INT, "int") if sign == "%" else (DOUBLE, "double")
    if types == wanted:
        return written(part)
    if isinstance(part, Constant) and wanted == DOUBLE:
        return f"{part.value}.0"
    return f"{convert}({written(part)})"


def _about_times(given: list[Types]) -> str:
    if TIMESTAMP in given and STRING in given:
        return ' A point in time is written timestamp("2026-01-31T00:00:00Z").'
    return ""


def _about_null(node: Call) -> str:
    if any(isinstance(part, Constant) and part.value is None for part in node.arguments):
        return " An empty field is absent: ask has(...)."
    return ""


def _never_equal(node: Call, given: list[Types]) -> bool:
    return (
        node.function in _EQUALITY and not (given[0] | given[1]) & ANYTHING and not _alike(given[0]) & _alike(given[1])
    )


def _alike(types: Types) -> Types:
    """Numbers of all types compare with each other."""
    return frozenset("number" if name in ("int", "uint", "double") else name for name in types)
