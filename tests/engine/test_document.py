from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from apps.core.errors import BrokenDocument
from apps.workflows.engine.definition import Outcome, Stage, Transition
from apps.workflows.engine.document import SCHEMA, check_document, compile_document, document_hash
from apps.workflows.engine.problems import Problem, Severity
from tests.engine.documents import LINE, POLICY, arrow, document, expenses, single, task, wait

POLICIES = {"board": POLICY}


def codes(source: Any, policies: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    return [(problem.code, problem.place) for problem in check_document(source, policies=policies or {})]


def broken(step: int, **changes: Any) -> dict[str, Any]:
    """The expenses with keys of one step changed; None takes a key away."""
    source = expenses()
    changed = {**source["steps"][step], **changes}
    source["steps"][step] = {key: value for key, value in changed.items() if value is not None}
    return source


# what compiles


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


def test_a_sound_document_has_no_problems():
    assert check_document(expenses(), policies=POLICIES) == ()


def test_a_policy_that_is_not_handed_in_is_a_warning_and_still_compiles():
    assert check_document(expenses()) == (
        Problem(
            code="unknown_policy",
            severity=Severity.WARNING,
            step="board",
            message="Step 'board': the approval policy 'board' is not known here.",
            path="steps/4/policy_ref",
        ),
    )
    assert compile_document(expenses()).step("board").outcome("returned") == Outcome(id="returned", label="Returned")


def test_a_definition_says_what_the_document_says():
    definition = compile_document(expenses(), policies=POLICIES)
    assert (definition.workflow, definition.name, definition.format, definition.reopen) == (
        "expenses",
        "Expenses",
        1,
        "review",
    )
    assert definition.start.id == "start"
    assert definition.stages[0] == Stage(id="approval", name="Approval")
    step = definition.step("mend")
    assert (step.kind, step.name, step.stage, dict(step.settings)) == (
        "task",
        "mend",
        "approval",
        {"assign": {"requester": True}},
    )
    assert step.outcomes == (Outcome(id="done", label="Done"),)
    assert definition.arrows_from("big") == (
        Transition(index=5, source="big", target="board", when="request.data.amount > 1000"),
        Transition(index=6, source="big", target="mark", otherwise=True),
    )


def test_outcomes_of_a_task_carry_who_may_pick_them():
    source = single(task(outcomes=[{"id": "ship", "label": "Ship it", "by": {"role": "it"}, "comment": "required"}]))
    (outcome,) = compile_document(source).step("work").outcomes
    assert outcome == Outcome(id="ship", label="Ship it", by={"role": "it"}, comment="required")


def test_a_definition_does_not_change_with_the_document_it_came_from():
    source = expenses()
    definition = compile_document(source)
    source["steps"][2]["assign"]["requester"] = "changed"
    assert definition.step("mend").settings["assign"] == {"requester": True}
    with pytest.raises(TypeError):
        definition.step("mend").settings["assign"] = {}


def test_the_hash_is_of_the_content_not_of_the_order_of_keys():
    source = expenses()
    turned = json.loads(json.dumps(dict(reversed(source.items()))))
    assert document_hash(turned) == document_hash(source) == compile_document(source).hash
    assert document_hash({"b": 1, "a": "é"}) == "aa58fba8483623bed37c1b02edfccbdd9a53123837c20bfa4cb4049993a2872e"
    assert document_hash(broken(1, name="Other")) != document_hash(source)


def test_a_broken_document_is_refused_with_the_messages_per_place():
    source = broken(2, assgn={"team": "it"})
    source["transitions"][0]["too"] = "x"
    source["steps"][1]["policy"]["levels"][0]["approver"] = []
    del source["name"]
    with pytest.raises(BrokenDocument) as refusal:
        compile_document(source)
    assert refusal.value.errors == {
        "document": ["The document: 'name' is missing."],
        "review": ["Step 'review': unknown key 'approver' in 'policy/levels/0'."],
        "mend": ["Step 'mend': unknown key 'assgn'."],
        "transitions/0": ["Transition 0: unknown key 'too'."],
    }


# the schema


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        (None, [("type", "document")]),
        ([], [("type", "document")]),
        ("x", [("type", "document")]),
        ({}, [("missing_key", "document")] * 5),
        ({**expenses(), "format": 2}, [("format", "format")]),
        ({**expenses(), "format": True}, [("value", "format")]),
        ({**expenses(), "format": "1"}, [("format", "format")]),
        ({**expenses(), "extra": 1}, [("unknown_key", "extra")]),
        ({**expenses(), "name": 5}, [("type", "name")]),
        ({**expenses(), "name": "x" * 201}, [("too_large", "name")]),
        ({**expenses(), "steps": []}, [("value", "steps")]),
        ({**expenses(), "steps": [5]}, [("type", "steps/0")]),
        ({**expenses(), "transitions": [5]}, [("type", "transitions/0")]),
        (broken(1, kind="aproval"), [("value", "review")]),
        (broken(1, kind=None), [("missing_key", "review")]),
        (broken(1, id=None), [("missing_key", "steps/1")]),
        (broken(1, id="a b"), [("value", "a b")]),
        (broken(1, id="ab\n"), [("value", "ab\n")]),
        (broken(2, assign=None), [("missing_key", "mend")]),
        (broken(2, assign={}), [("value", "mend")]),
        (broken(2, assign={"team": "it", "role": "it"}), [("too_large", "mend")]),
        (broken(2, assign={"team": "it", "up": 1}), [("value", "mend")]),
        (broken(2, outcomes=[{"id": "a", "by": {"rolle": "x"}}]), [("unknown_key", "mend")]),
        (broken(2, outcomes=[{"id": "a", "comment": "maybe"}]), [("value", "mend")]),
        (broken(5, **{"with": {"fields": {}}}), [("value", "mark")]),
        (broken(5, **{"with": {"fields": {"a b": "1"}}}), [("value", "mark")]),
        (broken(5, **{"with": {"fields": {"a": 1}}}), [("type", "mark")]),
        (broken(5, **{"with": None}), [("missing_key", "mark")]),
        (broken(5, action="comment", **{"with": {"internal": True}}), [("missing_key", "mark")]),
        (broken(5, action="notify", **{"with": {"to": [], "text": "Hi"}}), [("value", "mark")]),
        (broken(5, action="dance"), [("value", "mark")]),
        (broken(6, **{"for": {"seconds": -1}}), [("value", "pause")]),
        (broken(7, outcome="done"), [("value", "paid")]),
        ({**expenses(), "layout": {"review": [1]}}, [("value", "layout/review")]),
    ],
)
def test_what_does_not_fit_the_schema_is_named(source, wanted):
    assert codes(source) == wanted


