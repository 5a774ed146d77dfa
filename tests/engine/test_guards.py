from __future__ import annotations

import enum
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from apps.workflows.engine.guards import GuardFailed, check_expression, evaluate, holds
from tests.engine.documents import NOW, facts


class Colour(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("request.data.n > 3", True),
        ("request.data.n > 3.0", True),
        ("request.data.n == 5.0", True),
        ("request.data.price > 12", True),
        ("request.data.price * 2.0", 25.0),
        ("request.data.big", float(2**70)),
        ("has(request.data.n) && !has(request.data.nothing)", True),
        ("request.data.colour == 'red'", True),
        ("request.data.empty == null", True),
        ("request.data.list[1] + request.data.list.size()", 4),
        ("request.data.due > now", True),
        ("request.data.due - now == duration('3600s')", True),
        ("request.data.due == timestamp('2026-11-23T11:00:00Z')", True),
        ("request.data.nested.at < now", True),
        ("request.data.span > duration('1h')", True),
        ("now.getFullYear()", 2026),
        ("request.number", "SR-1"),
        ("run.n + 1", 2),
        ("size(visit) + size(instances)", 0),
    ],
)
def test_facts_go_in_and_plain_values_come_out(expression, value):
    seen = facts(
        n=5,
        price=Decimal("12.50"),
        big=2**70,
        colour=Colour.RED,
        empty=None,
        list=[1, 2],
        due=datetime(2026, 11, 23, 12, tzinfo=timezone(timedelta(hours=1))),
        nested={"at": datetime(2020, 1, 1, tzinfo=UTC)},
        span=timedelta(hours=2),
    )
    assert evaluate(expression, seen, NOW) == value


def test_a_point_in_time_comes_out_aware_and_in_utc():
    due = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=1)))
    value = evaluate("request.data.due", facts(due=due), NOW)
    assert (value, value.tzinfo) == (due, UTC)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("request.data.missing > 1", '"missing" is empty or not there.'),
        ("request.data.n + 1.5 > 1.0", "UNKNOWN: No matching overloads found : _+_(int64, double)"),
        ("1 / 0 > 1", "divide by zero"),
        ("request.data.n", "A condition is true or false, this one gave int."),
        ("null", "A condition is true or false, this one gave NoneType."),
        ("request.data.list.all(a, request.data.list.all(b, a + b >= 0))", "INTERNAL: Iteration budget exceeded"),
    ],
)
def test_a_guard_that_gives_no_answer_fails_with_its_reason(expression, reason):
    with pytest.raises(GuardFailed) as failure:
        holds(expression, facts(n=5, list=list(range(1000))), NOW)
    assert failure.value.expression == expression
    assert failure.value.reason.removesuffix(" [INTERNAL]") == reason


def deep(levels: int) -> Any:
    return {"in": deep(levels - 1)} if levels else 1


@pytest.mark.parametrize(
    "value", [NOW.replace(tzinfo=None), date(2026, 1, 1), object(), {1, 2}, deep(99), 10**400, "\ud800"]
)
def test_a_fact_that_cannot_go_in_is_a_failed_guard(value):
    with pytest.raises(GuardFailed):
        evaluate("request.data.x", facts(x=value), NOW)


@pytest.mark.parametrize("expression", ["true", "request.data.x", "request.data.a > request.data.b", "1 > 2"])
def test_what_may_be_a_condition_is_accepted(expression):
    assert check_expression(expression, boolean=True) is None


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("", "An expression is a text that is not empty."),
        ("  ", "An expression is a text that is not empty."),
        (5, "An expression is a text that is not empty."),
        ("true" + " " * 1997, "An expression has at most 2,000 characters, this one has 2,001."),
        ("1 +", "<input>:1:4: Syntax error: mismatched input '<EOF>'"),
        ("nothing > 1", "<input>:1:1: undeclared reference to 'nothing' (in container '')"),
        ("now > 3", "<input>:1:5: found no matching overload for '_>_'"),
        ("(" * 900 + "1" + ")" * 900, "CANCELLED: Expression recursion limit exceeded"),
        ("+".join(["1"] * 900), "<input>:-1:-1: Exceeded max recursion depth of 32 when parsing."),
        (
            "request.data.a * 2.5 > 1",
            "<input>:1:22: found no matching overload for '_>_' applied to '(double, int)'. Numbers",
        ),
        ("'\ud800'", "The text holds characters that cannot be encoded."),
        ("__import__('os')", "<input>:1:11: undeclared reference to '__import__'"),
    ],
)
def test_what_is_no_expression_is_said_why(expression, problem):
    assert (check_expression(expression) or "").startswith(problem)


def test_a_condition_of_another_type_is_refused():
    assert check_expression("1 + 1", boolean=True) == "A condition is true or false, this one gives int."
    assert check_expression("1 + 1") is None


def test_an_expression_that_never_compiled_fails_when_evaluated():
    with pytest.raises(GuardFailed, match="Syntax error"):
        evaluate("1 +", facts(), NOW)
