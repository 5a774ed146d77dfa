from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from apps.core import clock
from apps.requests.facts import pinned_facts
from apps.requests.forms import Form
from apps.requests.models import CatalogItem, FormVersion
from apps.requests.services.gate_forms import Forms, extra_fields, form_for, same_name_other_type, shapes_for
from apps.workflows.engine.guard_types import (
    ANYTHING,
    DOUBLE,
    INT,
    REQUEST,
    STRING,
    TIMESTAMP,
    FieldShape,
    Shape,
    check_types,
)
from apps.workflows.engine.guards import GuardFailed, evaluate
from tests.engine.documents import arrow, document, task
from tests.factories import approval_document, make_item, make_person, make_request, make_team, make_workflow

pytestmark = pytest.mark.django_db

WANTED = {"name": "reason", "type": "text", "required": True}
FIELDS = [
    WANTED,
    {"name": "price", "type": "money"},
    {"name": "pieces", "type": "number", "integer": True},
    {"name": "length", "type": "number"},
    {"name": "start", "type": "date"},
    {"name": "size", "type": "choice", "choices": [{"value": "s"}]},
    {"name": "boss", "type": "person"},
]
SHAPED = {
    "reason": FieldShape(types=STRING, always=True),
    "price": FieldShape(types=DOUBLE),
    "price_currency": FieldShape(types=STRING),
    "pieces": FieldShape(types=INT),
    "length": FieldShape(types=DOUBLE),
    "start": FieldShape(types=TIMESTAMP),
    "size": FieldShape(types=STRING),
    "boss": FieldShape(types=STRING),
}


def form(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"fields": list(fields)}


def item(slug: str, *fields: dict[str, Any], workflow: Any = None, **more: Any) -> CatalogItem:
    return make_item(slug, workflow=workflow, form=form(*fields), **more)


@pytest.fixture
def workflow() -> Any:
    make_team("it", make_person("worker", roles=["senior", "administrator"]))
    return make_workflow(approval_document("gated"))


def written(**more: Any) -> dict[str, Any]:
    """A document whose steps write the fields fee, answer, shipped, serial and result."""
    steps = [
        {"id": "mark", "kind": "action", "action": "set_fields", "with": {"fields": {"fee": "1.0"}}},
        {"id": "await", "kind": "wait", "for": {"message": "sent", "into": "shipped"}},
        task("ask", form="answers"),
        {"id": "child", "kind": "subflow", "workflow": "other", "output": {"result": "run.outcome"}},
    ]
    return document(steps, [arrow("start", "mark")], **more)


def written_shapes() -> tuple[Shape, ...]:
    """The shapes of the workflow `gated`, which writes what `written` does."""
    writes = extra_fields(written()["steps"], Forms())
    return shapes_for("gated", roots={"gated": writes}, forms=Forms())


def test_a_form_says_what_guards_may_expect():
    assert Form.from_document(form(*FIELDS)).guard_fields() == SHAPED


def test_the_values_of_a_form_have_the_types_it_announces():
    announced = Form.from_document(form(*FIELDS))
    stored = {
        "reason": "new",
        "price": {"amount": "12.50", "currency": "EUR"},
        "pieces": 3,
        "length": 2.5,
        "start": "2026-01-31",
        "size": "s",
        "boss": "ann",
    }
    names = {str: "string", float: "double", int: "int", datetime: "timestamp"}
    seen = announced.facts(stored, ZoneInfo("UTC"))
    assert set(seen) == set(SHAPED)
    assert [name for name, value in seen.items() if names[type(value)] not in SHAPED[name].types] == []


@pytest.mark.parametrize(("integer", "given", "seen"), [(False, 10, 10.0), (False, 10.5, 10.5), (True, 10, 10)])
def test_a_number_has_one_type_in_guards_whatever_is_entered(integer, given, seen):
    number = Form.from_document(form({"name": "n", "type": "number", "integer": integer}))
    facts = number.facts({"n": given}, ZoneInfo("UTC"))
    assert (facts, type(facts["n"])) == ({"n": seen}, type(seen))


