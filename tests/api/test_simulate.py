"""The dry run of a draft through the API."""

from __future__ import annotations

from typing import Any

import pytest

from apps.workflows.models import Workflow
from apps.workflows.services.drafting import create_workflow, save_draft
from tests.api.conftest import Client
from tests.api.drawing import BROKEN, DRAFT, administrator, errors, everything, make_drawn, refused
from tests.factories import make_person

SIMULATE = f"{DRAFT}simulate/"
NOW = "2026-11-23T10:00:00Z"


@pytest.fixture
def ada(db: None) -> Client:
    return administrator()


@pytest.fixture
def drawn(ada: Client) -> Workflow:
    return make_drawn()


def test_a_draft_is_walked_and_everything_stays_as_it_was(ada: Client, drawn: Workflow) -> None:
    before = everything()
    script = [{"at": "2026-11-23T11:00:00Z", "step": "work", "outcome": "done", "by": "ivo"}]
    answer = ada.api("post", SIMULATE, {"now": NOW, "script": script})
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "path": [
                {"at": NOW, "step": "start", "event": "passed to work"},
                {"at": NOW, "step": "work", "event": "opened"},
                {"at": "2026-11-23T11:00:00Z", "step": "work", "event": "ended: done"},
                {"at": "2026-11-23T11:00:00Z", "step": "end", "event": "reached"},
                {"at": "2026-11-23T11:00:00Z", "step": None, "event": "finished: completed"},
            ],
            "asked": [{"step": "work", "level": None, "people": ["ivo"]}],
            "due": [],
            "actions": [],
            "ended": "completed",
            "waiting": [],
            "problems": [],
        },
    )
    assert everything() == before


def test_what_is_open_and_what_could_not_be_done_is_told(ada: Client, drawn: Workflow) -> None:
    body = ada.api("post", SIMULATE, {"now": NOW, "script": [{"step": "work", "outcome": "lost"}]}).json()
    (waiting,) = body["waiting"]
    assert (waiting["step"], waiting["for"]) == ("work", {"assign": {"team": "it"}, "people": ["ivo"]})
    assert body["problems"] == [
        {
            "code": "unknown_outcome",
            "severity": "error",
            "step": "work",
            "transition": None,
            "message": "Step 'work' has no outcome 'lost', only done.",
            "path": "script/0",
            "entry": 0,
        }
    ]


def test_an_action_fails_as_often_as_the_script_says(ada: Client) -> None:
    hook = {"id": "call", "kind": "action", "action": "webhook", "with": {"url": "https://example.org/in"}}
    steps = [
        {"id": "start", "kind": "start"},
        {**hook, "name": "Call", "retry": {"attempts": 2}},
        {"id": "no", "kind": "end", "outcome": "rejected"},
        {"id": "end", "kind": "end", "outcome": "completed"},
    ]
    arrows = [
        {"from": "start", "to": "call"},
        {"from": "call", "to": "no", "outcome": "failed"},
        {"from": "call", "to": "end"},
    ]
    document = {"format": 1, "workflow": "drawn", "name": "Drawn", "steps": steps, "transitions": arrows}
    save_draft(create_workflow("drawn", name="Drawn"), document=document, actor=None)
    ends = [
        ada.api("post", SIMULATE, {"now": NOW, "script": [{"step": "call", "fail": times}]}).json()["ended"]
        for times in (1, 2)
    ]
    assert ends == ["completed", "rejected"]


def test_actions_timers_and_deadlines_are_told_in_their_shapes(ada: Client) -> None:
    steps = [
        {"id": "start", "kind": "start"},
        {"id": "say", "kind": "action", "action": "comment", "with": {"text": "Hello"}},
        {"id": "rest", "kind": "wait", "for": {"seconds": 60}},
        {"id": "end", "kind": "end", "outcome": "completed"},
    ]
    arrows = [{"from": "start", "to": "say"}, {"from": "say", "to": "rest"}, {"from": "rest", "to": "end"}]
    document = {"format": 1, "workflow": "drawn", "name": "Drawn", "steps": steps, "transitions": arrows}
    save_draft(create_workflow("drawn", name="Drawn"), document=document, actor=None)
    body = ada.api("post", SIMULATE, {"now": NOW}).json()
    assert body["actions"] == [{"at": NOW, "step": "say", "action": "comment", "with": {"text": "Hello"}}]
    assert body["due"] == [{"step": "rest", "deadline": None, "at": "2026-11-23T10:01:00Z"}]
    assert body["waiting"][0]["for"] == {"due": "2026-11-23T10:01:00Z"}


def test_a_broken_draft_is_not_walked(ada: Client) -> None:
    save_draft(create_workflow("drawn", name="Drawn"), document=BROKEN, actor=None)
    body = ada.api("post", SIMULATE, {}).json()
    assert (body["path"], body["ended"]) == ([], None)
    assert [(one["code"], one["step"], one["entry"]) for one in body["problems"]] == [("unknown_key", "work", None)]


def test_an_auditor_may_try_a_draft_out(ada: Client, drawn: Workflow) -> None:
    auditor = Client().of(make_person("iris", roles=["auditor"]))
    assert auditor.api("post", SIMULATE, {"now": NOW}).status_code == 200


def test_to_everybody_else_there_is_no_draft(ada: Client, drawn: Workflow) -> None:
    stranger = Client().of(make_person("stan"))
    assert refused(stranger.api("post", SIMULATE, {})) == (404, "not_found")
    assert Client().api("post", SIMULATE, {}).status_code == 401


def test_without_a_draft_there_is_nothing_to_walk(ada: Client) -> None:
    create_workflow("drawn", name="Drawn")
    assert refused(ada.api("post", SIMULATE, {})) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({"colour": 1}, {"colour": ["There is no such field."]}),
        ({"script": {}}, {"script": ["This must be a list."]}),
        ({"request": []}, {"request": ["This must be an object."]}),
        ({"script": [{"step": "work"}]}, {"script.0": ["Say exactly one of outcome, message, decision and fail."]}),
        ({"request": {"item": "gone"}}, {"request.item": ["There is no such item."]}),
        (
            {"now": "tomorrow"},
            {"now": ["This must be a point in time with its zone, such as 2026-11-23T10:00:00Z."]},
        ),
    ],
)
def test_what_does_not_fit_is_told_by_its_field(ada: Client, drawn: Workflow, body: Any, problems: Any) -> None:
    before = everything()
    assert (errors(ada.api("post", SIMULATE, body)), everything()) == (problems, before)
