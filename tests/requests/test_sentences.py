"""What a history says of steps and fields: by the names that people know, of the version the request runs on."""

from __future__ import annotations

import pytest

from apps.requests.selectors.sentences import SENTENCES, Words
from apps.workflows.engine.document import compile_document
from tests.factories import line_document

REPAIR = {
    "id": "repair",
    "kind": "task",
    "name": "Repair it",
    "assign": {"team": "it"},
    "outcomes": [{"id": "fixed_well", "label": "Fixed for good"}],
}
WORKFLOW = compile_document(line_document("mending", REPAIR))
LOOK = {"id": "look", "kind": "task", "name": "Have a look", "assign": {"team": "it"}}
CHILD = compile_document(line_document("looking", LOOK))
WORDS = Words(workflow=WORKFLOW, children={2: CHILD}, fields={"room": "Your room"})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"step": "repair", "outcome": "fixed_well"}, "finished “Repair it”: Fixed for good"),
        ({"step": "look", "outcome": "done", "run": 2}, "finished “Have a look”: Done"),
        ({"step": "look", "outcome": "done"}, "finished “Have a look”: Done"),
        ({"step": "repair", "outcome": "given_up"}, "finished “Repair it”: given up"),
        ({"step": "gone", "outcome": "given_up"}, "finished “gone”: given up"),
    ],
)
def test_a_task_ends_as_its_button_says(data: dict[str, object], said: str) -> None:
    assert SENTENCES["task.completed"](data, WORDS) == said


def test_fields_go_by_their_labels_and_by_their_names_where_no_form_has_them() -> None:
    said = SENTENCES["request.fields_set"]({"fields": ["room", "asset_tag"]}, WORDS)
    assert said == "filled in Your room, asset tag"


def test_without_a_workflow_ids_stand_for_names() -> None:
    assert SENTENCES["task.completed"]({"step": "repair", "outcome": "fixed_well"}, Words()) == (
        "finished “repair”: fixed well"
    )