def test_bounds_are_checked_before_anything_else():
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]
    table = [
        ({**expenses(), "layout": deep}, "bounds"),
        ({**expenses(), "name": "a\x00b"}, "bounds"),
        ({**expenses(), "name": "\ud800"}, "bounds"),
        ({**expenses(), "\ud800": 1}, "bounds"),
        ({**expenses(), "name": "x" * 1_000_000}, "bounds"),
        ({**expenses(), "layout": {"review": [float("nan"), 1]}}, "bounds"),
        ({**expenses(), "layout": {"review": [10**5000, 1]}}, "bounds"),
        ([0] * 200_000, "too_large"),
    ]
    assert [{problem.code for problem in check_document(source)} for source, _ in table] == [
        {code} for _, code in table
    ]


def chain(steps: int) -> dict[str, Any]:
    names = [f"t{number}" for number in range(steps - 2)]
    arrows = [arrow(source, target) for source, target in zip(["start", *names], [*names, "paid"], strict=True)]
    return document([task(name) for name in names], arrows)


def test_a_document_has_at_most_500_steps_and_2000_arrows():
    assert codes(chain(500)) == []
    assert codes(chain(501)) == [("too_large", "steps")]
    source = expenses()
    source["transitions"] *= 200
    assert codes(source) == [("too_large", "transitions")]


def test_at_most_200_problems_are_listed():
    source = expenses()
    source["steps"] = [{"id": f"s{number}", "kind": "x"} for number in range(400)]
    assert len(check_document(source)) == 200


