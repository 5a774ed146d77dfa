"""Two versions are compared element by element, and what is reported is what differs: no more, no less."""

from __future__ import annotations

import copy
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.workflows.engine.diff import MOST_CHANGES, Change, ChangeKind, Element, diff
from tests.engine.documents import EXPENSES, arrow

ADDED, REMOVED, CHANGED = ChangeKind
WORKFLOW, STAGE, STEP, TRANSITION, LAYOUT = Element
CHOICE = [
    arrow("big", "board", when="a > 1"),
    arrow("big", "mend", when="a > 0"),
    arrow("big", "pay", otherwise=True),
]


def expenses() -> dict[str, Any]:
    return copy.deepcopy(EXPENSES)


def step(document: dict[str, Any], ident: str) -> dict[str, Any]:
    (found,) = [one for one in document["steps"] if one["id"] == ident]
    return found


def drawn(*transitions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"format": 1, "workflow": "w", "name": "W", "steps": [], "transitions": list(transitions), **more}


def only_change(old: Any, new: Any) -> Change:
    (change,) = diff(old, new)
    return change


# steps


def test_an_added_step_is_one_change_that_holds_the_step():
    new = expenses()
    new["steps"].append({"id": "lunch", "kind": "task"})
    change = only_change(EXPENSES, new)
    assert change == Change(kind=ADDED, element=STEP, id="lunch", after={"id": "lunch", "kind": "task"})
    assert change.sentence == """Step 'lunch' was added ("task")."""


def test_a_removed_step_is_one_change_that_holds_the_step():
    new = expenses()
    new["steps"].remove(step(new, "mend"))
    change = only_change(EXPENSES, new)
    assert change == Change(kind=REMOVED, element=STEP, id="mend", before=step(expenses(), "mend"))
    assert change.sentence == """Step 'mend' was removed ("task")."""


def test_a_change_deep_inside_a_step_is_named_by_its_path():
    new = expenses()
    step(new, "review")["policy"]["levels"][0]["rule"]["kind"] = "all"
    change = only_change(EXPENSES, new)
    assert (change.kind, change.element, change.id) == (CHANGED, STEP, "review")
    assert (change.path, change.before, change.after) == ("policy/levels/0/rule/kind", "any", "all")
    assert change.sentence == """Step 'review': 'policy/levels/0/rule/kind' was "any", now it is "all"."""


def test_a_setting_that_came_and_one_that_went_are_changes_of_the_step():
    new = expenses()
    del step(new, "review")["name"]
    step(new, "review")["policy"]["levels"].append({"id": "board"})
    sentences = [change.sentence for change in diff(EXPENSES, new)]
    assert sentences == [
        """Step 'review': 'name' was "Review", now it is not set.""",
        """Step 'review': 'policy/levels/1' was not set, now it is {"id": "board"}.""",
    ]


def test_the_order_of_steps_and_keys_says_nothing():
    new = {key: EXPENSES[key] for key in reversed(EXPENSES)}
    new["steps"] = [dict(reversed(one.items())) for one in reversed(EXPENSES["steps"])]
    assert diff(EXPENSES, new) == ()


@pytest.mark.parametrize(("old", "new"), [(1, True), (0, False), (None, 0), ("1", 1), ([], {}), ({}, None)])
def test_values_of_different_types_differ(old, new):
    change = only_change(drawn(steps=[{"id": "a", "x": old}]), drawn(steps=[{"id": "a", "x": new}]))
    assert (change.path, change.before, change.after) == ("x", old, new)


def test_numbers_are_compared_by_value_as_the_hash_does():
    assert diff(drawn(steps=[{"id": "a", "x": 1}]), drawn(steps=[{"id": "a", "x": 1.0}])) == ()


# transitions


def test_a_changed_guard_is_a_change_of_its_arrow():
    old, new = drawn(*CHOICE), drawn({**CHOICE[0], "when": "a > 2"}, *CHOICE[1:])
    change = only_change(old, new)
    assert change == Change(
        kind=CHANGED, element=TRANSITION, id="big -> board", path="when", before="a > 1", after="a > 2"
    )
    assert change.sentence == """Arrow 'big -> board': 'when' was "a > 1", now it is "a > 2"."""


def test_an_arrow_that_leads_elsewhere_is_another_arrow():
    old, new = drawn(arrow("a", "b", outcome="done")), drawn(arrow("a", "c", outcome="done"))
    assert [change.sentence for change in diff(old, new)] == [
        """Arrow 'a -> b' was removed (outcome "done").""",
        """Arrow 'a -> c' was added (outcome "done").""",
    ]


def test_of_two_arrows_between_the_same_steps_the_equal_one_is_left_alone():
    old = drawn(arrow("a", "b", outcome="yes"), arrow("a", "b", outcome="no"))
    new = drawn(arrow("a", "b", outcome="no"), arrow("a", "b", outcome="maybe"))
    change = only_change(old, new)
    assert (change.path, change.before, change.after) == ("outcome", "yes", "maybe")


