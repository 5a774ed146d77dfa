"""Guards against what forms hold: names, types, and messages that tell how to mend them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.workflows.engine.guard_types import (
    BOOL,
    DOUBLE,
    INT,
    LIST,
    NUMBER,
    STRING,
    TIMESTAMP,
    FieldShape,
    GuardProblem,
    Shape,
    check_types,
)
from apps.workflows.engine.guards import GuardFailed, evaluate
from tests.engine.documents import NOW, facts

TYPES = {
    "amount": DOUBLE,
    "amount_currency": STRING,
    "n": INT,
    "number": NUMBER,
    "due": TIMESTAMP,
    "kind": STRING,
    "rows": LIST,
    "flag": BOOL,
    "anything": FieldShape().types,
}
SHAPE = Shape(fields={name: FieldShape(types=types) for name, types in TYPES.items()})


def problems(source: str, *, boolean: bool = True) -> list[tuple[str, str]]:
    return [(problem.code, problem.message) for problem in check_types(source, (SHAPE,), boolean=boolean)]


@pytest.mark.parametrize(
    "expression",
    [
        "request.data.amount > 1000",
        "request.data.n > 3.5 && request.data.number >= 3",
        "'vip' in request.tags && request.tags.exists(tag, tag.startsWith('v')) && size(request.tags) > 0",
        "request.data.amount * 2.0 > 10.0",
        "double(request.data.number) * 2.0 > 1.0",
        "request.data.number > request.data.amount",
        "request.data.amount_currency == 'EUR' || request.data['kind'] in ['a', 'b']",
        "has(request.data.kind) && request.data.kind.startsWith('a')",
        "request.data.kind + 'x' == 'ax'",
        "request.data.due > now && request.data.due.getFullYear() > 2025",
        "request.data.due - now > duration('24h')",
        "request.data.due + duration('24h') > timestamp('2026-01-01T00:00:00Z')",
        "request.data.rows.all(row, row.price > 3 && request.data.kind == 'x')",
        "request.data.rows.exists(row, row == request.data.n) && request.data.rows.size() > 1",
        "request.data.rows.filter(row, row.price > 1)[0].name == 'a'",
        "request.data.rows.map(row, row.n + 1).size() > request.data.n",
        "!request.data.flag && (request.data.flag ? true : request.data.n > 1)",
        "request.data.anything + 1 > 2 && request.data.anything.deep[0]",
        "request.data.anything",
        "type(request.data.n) == int && string(request.data.n) == '1'",
        "request.created_at < now && request.department != '' && request.priority == 'high'",
        "run.n > 1 && run.input.budget > 100 && run.outcome == 'completed'",
        "visit.came_from == 'review' && visit.id > 1 && visit.step != 'a'",
        "instances.total == instances.completed && 'ok' in instances.outcomes",
        "item.price > 3 && index < 3",
        "size(request.data) > 2 && request.data[request.data.kind] == 1",
        "[1, 2].all(request, request > 0)",
        "1 + 1 == 2",
    ],
)
def test_a_guard_that_fits_has_no_problem(expression):
    assert problems(expression) == []


WRITE_TIMES = ' A point in time is written timestamp("2026-01-31T00:00:00Z").'


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "request.data.amount * 2 > 10",
            "request.data.amount is a double and 2 is an int: arithmetic needs one type."
            " Write request.data.amount * 2.0.",
        ),
        (
            "request.data.number + 1 > 2",
            "request.data.number is an int or a double and 1 is an int: arithmetic needs one type."
            " Write double(request.data.number) + 1.0.",
        ),
        (
            "request.data.n * request.data.amount > 1.0",
            "request.data.n is an int and request.data.amount is a double: arithmetic needs one type."
            " Write double(request.data.n) * request.data.amount.",
        ),
        (
            "request.data.amount % 2 == 0",
            "request.data.amount is a double and 2 is an int: arithmetic needs one type."
            " Write int(request.data.amount) % 2.",
        ),
        ("request.data.kind > 3", "request.data.kind is a string and 3 is an int: > does not take them."),
        (
            "has(request.data.kind) && request.data.amount > 1 && request.data.kind > 3",
            "request.data.kind is a string and 3 is an int: > does not take them.",
        ),
        (
            "request.data.due > '2026-01-01'",
            'request.data.due is a timestamp and "2026-01-01" is a string: > does not take them.' + WRITE_TIMES,
        ),
        (
            "request.data.rows.exists(row, row > 1 && request.data.kind < request.data.n)",
            "request.data.kind is a string and request.data.n is an int: < does not take them.",
        ),
        (
            "request.data.kind == null",
            "request.data.kind is a string and null is null: they are never equal."
            " An empty field is absent: ask has(...).",
        ),
        (
            "request.data.amount != '5'",
            'request.data.amount is a double and "5" is a string: they are never equal.',
        ),
        (
            "request.data.n.startsWith('a')",
            'request.data.n is an int and "a" is a string: startsWith() does not take them.',
        ),
        ("size(request.data.n) > 1", "request.data.n is an int: size() does not take it."),
        ("-request.data.kind == 1", "request.data.kind is a string: - does not take it."),
        ("request.data.kind && true", "request.data.kind is a string: && takes only true or false."),
        ("!request.data.n", "request.data.n is an int: ! takes only true or false."),
        ("request.data.kind ? true : false", "request.data.kind is a string: before ? stands true or false."),
        ("request.data.rows.all(row, request.data.n)", "request.data.n is an int: && takes only true or false."),
        (
            "request.data.kind.all(row, row == 'a')",
            "request.data.kind is a string: only a list or a map has elements to go through.",
        ),
        ("'a' in request.data.kind", '"a" is a string and request.data.kind is a string: in does not take them.'),
        ("request.data.n[0] > 1", "request.data.n is an int and 0 is an int: [] does not take them."),
        ("request.data.amount.cents > 3", "request.data.amount is a double: it has no part 'cents'."),
        ("run.n.x == 1", "run.n is an int: it has no part 'x'."),
        ("request.data.amount", "A condition is true or false, this one gives a double."),
        ("request.data.flag ? true : request.data.kind", "A condition is true or false, this one gives a string."),
    ],
)
def test_types_that_do_not_fit_are_named_with_the_field_and_the_way_out(expression, message):
    assert problems(expression) == [("guard_type", message)]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("request.data.amuont > 1", "There is no request.data.amuont. Did you mean request.data.amount?"),
        ("has(request.data.amuont)", "There is no request.data.amuont. Did you mean request.data.amount?"),
        ("request.amount > 1", "There is no request.amount. Did you mean request.data.amount?"),
        ("visit.came_form == 'a'", "There is no visit.came_form. Did you mean visit.came_from?"),
        ("instances.open > 1", "There is no instances.open. instances has total, completed, outcomes."),
    ],
)
def test_a_name_that_is_nowhere_is_told_with_what_may_be_meant(expression, message):
    assert problems(expression) == [("unknown_field", message)]


def test_a_correction_that_is_followed_fits():
    assert problems("request.data.amount * 2.0 > 10.0 && double(request.data.number) + 1.0 > 2.0") == []


def test_what_need_not_be_a_condition_may_be_anything():
    assert problems("request.data.amount", boolean=False) == []


def test_what_does_not_compile_is_one_problem():
    assert problems("1 > 'a'") == [
        ("expression", "<input>:1:3: found no matching overload for '_>_' applied to '(int, string)'")
    ]


def test_several_problems_are_told_once_each_in_the_order_of_the_text():
    assert [code for code, _ in problems("request.data.x > 1 || request.data.kind > 3 || request.data.x > 1")] == [
        "unknown_field",
        "guard_type",
    ]


def test_a_field_that_forms_type_differently_is_checked_with_each_and_the_item_is_named():
    laptop, phone, car = (
        Shape(name=name, fields={"size": FieldShape(types=types)})
        for name, types in (("laptop", STRING), ("phone", INT), ("car", INT))
    )
    told = check_types("request.data.size == 'large'", (laptop, phone, car), boolean=True)
    message = 'request.data.size is an int and "large" is a string: they are never equal. (items phone, car)'
    assert told == (GuardProblem(code="guard_type", message=message),)


def test_a_field_that_one_item_lacks_is_told_for_that_item():
    shapes = (Shape(name="laptop", fields={"size": FieldShape(types=INT)}), Shape(name="phone"))
    told = check_types("request.data.size > 1", shapes, boolean=True)
    assert [problem.message for problem in told] == [
        "There is no request.data.size. request.data has no names. (item phone)"
    ]


def test_without_shapes_only_the_other_names_are_checked():
    assert check_types("request.data.whatever.deep > 3", boolean=True) == ()
    assert [problem.code for problem in check_types("request.data.x > 3 && request.foo")] == ["unknown_field"]


def test_item_and_index_exist_in_steps_with_instances_only():
    assert check_types("item == 1 && index == 0") == ()
    assert [problem.message for problem in check_types("item == 1 && index == 0", instance=False)] == [
        "item exists only in a step with for_each or count.",
        "index exists only in a step with for_each or count.",
    ]


VALUES = {
    "amount": st.sampled_from([0.0, 2.5]),
    "n": st.sampled_from([0, 3]),
    "number": st.sampled_from([1, 1.5]),
    "kind": st.sampled_from(["a", "b"]),
    "due": st.sampled_from([NOW, NOW + timedelta(days=2)]),
    "flag": st.booleans(),
    "rows": st.sampled_from([[], ["a"], ["a", "b"]]),
}
LEAVES = st.sampled_from(
    [*(f"request.data.{name}" for name in VALUES), "1", "2.5", "'a'", "true", "now", "null", "[1]"]
)
OPERATORS = st.sampled_from(["+", "-", "*", "/", "%", "<", ">=", "==", "!=", "&&", "||", "in"])


def combined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return (
        st.builds("({} {} {})".format, parts, OPERATORS, parts)
        | st.builds("({} ? {} : {})".format, parts, parts, parts)
        | st.builds("!{}".format, parts)
        | st.builds("size({})".format, parts)
        | st.builds("request.data.rows.exists(row, row == {})".format, parts)
        | st.builds("request.data.rows.all(row, {})".format, parts)
    )


def failure_of(source: str, **data: Any) -> str:
    """Why the guard fails; empty if it does not."""
    try:
        evaluate(source, facts(**data), NOW)
    except GuardFailed as failure:
        return failure.reason
    return ""


@given(source=st.recursive(LEAVES, combined, max_leaves=6), data=st.fixed_dictionaries(VALUES))
def test_a_guard_without_problems_never_fails_for_its_types(source, data):
    if not check_types(source, (SHAPE,)):
        assert "overload" not in failure_of(source, **data)