# the structure


def with_arrows(*arrows: dict[str, Any], without: int | None = None) -> dict[str, Any]:
    source = expenses()
    if without is not None:
        del source["transitions"][without]
    source["transitions"] += arrows
    return source


EXPIRING = {"levels": [{**LINE, "deadline": {"business_seconds": 60, "then": "expire"}}]}


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        (broken(2, id="review"), [("duplicate_id", "review")]),
        ({**expenses(), "stages": [{"id": "a", "name": "A"}] * 2}, [("duplicate_id", "stages/1/id")]),
        (broken(2, stage="nowhere"), [("unknown_stage", "mend")]),
        ({**expenses(), "reopen": "nowhere"}, [("unknown_step", "reopen")]),
        (with_arrows(arrow("big", "nowhere", when="true")), [("unknown_step", "transitions/12")]),
        (with_arrows(arrow("nowhere", "mend")), [("unknown_step", "transitions/12")]),
        (with_arrows(arrow("start", "mend")), [("start_arrows", "start")]),
        (with_arrows(arrow("big", "start", when="true")), [("start_arrows", "start")]),
        (with_arrows(arrow("paid", "mend")), [("end_arrows", "paid")]),
        (with_arrows(without=6), [("otherwise", "big")]),
        (with_arrows(arrow("big", "no", otherwise=True)), [("otherwise", "big")]),
        (with_arrows(arrow("big", "no")), [("choice_arrow", "big")]),
        (with_arrows(arrow("big", "no", when="true", otherwise=True), without=6), [("choice_arrow", "big")]),
        (
            with_arrows(arrow("big", "board", otherwise=True), without=5),
            [("otherwise", "big"), ("does_nothing", "big")],
        ),
        (with_arrows(arrow("big", "no", outcome="done", when="true")), [("arrow_condition", "transitions/12")]),
        (
            with_arrows(arrow("mend", "review", outcome="done", when="true"), without=4),
            [("arrow_condition", "transitions/11")],
        ),
        (
            with_arrows(arrow("pause", "paid", outcome="done", otherwise=True), without=11),
            [("arrow_condition", "transitions/11")],
        ),
        (with_arrows(arrow("big", "no", when="1 +")), [("expression", "transitions/12")]),
        (with_arrows(arrow("big", "no", when="1 + 1")), [("expression", "transitions/12")]),
        (with_arrows(without=3), [("outcome_without_arrow", "review")]),
        (with_arrows(arrow("review", "no", outcome="expired")), [("unknown_outcome", "transitions/12")]),
        (with_arrows(arrow("review", "no", outcome="rejected")), [("equal_arrows", "review")]),
        (with_arrows(arrow("mend", "no")), [("equal_arrows", "mend")]),
        (with_arrows(arrow("review", "no")), [("does_nothing", "review")]),
        (broken(1, policy={**POLICY, "return": "never"}), [("unknown_outcome", "transitions/3")]),
        (broken(1, policy=EXPIRING), [("outcome_without_arrow", "review")]),
        (broken(1, policy_ref="board"), [("policy", "review")]),
        (broken(1, policy=None), [("policy", "review")]),
        (broken(1, policy={"levels": [{**LINE, "when": "1"}]}), [("expression", "review")]),
        (broken(1, policy={"levels": [{**LINE, "approvers": [{"cel": "x"}]}]}), [("expression", "review")]),
        (broken(2, assign={"cel": "x"}), [("expression", "mend")]),
        (broken(2, outcomes=[{"id": "done"}, {"id": "done"}]), [("duplicate_id", "mend")]),
        (broken(5, **{"with": {"fields": {"a": "x"}}}), [("expression", "mark")]),
        (broken(5, action="notify", **{"with": {"to": [{"cel": "x"}], "text": "Hi"}}), [("expression", "mark")]),
        (
            broken(5, action="webhook", **{"with": {"url": "https://x.example", "body": {"a": "x"}}}),
            [("expression", "mark")],
        ),
        (broken(5, action="create_request", **{"with": {"item": "a", "title": "x"}}), [("expression", "mark")]),
        (broken(5, action="assign", **{"with": {"to": {"cel": "x"}}}), [("expression", "mark")]),
        (broken(2, exclusive="x"), [("expression", "mend")]),
        (with_arrows(arrow("mend", "no", deadline="late")), [("unknown_deadline", "transitions/12")]),
        (broken(6, **{"for": {}}), [("wait", "pause")]),
        (broken(6, **{"for": {"seconds": 1, "until": "now"}}), [("wait", "pause")]),
        (broken(6, **{"for": {"business_seconds": 1}}), [("wait", "pause")]),
        (broken(6, **{"for": {"seconds": 1, "calendar": "nl"}}), [("wait", "pause")]),
        (broken(6, **{"for": {"seconds": 1, "keep": True}}), [("wait", "pause")]),
        (broken(6, **{"for": {"until": "x"}}), [("expression", "pause")]),
        (broken(0, kind="end"), [("one_start", "steps"), ("end_arrows", "start")]),
    ],
)
def test_what_does_not_hold_together_is_named(source, wanted):
    assert codes(source, POLICIES) == wanted


