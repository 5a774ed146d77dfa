"""Hostile and odd documents for `check_workflow`, by name: JSON values, or the bytes of a file."""

from __future__ import annotations

from typing import Any

from tests.factories import choice_document, line_document

Json = dict[str, Any]


def task(step: Any, **more: Any) -> Json:
    return {"id": step, "kind": "task", "assign": {"requester": True}, **more}


def line(*steps: Json, **more: Any) -> Json:
    return {**line_document("odd", *steps), **more}


def action(name: str, **settings: Any) -> Json:
    return line({"id": "act", "kind": "action", "action": name, "with": settings})


def guard(text: str) -> Json:
    return choice_document(text, "odd")


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def macros(levels: int) -> str:
    text = "true"
    for level in range(levels):
        text = f"[1, 2].all(a{level}, {text})"
    return text


def doubling(times: int) -> str:
    text = "'a'"
    for _ in range(times):
        text = f"['a'].map(a, {text} + {text})[0]"
    return f"{text} == ''"


def jumps(size: int) -> Json:
    """Every task leads to seven others and to the end."""
    outcomes = {"outcomes": [{"id": f"o{number}"} for number in range(8)]}
    arrows = [{"from": "start", "to": "t0"}]
    for index in range(size):
        arrows += [
            {"from": f"t{index}", "to": f"t{(index * 7 + number * 11) % size}", "outcome": f"o{number}"}
            for number in range(7)
        ]
        arrows.append({"from": f"t{index}", "to": "end", "outcome": "o7"})
    return line(*(task(f"t{index}", **outcomes) for index in range(size)), transitions=arrows)


def wide(branches: int) -> Json:
    names = [f"t{index}" for index in range(branches)]
    steps = [{"id": "fork", "kind": "split"}, *map(task, names), {"id": "meet", "kind": "join"}]
    arrows = [{"from": "start", "to": "fork"}, {"from": "meet", "to": "end"}]
    arrows += [{"from": "fork", "to": name} for name in names] + [{"from": name, "to": "meet"} for name in names]
    return line(*steps, transitions=arrows)


def threads(levels: int) -> Json:
    """Each split makes three threads of one."""
    splits = [{"id": f"s{level}", "kind": "split", "merge": "each"} for level in range(levels)]
    document = line(*splits)
    return {**document, "transitions": [arrow for arrow in document["transitions"] for _ in range(3)][2:]}


def many_guards(count: int) -> Json:
    document = guard("true")
    arrows = [{"from": "which", "to": "a", "when": f"request.data.x{index} > {index}"} for index in range(count)]
    return {**document, "transitions": [document["transitions"][0], *arrows, document["transitions"][-1]]}


ODD: dict[str, Any] = {
    # too large, too deep, round and round
    "6,000 steps": line(*(task(f"t{index}") for index in range(6_000))),
    "90,000 stages": line(stages=[1] * 90_000),
    "498 steps in a line": line(*(task(f"t{index}") for index in range(498))),
    "60 steps that lead everywhere": jumps(60),
    "200 branches": wide(200),
    "3 to the power of 20 threads": threads(20),
    "900 guards on one choice": many_guards(900),
    "200 guards on one choice": many_guards(200),
    "40 levels of lists in a setting": action("set_fields", fields={"x": nested(40)}),
    "5,000 levels of lists": b'{"format": 1, "steps": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "a workflow that runs only itself": line({"id": "again", "kind": "subflow", "workflow": "odd"}),
    "a race that leads to itself": line(
        {"id": "race", "kind": "race"}, transitions=[{"from": "start", "to": "race"}, {"from": "race", "to": "race"}]
    ),
    # names
    "ids that are there twice": line(task("a"), task("a"), task("start")),
    "stages that are there twice": line(stages=[{"id": "s", "name": "S"}, {"id": "s", "name": "S"}]),
    "an unknown kind": line({"id": "a", "kind": "teleport"}),
    "unknown keys": line(task("a", foo=1), bar=[]),
    "arrows from nowhere to nowhere": line(transitions=[{"from": "x", "to": "y"}, {"from": "start", "to": "z"}]),
    "names of nothing": line(
        task("a", form="no", assign={"team": "no"}), {"id": "s", "kind": "subflow", "workflow": "no"}
    ),
    "a key that is a path": line(workflow="../../etc"),
    "a long key": line(workflow="k" * 500),
    "letters of other alphabets": line(task("ünï", name="\u202e"), task("ok", assign={"team": "☃"})),
    "a step that cancels itself": line(task("a", cancels=["a", "zz"]), task("b", only_while="b")),
    # the wrong JSON
    "numbers for ids": line(task(5), task(None), {"id": True, "kind": ["x"]}, {"id": {}, "kind": {}}),
    "null lists": dict.fromkeys(("format", "workflow", "name", "steps", "transitions", "stages", "layout", "reopen")),
    "objects for lists": {
        "format": 1,
        "workflow": [],
        "name": {},
        "steps": {"a": 1},
        "transitions": "no",
        "layout": [1],
    },
    "true for a format": line(format=True),
    "a policy of null": line({"id": "p", "kind": "approval", "policy": None}),
    "levels of null": line({"id": "p", "kind": "approval", "policy": {"levels": None}}),
    "lists for people": line(task("a", assign=[]), task("b", assign={"person": 5}), task("c", outcomes=[None])),
    "a secret written down": action("webhook", url=5, secret="plain", body={"a": ["b", {"c": "d("}]}),
    "huge instances": line(task("a", count=10**15), task("b", count="request.data.n * 1000000")),
    "deadlines of nothing": line(task("a", deadlines=[{"id": "x", "after": {"seconds": -1}}, None])),
    "a layout beyond everything": line(layout={"a": [1e308, -1e308], "b": ["x"]}),
    # hostile expressions
    "2,001 characters": guard("true || " * 250 + "true"),
    "900 brackets": guard("(" * 900 + "true" + ")" * 900),
    "300 lists in each other": guard("[" * 300 + "]" * 300 + " == []"),
    "1,900 negations": guard("!" * 1_900 + "true"),
    "macros in each other": guard(macros(30)),
    "doubling six times": guard(doubling(6)),
    "doubling sixty times": guard("['a']" + ".map(a, a + a)" * 60 + " == []"),
    "70 names or more": guard(" || ".join(f"request.data.a{n} == 1" for n in range(70))),
    "900 sums": guard("+".join(["1"] * 900) + " == 1"),
    "800 fields of fields": guard("request.data" + ".a" * 800 + " == 1"),
    "a pattern that explodes": guard("request.title.matches('(a*)*(a*)*b{1,999}{1,999}')"),
    "no expression": guard("🦄 ;;; DROP TABLE"),
    "numbers beyond 64 bits": guard("99999999999999999999 > 1"),
    "a condition that is none": guard("request.number"),
    "a name that nothing has": guard("request.numbr == 'x'"),
    # files
    "not a number": b'{"format": NaN, "steps": [Infinity]}',
    "a number of 5,000 digits": b'{"format": 1' + b"0" * 5_000 + b"}",
    "a number beyond all": b'{"format": 1e400}',
    "half a character": b'{"format": 1, "name": "\\ud83d"}',
    "NUL": b'{"format": 1, "name": "\\u0000"}',
    "an empty file": b"",
    "blanks": b" \n\t ",
    "a byte order mark": b'\xef\xbb\xbf{"format": 1}',
    "UTF-16": '{"format": 1}'.encode("utf-16"),
    "bytes": bytes(range(256)) * 50,
    "a list": [],
    "a text": "x",
    "null": None,
    "something behind it": b'{"format": 1} x',
}