COMPARED = ["n > {0}", "n >= {0}", "n == {0}", "n != {0}", "n in [{0}]"]
COUNTED = ["n + {0} > {0}", "n * {0} == {0}", "n - {0} < {0}", "n / {0} > {0}"]


@pytest.mark.parametrize("literal", ["3", "3.0", "3.5"])
@pytest.mark.parametrize("template", [*COMPARED, *COUNTED])
@pytest.mark.parametrize("integer", [False, True])
def test_the_gate_is_as_strict_about_numbers_as_a_run(integer, template, literal):
    """Numbers compare with any literal; arithmetic needs one of their own type."""
    number = Form.from_document(form({"name": "n", "type": "number", "integer": integer}))
    guard = template.replace("n ", "request.data.n ", 1).format(literal)
    told = check_types(guard, [Shape(fields=number.guard_fields())], boolean=True)
    values = (10,) if integer else (10, 10.5)
    runs = []
    for value in values:
        facts = {"request": {"data": number.facts({"n": value}, ZoneInfo("UTC"))}}
        try:
            runs.append(isinstance(evaluate(guard, facts, clock.now()), bool))
        except GuardFailed:
            runs.append(False)
    fits = template in COMPARED or integer == ("." not in literal)
    assert (told == (), set(runs)) == (fits, {fits})


def test_arithmetic_with_the_other_type_is_told_with_what_to_write():
    number = Form.from_document(form({"name": "n", "type": "number"}))
    (told,) = check_types("request.data.n * 2 > 3", [Shape(fields=number.guard_fields())])
    assert told.message == (
        "request.data.n is a double and 2 is an int: arithmetic needs one type. Write request.data.n * 2.0."
    )


@pytest.mark.parametrize(("computed", "stored"), [(10.0, 10), (10.5, 10.5), (7, 7)])
def test_a_computed_number_is_stored_as_it_would_be_entered(computed, stored):
    number = Form.from_document(form({"name": "n", "type": "number"}))
    kept = number.accept_computed({"n": computed})["n"]
    assert (kept, type(kept)) == (stored, type(stored))


def test_each_active_item_that_may_select_the_workflow_has_its_shape(workflow):
    item("phone", WANTED, workflow=workflow)
    item("laptop", *FIELDS, workflow=workflow)
    item("car", WANTED, workflow=workflow, active=False)
    item("other", WANTED, workflow=make_workflow(approval_document("else")))
    assert [(shape.name, shape.fields) for shape in shapes_for("gated", forms=Forms())] == [
        ("laptop", SHAPED),
        ("phone", {"reason": FieldShape(types=STRING, always=True)}),
    ]


def test_the_newest_version_of_a_form_counts_and_an_item_with_two_rules_is_one_shape(workflow):
    rules = [{"name": name, "guard": "", "workflow": workflow} for name in ("first", "second")]
    make_item("phone", rules=rules, form=form(WANTED))
    FormVersion.freeze("phone", form({"name": "color", "type": "text"}))
    assert [shape.fields for shape in shapes_for("gated", forms=Forms())] == [{"color": FieldShape(types=STRING)}]


def test_three_items_take_as_many_statements_as_one(workflow, django_assert_num_queries):
    for slug in ("a", "b", "c"):
        item(slug, WANTED, workflow=workflow)
        with django_assert_num_queries(2):
            shapes_for("gated", forms=Forms())


def test_what_the_document_writes_is_in_every_shape_unless_the_form_has_it(workflow):
    FormVersion.freeze("answers", form({"name": "serial", "type": "text"}))
    item("phone", {"name": "fee", "type": "money"}, workflow=workflow)
    writes = extra_fields(written()["steps"], Forms())
    assert writes == dict.fromkeys(["fee", "shipped", "serial", "result"], FieldShape())
    (shape,) = shapes_for("gated", roots={"gated": writes}, forms=Forms())
    assert {name: field.types for name, field in shape.fields.items()} == {
        "fee": DOUBLE,
        "fee_currency": STRING,
        "shipped": ANYTHING,
        "serial": ANYTHING,
        "result": ANYTHING,
    }


def test_a_workflow_that_no_item_selects_has_no_shapes(workflow):
    assert shapes_for("gated", forms=Forms()) == ()