def test_every_step_is_reached_and_reaches_an_end():
    source = document(
        [task("a"), task("island"), task("circle"), task("round")],
        [arrow("start", "a"), arrow("a", "paid"), arrow("island", "paid"), arrow("circle", "round")],
    )
    assert codes(source) == [
        ("outcome_without_arrow", "round"),
        ("unreachable", "island"),
        ("unreachable", "circle"),
        ("no_way_out", "circle"),
        ("unreachable", "round"),
        ("no_way_out", "round"),
    ]


def test_a_loop_of_choices_is_endless_whatever_its_guards():
    steps = [{"id": name, "kind": "choice"} for name in "ab"]
    out = [arrow("start", "a"), arrow("a", "paid", when="request.data.x"), arrow("b", "paid", when="request.data.y")]
    endless = document(steps, [*out, arrow("a", "b", otherwise=True), arrow("b", "a", otherwise=True)])
    assert codes(endless) == [("endless_loop", "a"), ("endless_loop", "b")]
    guarded = document(steps, [*out, arrow("a", "b", otherwise=True), arrow("b", "no", otherwise=True)])
    guarded["transitions"].append(arrow("b", "a", when="request.data.z"))
    assert codes(guarded) == [("endless_loop", "a"), ("endless_loop", "b")]  # no guard changes within the loop


def test_a_loop_of_actions_alone_is_endless_but_one_with_a_choice_is_not():
    say = {"id": "say", "kind": "action", "action": "comment", "with": {"text": "Hi"}}
    endless = document([say], [arrow("start", "say"), arrow("say", "say"), arrow("say", "no", outcome="failed")])
    assert codes(endless) == [("endless_loop", "say")]
    check = {"id": "check", "kind": "choice"}
    arrows = [
        arrow("start", "say"),
        arrow("say", "check"),
        arrow("check", "paid", when="request.data.x"),
        arrow("check", "say", otherwise=True),
    ]
    assert codes(document([say, check], arrows)) == []


def test_a_workflow_whose_ends_have_no_outcome_is_warned_about():
    source = single(wait(seconds=1))
    del source["steps"][-1]["outcome"]
    (problem,) = check_document(source)
    assert (problem.code, problem.severity) == ("no_outcome", Severity.WARNING)


# whatever comes

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
PLACES = st.lists(st.integers(0, 30), min_size=1, max_size=5)


def replaced(value: Any, place: list[int], new: Any) -> Any:
    """The value with something deep inside replaced."""
    if not place or not isinstance(value, dict | list) or not value:
        return new
    if isinstance(value, dict):
        key = list(value)[place[0] % len(value)]
        return {**value, key: replaced(value[key], place[1:], new)}
    index = place[0] % len(value)
    return [*value[:index], replaced(value[index], place[1:], new), *value[index + 1 :]]


@given(ANYTHING, PLACES)
def test_no_json_value_makes_the_check_raise(value, place):
    for source in (value, replaced(expenses(), place, value)):
        for problem in check_document(source):
            assert problem.code
            assert problem.message
    document_hash(value)
