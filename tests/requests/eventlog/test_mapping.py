"""The mapping of a log: what it may say, what it leads to, and that nothing it is given breaks it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import BrokenDocument
from apps.requests.eventlog.mapping import dangling, fill, read_mapping
from apps.workflows.engine.document import compile_document
from tests.requests.importing.logs import HISTORY, LADDER, MAPPING
from tests.requests.importing.test_whole_logs import needs_shared, real_table

FIXTURES = ["declarations", "helpdesk"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def document(name: str) -> dict[str, Any]:
    return json.loads((HISTORY / f"{name}.json").read_text())


def test_a_text_is_filled_from_the_line_and_what_comes_out_empty_is_left_out():
    row = {"a": "1", "b c": "2", "empty": ""}
    wanted = {"x": "{a}-{b c}", "y": "{empty}", "z": {"w": "{nowhere}"}, "n": 5, "l": ["{a}", 1]}
    assert fill(wanted, row) == {"x": "1-2", "n": 5, "l": ["1", 1]}


def test_an_amount_whose_number_is_missing_is_left_out_with_its_currency():
    wanted = {"title": "{a}", "data": {"amount": {"amount": "{a}", "currency": "EUR"}, "kept": {"currency": "EUR"}}}
    assert fill(wanted, {"a": ""}) == {"data": {"kept": {"currency": "EUR"}}}
    assert fill(wanted, {"a": "3"})["data"]["amount"] == {"amount": "3", "currency": "EUR"}


def test_the_columns_it_needs_are_told_with_the_place_that_names_them():
    assert read_mapping(MAPPING).columns_needed() == {
        "case_id": "columns/case",
        "activity": "columns/activity",
        "timestamp": "columns/timestamp",
        "resource": "columns/resource",
        "role": "columns/role",
        "amount": "request/data/amount/amount",
    }


@pytest.mark.parametrize("name", FIXTURES)
def test_the_mappings_that_ship_lead_somewhere_in_their_workflows(name):
    mapping = read_mapping(document(f"{name}.mapping"))
    assert dangling(mapping, compile_document(document(f"{name}.workflow"))) == {}


@needs_shared
def test_the_declarations_are_the_replay_model_transition_by_transition():
    mapping, workflow = document("declarations.mapping"), document("declarations.workflow")
    arrows = {(arrow["from"], arrow.get("outcome")): arrow["to"] for arrow in workflow["transitions"]}
    found = {("new", "Declaration SAVED by EMPLOYEE"): "draft"}
    verdicts = {"approve": "approved", "reject": "rejected"}
    for activity, entry in mapping["activities"].items():
        for way in entry["do"]:
            if "submit" in way:
                found |= {(state, activity): "sub" for state in ("new", "draft")}
            outcome = (
                way["complete"]["outcome"] if "complete" in way else verdicts.get(way.get("decide", {}).get("verdict"))
            )
            found |= {(source, activity): to for (source, taken), to in arrows.items() if taken and taken == outcome}
    assert found == dict(real_table())
    assert len(found) == 31


def test_a_way_that_fits_nowhere_is_named_once_by_its_place():
    changed = copy.deepcopy(MAPPING)
    changed["activities"]["Checked"]["do"].append({"at": ["boss", "attic"], "complete": {}})
    found = dangling(read_mapping(changed), compile_document(LADDER))
    assert found == {"Checked": "activities/Checked/do/1/at: the workflow has no step 'attic'."}


@given(ANYTHING)
def test_whatever_it_is_given_it_reads_or_refuses(value):
    with pytest.raises(BrokenDocument):
        read_mapping(value)


@given(st.sampled_from(sorted(MAPPING)), ANYTHING)
def test_whatever_stands_under_a_key_it_reads_or_refuses(key, value):
    changed = {**MAPPING, key: value}
    try:
        mapping = read_mapping(changed)
    except BrokenDocument:
        return
    assert mapping.source == changed["source"]
