"""What is wrong with a workflow that is sent is named by its field, and nothing changed."""

from __future__ import annotations

from typing import Any

import pytest

from apps.workflows.models import Workflow
from tests.api.conftest import Client
from tests.api.drawing import DRAFT, FIRST, administrator, errors, everything, make_drawn, refused


@pytest.fixture
def ada(db: None) -> Client:
    return administrator()


@pytest.fixture
def drawn(ada: Client) -> Workflow:
    return make_drawn()


NEW: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({"key": "new"}, {"name": ["This field is required."]}),
    ({"key": "new", "name": 5}, {"name": ["This must be text."]}),
    ({"key": "new", "name": "  "}, {"name": ["This must be text."]}),
    ({"key": "new", "name": "New", "colour": "red"}, {"colour": ["There is no such field."]}),
    (
        {"key": "no blanks", "name": "New"},
        {"key": ["Enter a valid “slug” consisting of letters, numbers, underscores or hyphens."]},
    ),
    (
        {"key": "k" * 81, "name": "New"},
        {"key": ["Ensure this value has at most 80 characters (it has 81)."]},
    ),
    ({"key": "import", "name": "New"}, {"key": ["'import' is a word of the API; take another key."]}),
]


@pytest.mark.parametrize(("body", "expected"), NEW)
def test_a_new_workflow_is_refused_by_field(ada: Client, body: dict[str, Any], expected: dict[str, list[str]]) -> None:
    assert errors(ada.api("post", "/workflows/", body)) == expected
    assert Workflow.objects.count() == 0


def test_a_key_is_taken_once(ada: Client, drawn: Workflow) -> None:
    before = everything()
    answer = ada.api("post", "/workflows/", {"key": "drawn", "name": "Other"})
    assert (refused(answer), answer.json()["detail"]) == ((409, "conflict"), "There is a workflow 'drawn' already.")
    assert everything() == before


DOCUMENTS: list[tuple[Any, dict[str, list[str]]]] = [
    ({}, {"document": ["This field is required."]}),
    ({"document": [FIRST]}, {"document": ["This must be an object."]}),
    ({"document": None}, {"document": ["This must be an object."]}),
    ({"document": FIRST, "force": True}, {"force": ["There is no such field."]}),
    ({"document": {}}, {"document": ["""\"workflow" must be 'drawn', the key of this workflow."""]}),
    (
        {"document": {**FIRST, "workflow": "other"}},
        {"document": ["""\"workflow" must be 'drawn', the key of this workflow."""]},
    ),
    ({"document": {**FIRST, "name": "a\0b"}}, {"document.name": ["Character 2 (U+0000) cannot be stored."]}),
    ({"document": {**FIRST, "x\ud800": 1}}, {"document": ["A name in here cannot be stored."]}),
    ({"document": {**FIRST, "format": 2**70}}, {"document.format": ["This number is too large."]}),
]


@pytest.mark.parametrize(("body", "expected"), DOCUMENTS)
def test_a_draft_is_refused_by_field(
    ada: Client, drawn: Workflow, body: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    before = everything()
    assert errors(ada.api("put", DRAFT, body, **{"If-Match": "*"})) == expected
    assert everything() == before


IMPORTS: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({}, {"document.workflow": ["This must be text."], "document.name": ["This must be text."]}),
    ({**FIRST, "workflow": ["drawn"]}, {"document.workflow": ["This must be text."]}),
    ({**FIRST, "name": None}, {"document.name": ["This must be text."]}),
    ({**FIRST, "name": "n" * 201}, {"document.name": ["Ensure this value has at most 200 characters (it has 201)."]}),
    ({**FIRST, "workflow": "import"}, {"document.workflow": ["'import' is a word of the API; take another key."]}),
]


@pytest.mark.parametrize(("document", "expected"), IMPORTS)
def test_an_import_is_refused_by_field(ada: Client, document: dict[str, Any], expected: dict[str, list[str]]) -> None:
    assert errors(ada.api("post", "/workflows/import/", {"document": document})) == expected
    assert Workflow.objects.count() == 0


@pytest.mark.parametrize("path", [("put", DRAFT), ("post", "/workflows/import/")])
def test_a_huge_document_is_413(ada: Client, drawn: Workflow, path: tuple[str, str]) -> None:
    before = everything()
    answer = ada.api(*path, {"document": {**FIRST, "name": "x" * 2_100_000}}, **{"If-Match": "*"})
    assert (refused(answer), everything()) == ((413, "too_large"), before)


HOSTILE = {
    "nested without end": b'{"document": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a repeated key": b'{"document": {"workflow": "drawn", "workflow": "other"}}',
    "NaN": b'{"document": {"workflow": NaN}}',
    "no object": b"[]",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_json_is_refused(ada: Client, drawn: Workflow, body: bytes) -> None:
    before = everything()
    assert refused(ada.api("put", DRAFT, body, **{"If-Match": "*"})) == (400, "malformed")
    assert everything() == before


def test_a_draft_that_is_hardly_a_document_is_checked_and_compared_without_harm(ada: Client, drawn: Workflow) -> None:
    odd = {"workflow": "drawn", "steps": [5, None, {"id": ["x"]}], "transitions": {"from": 1}, "layout": []}
    assert ada.api("put", DRAFT, {"document": odd}, **{"If-Match": "*"}).status_code == 200
    assert ada.api("post", f"{DRAFT}check/").json()["publishable"] is False
    changes = ada.api("get", "/workflows/drawn/diff/?a=draft&b=1").json()["changes"]
    assert {change["element"] for change in changes} == {"workflow", "step"}


QUERIES = [
    ("diff/", ["a"]),
    ("diff/?a=1", ["b"]),
    ("diff/?a=one&b=1", ["a"]),
    ("diff/?a=1&b=-1", ["b"]),
    ("diff/?a=1&b=%D9%A1", ["b"]),
    ("diff/?a=1&b=9999999999", ["b"]),
    ("diff/?a=1&b=draft&c=2", ["c"]),
    ("versions/1/export/?as=pdf", ["as"]),
    ("versions/?ordering=n", ["ordering"]),
    ("draft/?cursor=x", ["cursor"]),
]


@pytest.mark.parametrize(("query", "fields"), QUERIES)
def test_a_query_is_refused_by_parameter(ada: Client, drawn: Workflow, query: str, fields: list[str]) -> None:
    assert list(errors(ada.api("get", f"/workflows/drawn/{query}"))) == fields


ABSENT = ["other/", "other/draft/", "versions/2/", "versions/0/", f"versions/{10**30}/", "diff/?a=1&b=2"]


@pytest.mark.parametrize("path", ABSENT)
def test_what_is_not_there_is_404(ada: Client, drawn: Workflow, path: str) -> None:
    start = "/workflows/" if path.startswith("other") else "/workflows/drawn/"
    assert refused(ada.api("get", start + path)) == (404, "not_found")
