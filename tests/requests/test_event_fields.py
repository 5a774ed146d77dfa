"""The catalogue of what events carry; that it is kept is watched in every test (`tests/event_fields.py`)."""

from __future__ import annotations

import ast
from pathlib import Path

from apps.requests.event_fields import FIELDS, HEARD, UNHEARD, Field, Fields
from apps.sla.conditions import HOLDS, defaults
from apps.sla.policy_check import METRICS, PRIORITIES
from serviceflow.wiring import SUBSCRIBERS
from tests.event_fields import unlisted

APPS = Path(__file__).resolve().parent.parent.parent / "apps"
CONDITIONS = [one for metric in METRICS for some in defaults(metric, "x", pauses=True).values() for one in some]


def names_of(fields: Fields) -> set[str]:
    below = [names_of(one) for one in fields.values() if not isinstance(one, Field)]
    return {*fields, *(name for names in below for name in names)}


def names_written() -> frozenset[str]:
    """Every name that the domain apps give to a call by keyword, or write as the key of a dictionary."""
    trees = [ast.parse(path.read_text()) for path in APPS.glob("*/**/*.py") if path.name != "event_fields.py"]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    keywords = {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg}
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return frozenset(keywords | texts)


def test_every_event_type_says_what_it_carries():
    assert set(FIELDS) == set(SUBSCRIBERS.by_type)


def test_an_event_is_heard_by_clocks_or_it_is_said_why_not():
    assert set(HEARD) | {str(kind) for kind in UNHEARD} == {str(kind) for kind in FIELDS}
    assert set(HEARD).isdisjoint(UNHEARD)


def test_no_field_is_listed_that_nothing_writes():
    written = names_written()
    assert {event: names_of(fields) - written for event, fields in FIELDS.items() if names_of(fields) - written} == {}


def test_what_metrics_listen_to_is_heard_and_has_the_fields_they_read():
    read = {(one.event, name) for one in CONDITIONS for name, _ in (*one.equals, *one.differs)}
    assert {one.event for one in CONDITIONS} <= set(HEARD)
    assert {(event, name) for event, name in read if name not in HEARD[event]} == set()


def test_what_is_not_listed_is_seen():
    assert unlisted("request.held", {"note": 3, "note_mac": "ab"}) == []
    assert unlisted("request.held", {"reason": "x"}) == ["request.held carries reason"]
    assert unlisted("request.submitted", {"priority": "urgent", "pins": {"form": None, "slaa": 1}}) == [
        "request.submitted carries priority='urgent'",
        "request.submitted carries pins.form=None",
        "request.submitted carries pins.slaa",
    ]


def test_a_log_adds_its_activity_and_whom_it_names():
    assert unlisted("request.resumed", {"activity": "Reopen", "for": 4}) == []
    assert unlisted("request.resumed", {"for": 4}) == ["request.resumed carries for"]


def test_priorities_are_the_same_for_policies_and_events():
    assert FIELDS["request.submitted"]["priority"].values == set(PRIORITIES)
    assert [one.event for some in HOLDS.values() for one in some] == ["request.held", "request.resumed"]
