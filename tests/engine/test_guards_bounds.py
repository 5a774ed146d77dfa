"""Hostile expressions and huge facts: each is refused or fails within a second and a few megabytes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from apps.workflows.engine.guards import GuardFailed, check_expression, evaluate
from apps.workflows.engine.guards.adapter import compiled
from apps.workflows.engine.guards.cost import MOST, cost_of
from tests.engine.documents import NOW, facts

ROOT = Path(__file__).parents[2]
COSTLY = "The expression could take too much time or memory: shorten its lists, texts or repetitions."
TOO_LARGE = "The facts that are read are too large (a weight of more than 1,000,000)."
BUDGET = "INTERNAL: Iteration budget exceeded"
DEEP = "<input>:-1:-1: Exceeded max recursion depth of 32 when parsing."


def nested(levels: int, over: str = "[1, 2, 3]") -> str:
    text = "true"
    for level in range(levels):
        text = f"{over}.all(x{level}, {text})"
    return text


def chained(start: str, step: str, times: int) -> str:
    return start + f".map(a, {step})" * times


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        (chained("['a']", "a + a", 27), COSTLY),
        (chained("['a']", "a + a", 40), DEEP),
        (chained("[[1]]", "a + a", 25), COSTLY),
        (chained("[[1]]", "[a, a]", 25), COSTLY),
        (chained("[request.data.text]", "a + a", 20), COSTLY),
        ("[1, 2, 3, 4, 5, 6, 7, 8].map(a, " * 8 + "[1, 2, 3, 4, 5, 6, 7, 8]" + ")" * 8, COSTLY),
        ("request.data.text.matches('" + "(a{0,99}){0,99}" * 10 + "')", COSTLY),
        (nested(25), "This expression is nested too deeply."),
        (nested(40, "[1]"), "CANCELLED: Expression recursion limit exceeded"),
        ("request" + ".a" * 900, DEEP),
    ],
)
def test_an_expression_that_grows_beyond_bounds_is_refused_before_it_is_ever_evaluated(expression, problem):
    assert (check_expression(expression) or "").startswith(problem)
    with pytest.raises(GuardFailed):
        evaluate(expression, facts(text="aaaa"), NOW)


NUMBERS = list(range(9_000))
TEXTS = [str(number) for number in NUMBERS]


@pytest.mark.parametrize(
    ("expression", "values", "reason"),
    [
        (nested(12), {}, BUDGET),
        (nested(3, "request.data.list"), {"list": NUMBERS}, BUDGET),
        ("request.data.list.all(a, a >= 0)", {"list": list(range(11_000))}, BUDGET),
        ("request.data.list.filter(a, a in request.data.list).size()", {"list": TEXTS}, COSTLY),
        ("request.data.list.all(a, request.data.list == request.data.list)", {"list": TEXTS}, COSTLY),
        ("request.data.list.map(a, request.data.text + a).size()", {"list": TEXTS, "text": "x" * 100_000}, COSTLY),
        ("request.data.list.exists(a, request.data.text.contains(a))", {"list": TEXTS, "text": "x" * 9_000}, COSTLY),
        ("request.data.text.matches('(a{0,20}){0,20}b')", {"text": "a" * 90_000}, COSTLY),
        ("request.data.text.matches(request.data.text)", {"text": "a" * 9_000}, COSTLY),
        ("request.data.text.matches(request.data.p)", {"text": "a" * 9_000, "p": "(a{0,99}){0,99}b"}, COSTLY),
        ("request.data.list.all(p, request.data.text.matches(p))", {"text": "a" * 900, "list": ["a{9}"] * 9}, COSTLY),
        ("request.data.text + 'a'", {"text": "x" * 1_000_000}, TOO_LARGE),
        ("-1 in request.data.list", {"list": list(range(1_000_000))}, TOO_LARGE),
        ("size(request.data)", {"a": {"b" * 1_000_000: 1}}, TOO_LARGE),
    ],
)
def test_facts_that_make_an_expression_too_costly_fail_it(expression, values, reason):
    assert check_expression(expression) is None
    with pytest.raises(GuardFailed) as failure:
        evaluate(expression, facts(**values), NOW)
    assert failure.value.reason.removesuffix(" [INTERNAL]") == reason


@pytest.mark.parametrize(
    ("expression", "values", "value"),
    [
        (nested(7), {}, True),
        ("request.data.list.all(a, a >= 0)", {"list": NUMBERS}, True),
        ("request.data.rows.filter(r, r.price > 10.0).map(r, r.name)", {"rows": [{"price": 12.5, "name": "a"}]}, ["a"]),
        ("request.data.list.all(a, a in request.data.list)", {"list": TEXTS[:900]}, True),
        ("request.data.text.matches('^[A-Z]{2}-[0-9]{6}$')", {"text": "AB-123456"}, True),
        ("request.data.text.matches(request.data.p)", {"text": "AB-123456", "p": "[A-Z]{2}-[0-9]{6}"}, True),
        ("request.data.text.matches('urgent|asap')", {"text": "x" * 100_000 + " asap"}, True),
        ("size(request.data.text)", {"text": "x" * 900_000}, 900_000),
        ("request.data.n", {"n": 1, "unread": "x" * 9_000_000}, 1),
    ],
)
def test_what_sensible_guards_do_stays_within_bounds(expression, values, value):
    assert evaluate(expression, facts(**values), NOW) == value


SCRIPT = """
import json, resource, sys
from apps.workflows.engine.guards import GuardFailed, evaluate
from tests.engine.documents import NOW, facts
expression, values = json.loads(sys.stdin.read())
evaluate("request.data.a == 1", facts(a=1), NOW)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    evaluate(expression, facts(**values), NOW)
except GuardFailed:
    pass
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown / 1024)
"""


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        (chained("['a']", "a + a", 20), {}),
        (nested(15), {}),
        ("request.data.list.all(a, a in request.data.list)", {"list": TEXTS[:1_000]}),
        ("request.data.list.map(a, request.data.text + a).size()", {"list": TEXTS[:1_000], "text": "x" * 9_000}),
        ("request.data.text.matches('(a{0,30}){0,30}b')", {"text": "a" * 600}),
        ("request.data.text.matches('(a+)+(a*)*b')", {"text": "a" * 500_000}),
        ("-1 in request.data.list", {"list": list(range(60_000))}),
    ],
)
def test_what_comes_close_to_the_bounds_ends_and_takes_some_megabytes(expression, values):
    """Each takes some tenths of a second; without bounds, minutes to years."""
    given = json.dumps([expression, values])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=given, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert float(done.stdout) < 48


def test_the_cost_of_a_plain_comparison_is_far_from_the_bound():
    assert cost_of(compiled("request.data.amount > 1000").tree) < MOST / 1_000
