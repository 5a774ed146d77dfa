from __future__ import annotations

import pytest

from apps.workflows.engine.guards import GuardFailed, compared_in, evaluate, names_in
from tests.engine.documents import NOW, facts


def read(source: str) -> list[str]:
    """The names, those that are only asked for by has() with a question mark."""
    return [f"{name}{'?' if name.tested else ''}" for name in names_in(source)]


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("request.data.amount > 1000", ["request.data.amount"]),
        ('request.data["amount"] > 1000', ["request.data.amount"]),
        ("has(request.data.a)", ["request.data.a?"]),
        ("has(request.data.a) && request.data.a > run.n", ["request.data.a", "run.n"]),
        ("request.data[request.data.key] == 1", ["request.data", "request.data.key"]),
        ("request.data.rows[0].price > 1", ["request.data.rows"]),
        ("request.data.rows.all(r, r.price > item.limit)", ["request.data.rows", "item.limit"]),
        ("[1].all(request, request > 0) && visit.id > 1", ["visit.id"]),
        ("request.data.rows.all(item, item > index)", ["request.data.rows", "index"]),
        ("{'k': run.n}.k == [now, now].size()", ["run.n", "now"]),
        ("type(request.data.a) == int", ["request.data.a"]),
        (
            "request.data.a ? request.data.b : -instances.total == 1",
            ["request.data.a", "request.data.b", "instances.total"],
        ),
        (".request.number.startsWith('SR')", ["request.number"]),
        ("size(request.data) > 0 && request.data.a == 1", ["request.data", "request.data.a"]),
        ("1 < 2", []),
    ],
)
def test_the_names_that_an_expression_reads(expression, names):
    assert read(expression) == names


def test_the_names_of_what_does_not_compile_are_refused():
    with pytest.raises(GuardFailed, match="Syntax error"):
        names_in("1 +")


def test_only_what_is_read_is_converted():
    assert evaluate("request.data.n + 1", facts(n=1, unread=object()), NOW) == 2


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("size(request.data) > 1 && request.data.a == 1", True),
        ("request.data[request.data.key]", 1),
        ("request.data.map(name, name).size()", 2),
        ("has(request.data.a.b)", False),
    ],
)
def test_what_is_read_as_a_whole_goes_in_as_a_whole(expression, value):
    seen = facts(a=1, key="a") if "has" not in expression else facts(a={})
    assert evaluate(expression, seen, NOW) == value


@pytest.mark.parametrize("name", ["item", "index"])
def test_item_and_index_are_absent_unless_the_facts_hold_them(name):
    assert evaluate(name, {**facts(), "item": 7, "index": 7}, NOW) == 7
    with pytest.raises(GuardFailed, match=f'No value with name "{name}" found'):
        evaluate(name, facts(), NOW)


def test_an_instance_may_be_anything_also_nothing():
    assert evaluate("item == null && index == 0", {**facts(), "item": None, "index": 0}, NOW) is True
    assert (
        evaluate("item.name + item.sizes[index]", {"item": {"name": "a", "sizes": ["s", "m"]}, "index": 1}, NOW) == "am"
    )


def test_instances_are_counted():
    seen = {**facts(), "instances": {"total": 3, "completed": 2, "outcomes": ["ok", "no"]}}
    assert evaluate("instances.completed * 2 > instances.total && 'no' in instances.outcomes", seen, NOW) is True


@pytest.mark.parametrize(
    ("expression", "compared"),
    [
        ("event.a == 'x' || 'y' != event['b'].c", [(("event", "a"), "x"), (("event", "b", "c"), "y")]),
        ("event.a in ['x', 'y']", [(("event", "a"), "x"), (("event", "a"), "y")]),
        ("event.a == 1 || event.a.startsWith('x') || 'x' in event.list", [(("event", "list"), "x")]),
        ("request.data.list.exists(event, event == 'x')", []),
    ],
)
def test_a_name_is_known_by_the_texts_it_is_compared_with(expression, compared):
    assert list(compared_in(expression)) == compared