def test_equal_arrows_are_matched_by_count():
    thread = arrow("split", "work")
    assert diff(drawn(thread, thread), drawn(thread, thread, thread)) == (
        Change(kind=ADDED, element=TRANSITION, id="split -> work", after=thread),
    )
    assert diff(drawn(thread, thread), drawn(thread, thread)) == ()


def test_the_order_of_the_guarded_arrows_of_a_choice_is_a_change_of_the_step():
    change = only_change(drawn(*CHOICE), drawn(CHOICE[1], CHOICE[0], CHOICE[2]))
    board, mend = """to 'board' when "a > 1\"""", """to 'mend' when "a > 0\""""
    assert change == Change(
        kind=CHANGED, element=STEP, id="big", path="order of arrows", before=[board, mend], after=[mend, board]
    )
    assert change.sentence == "Step 'big': the order of arrows is another."


def test_the_order_of_other_arrows_says_nothing():
    other = arrow("mend", "big")
    assert diff(drawn(*CHOICE, other), drawn(CHOICE[2], other, CHOICE[0], CHOICE[1])) == ()


def race(*targets: str, kind: str = "race") -> dict[str, Any]:
    return drawn(*(arrow("first", target) for target in targets), steps=[{"id": "first", "kind": kind}])


def test_the_order_of_the_arrows_of_a_race_is_a_change_of_the_step():
    change = only_change(race("paid", "late"), race("late", "paid"))
    assert change == Change(
        kind=CHANGED,
        element=STEP,
        id="first",
        path="order of arrows",
        before=["to 'paid'", "to 'late'"],
        after=["to 'late'", "to 'paid'"],
    )


def test_the_order_of_the_arrows_of_a_split_and_of_a_step_that_became_a_race_says_nothing():
    assert diff(race("paid", "late", kind="split"), race("late", "paid", kind="split")) == ()
    assert only_change(race("paid", "late", kind="split"), race("late", "paid")).path == "kind"


def test_an_arrow_put_between_two_others_changes_no_order():
    new = drawn(CHOICE[0], arrow("big", "x", when="a == 7"), *CHOICE[1:])
    assert only_change(drawn(*CHOICE), new).id == "big -> x"


# stages, layout, the workflow itself


def test_stages_are_matched_by_id_and_their_order_counts():
    one, two = {"id": "one", "name": "One"}, {"id": "two", "name": "Two"}
    old, new = drawn(stages=[one, two]), drawn(stages=[two, {**one, "name": "First"}])
    assert diff(old, new) == (
        Change(kind=CHANGED, element=STAGE, id="one", path="name", before="One", after="First"),
        Change(
            kind=CHANGED, element=WORKFLOW, id="", path="order of stages", before=["one", "two"], after=["two", "one"]
        ),
    )
    assert diff(old, new)[1].sentence == "The workflow: the order of stages is another."


def test_each_step_that_was_moved_is_one_change_of_the_layout():
    old, new = (
        drawn(layout={"a": [1, 2], "b": [3, 4], "d": [0, 0]}),
        drawn(layout={"a": [5, 6], "c": [3, 4], "d": [0, 0]}),
    )
    assert diff(old, new) == (
        Change(kind=CHANGED, element=LAYOUT, id="a", before=[1, 2], after=[5, 6]),
        Change(kind=REMOVED, element=LAYOUT, id="b", before=[3, 4]),
        Change(kind=ADDED, element=LAYOUT, id="c", after=[3, 4]),
    )
    assert [change.sentence for change in diff(old, new)] == [
        "Step 'a' was moved in the drawing.",
        "Step 'b' has no place of its own any more in the drawing.",
        "Step 'c' was given a place in the drawing.",
    ]


def test_the_keys_of_the_document_are_changes_of_the_workflow():
    changes = diff(drawn(reopen="review"), {**drawn(), "name": "Other"})
    assert [(change.element, change.path, change.sentence) for change in changes] == [
        (WORKFLOW, "name", """The workflow: 'name' was "W", now it is "Other"."""),
        (WORKFLOW, "reopen", """The workflow: 'reopen' was "review", now it is not set."""),
    ]


def test_an_empty_list_beside_none_is_a_change_of_the_workflow():
    assert diff(drawn(), drawn(stages=[])) == (
        Change(kind=CHANGED, element=WORKFLOW, id="", path="stages", before=None, after=[]),
    )


def test_a_list_of_elements_that_is_none_is_compared_as_one_value():
    change = only_change(drawn(), drawn() | {"steps": "none yet"})
    assert (change.element, change.path, change.before, change.after) == (WORKFLOW, "steps", [], "none yet")


# bounds