def test_the_form_of_a_task_is_found_by_its_key():
    FormVersion.freeze("answers", form(*FIELDS))
    found = form_for("answers", Forms())
    assert found is not None
    assert (found.name, found.fields, form_for("unknown", Forms())) == ("answers", SHAPED, None)


def test_a_field_that_a_task_writes_as_another_type_is_a_problem_of_its_step(workflow):
    FormVersion.freeze("answers", form({"name": "size", "type": "number"}, WANTED))
    item("laptop", *FIELDS, workflow=workflow)
    (problem,) = same_name_other_type(written()["steps"], written_shapes(), Forms())
    assert (problem.code, problem.step, problem.message) == (
        "other_type",
        "ask",
        "Step 'ask': the form 'answers' writes 'size' as a double, but in 'laptop' it is a string."
        " Give it another name.",
    )


def test_two_tasks_that_write_one_field_with_two_types_are_a_problem():
    FormVersion.freeze("one", form({"name": "size", "type": "date"}))
    FormVersion.freeze("two", form({"name": "size", "type": "text"}))
    steps = [task("first", form="one"), task("second", form="two"), task("third", form="missing")]
    found = same_name_other_type(steps, (), Forms())
    assert [problem.message for problem in found] == [
        "Step 'second': the form 'two' writes 'size' as a string, but in 'one' it is a timestamp. Give it another name."
    ]


def test_a_message_that_is_kept_in_a_field_of_the_form_is_a_problem(workflow):
    item("parcel", {"name": "shipped", "type": "text"}, workflow=workflow)
    (problem,) = same_name_other_type(written()["steps"], shapes_for("gated", forms=Forms()), Forms())
    assert (problem.step, problem.message) == (
        "await",
        "Step 'await': the message is kept in 'shipped', which in 'parcel' is a string; a message may hold anything."
        " Give it a field of its own.",
    )


def test_fields_that_agree_are_no_problem(workflow):
    FormVersion.freeze("answers", form(WANTED))
    item("laptop", *FIELDS, workflow=workflow)
    assert same_name_other_type(written()["steps"], written_shapes(), Forms()) == ()


def test_what_guards_know_of_a_request_is_what_a_request_shows(workflow):
    request = make_request(make_item("laptop", workflow=workflow), make_person("ann", manager=make_person("boss")))
    seen = pinned_facts(request)["request"]
    assert set(seen) == {*REQUEST, "data"}
    names = {str: "string", datetime: "timestamp", list: "list"}
    assert [
        name for name in REQUEST if not {names[kind] for kind in names if isinstance(seen[name], kind)} & REQUEST[name]
    ] == []


def test_a_guard_is_checked_against_every_item(workflow):
    item("laptop", *FIELDS, workflow=workflow)
    item("phone", {"name": "price", "type": "text"}, workflow=workflow)
    told = check_types("request.data.price > 1000", shapes_for("gated", forms=Forms()), boolean=True)
    assert [(problem.code, problem.message) for problem in told] == [
        ("guard_type", "request.data.price is a string and 1000 is an int: > does not take them. (item phone)")
    ]


FIXTURES = Path(__file__).parents[2] / "fixtures"
DEMO = json.loads((FIXTURES / "demo.json").read_text(encoding="utf-8"))


def conditions(value: Any) -> Iterator[str]:
    """Every condition of a document, wherever it stands."""
    if isinstance(value, dict):
        yield from (each for key, each in value.items() if key in ("when", "guard") and each)
    for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from conditions(below)


def test_the_guards_of_the_demonstration_fit_its_forms():
    told, checked = [], 0
    for each in DEMO["items"]:
        shape = Shape(fields=Form.from_document(DEMO["forms"][each["form_key"]]).guard_fields())
        named = {rule["workflow"] for rule in each["rules"]}
        documents = [json.loads((FIXTURES / "workflows" / f"{key}.json").read_text(encoding="utf-8")) for key in named]
        for guard in conditions([each["rules"], *documents]):
            checked += 1
            told += check_types(guard, (shape,), boolean=True, instance=False)
    assert (told, checked > 3) == ([], True)