def test_long_values_are_cut_in_sentences_only():
    change = only_change(drawn(), drawn() | {"name": "x" * 500})
    assert change.after == "x" * 500
    assert change.sentence == f"""The workflow: 'name' was "W", now it is "{"x" * 56}...."""


def test_a_hostile_document_gives_a_bounded_answer():
    entry = {"id": "i" * 10_000, "kind": "task", "k" * 10_000: dict.fromkeys(map(str, range(9000)), 1)}
    changed = {**entry, "k" * 10_000: dict.fromkeys(map(str, range(9000)), 2)}
    changes = diff(drawn(steps=[entry]), drawn(steps=[changed]))
    assert len(changes) == MOST_CHANGES
    assert max(len(change.id) + len(change.path) for change in changes) < 300


def test_what_lies_too_deep_is_compared_as_one_value():
    old: Any = "a"
    new: Any = "b"
    for _ in range(60):
        old, new = {"x": old}, {"x": new}
    assert only_change(drawn(deep=old), drawn(deep=new)).path == "deep" + "/x" * 15


# whatever comes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["a", "b", 0.5, 1.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=6,
)
IDS = st.sampled_from(["a", "b", "c", 7])
STEPS = st.fixed_dictionaries({"id": IDS}, optional={"kind": st.sampled_from(["task", "choice"]), "with": VALUES})
STAGES = st.fixed_dictionaries({"id": IDS}, optional={"name": VALUES})
ARROWS = st.fixed_dictionaries(
    {"from": IDS, "to": IDS}, optional={"when": st.sampled_from("gh"), "otherwise": st.just(value=True)}
)


def lists(entries: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly lists of such entries; now and then one with something else in it, or no list at all."""
    return st.lists(entries, max_size=5) | st.lists(entries | VALUES, max_size=3) | VALUES


DOCUMENTS = VALUES | st.fixed_dictionaries(
    {},
    optional={
        "name": VALUES,
        "steps": lists(STEPS),
        "stages": lists(STAGES),
        "transitions": lists(ARROWS),
        "layout": VALUES | st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(0, 2), max_size=2)),
    },
)


def canonical(value: Any) -> str:
    """Equal for equal JSON values; a whole number is written in one way."""
    if isinstance(value, dict):
        return json.dumps({key: canonical(one) for key, one in value.items()}, sort_keys=True)
    if isinstance(value, list):
        return json.dumps([canonical(one) for one in value])
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)


def meaning(document: Any) -> str:
    """The document with what has no order sorted."""
    if not isinstance(document, dict):
        return canonical(document)
    document = dict(document)
    if isinstance(steps := document.get("steps"), list):
        document["steps"] = sorted(map(canonical, steps))
    if isinstance(arrows := document.get("transitions"), list):
        document["transitions"] = [*sorted(map(canonical, arrows)), *sorted(guards_in_order(arrows))]
    return canonical(document)


def guards_in_order(arrows: list[Any]) -> list[str]:
    guarded = [one for one in arrows if isinstance(one, dict) and "when" in one]
    return [
        canonical([one for one in guarded if one["from"] == source]) for source in {each["from"] for each in guarded}
    ]


def comparable(changes: tuple[Change, ...], *, turned: bool = False) -> Counter[str]:
    swap = {"added": "removed", "removed": "added", "changed": "changed"}
    return Counter(
        repr(
            (swap[each.kind], each.element, each.id, each.path, each.after, each.before)
            if turned
            else (str(each.kind), each.element, each.id, each.path, each.before, each.after)
        )
        for each in changes
    )


@given(DOCUMENTS)
def test_a_document_does_not_differ_from_itself(document):
    assert diff(document, copy.deepcopy(document)) == ()


@given(DOCUMENTS, DOCUMENTS)
def test_there_are_no_changes_exactly_where_two_documents_mean_the_same(old, new):
    assert (diff(old, new) == ()) is (meaning(old) == meaning(new))


@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_shuffled_steps_and_unguarded_arrows_are_no_change(document, random):
    if isinstance(document, dict):
        shuffled = copy.deepcopy(document)
        for key in ("steps", "transitions"):
            if isinstance(entries := shuffled.get(key), list):
                guarded = [one for one in entries if isinstance(one, dict) and "when" in one and key == "transitions"]
                others = [one for one in entries if one not in guarded]
                random.shuffle(others)
                shuffled[key] = [*others, *guarded]
        assert diff(document, shuffled) == ()


@given(DOCUMENTS, DOCUMENTS)
def test_the_other_way_round_every_change_is_mirrored(old, new):
    assert comparable(diff(old, new), turned=True) == comparable(diff(new, old))


@given(DOCUMENTS, DOCUMENTS)
def test_every_change_has_a_sentence(old, new):
    for change in diff(old, new):
        assert change.sentence.endswith(".")
