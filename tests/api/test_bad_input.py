"""What is wrong is named by its field, and nothing changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.requests.models import Request
from tests.api.conftest import DATA, World
from tests.factories import make_person, row_counts

NEW: dict[str, Any] = {"item": "laptop", "data": DATA}

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("an unknown item", {**NEW, "item": "yacht"}, "item"),
    ("no item", {"data": DATA}, "item"),
    ("an item that is no text", {**NEW, "item": 5}, "item"),
    ("an unknown key", {**NEW, "colour": "red"}, "colour"),
    ("data that is no object", {**NEW, "data": [1]}, "data"),
    ("a missing required field", {**NEW, "data": {}}, "data.reason"),
    ("blanks for a required field", {**NEW, "data": {"reason": "  "}}, "data.reason"),
    ("a number where text belongs", {**NEW, "data": {"reason": 7}}, "data.reason"),
    ("an unknown field", {**NEW, "data": {**DATA, "speed": 1}}, "data.speed"),
    ("text where a number belongs", {**NEW, "data": {**DATA, "amount": "7"}}, "data.amount"),
    ("true where a number belongs", {**NEW, "data": {**DATA, "amount": True}}, "data.amount"),
    ("a number out of range", {**NEW, "data": {**DATA, "amount": 11}}, "data.amount"),
    ("a date that is none", {**NEW, "data": {**DATA, "needed_on": "2026-02-30"}}, "data.needed_on"),
    ("money without amount", {**NEW, "data": {**DATA, "price": {}}}, "data.price"),
    ("a currency that is no text", {**NEW, "data": {**DATA, "price": {"amount": "1", "currency": []}}}, "data.price"),
    ("a choice that is none", {**NEW, "data": {**DATA, "size": "huge"}}, "data.size"),
    ("an unknown person", {**NEW, "data": {**DATA, "buddy": "nobody"}}, "data.buddy"),
    ("a title that is no text", {**NEW, "title": 5}, "title"),
    ("a title of 1 MB", {**NEW, "title": "x" * 1_000_000}, "title"),
    ("a field of 1 MB", {**NEW, "data": {"reason": "x" * 1_000_000}}, "data.reason"),
    ("NUL", {**NEW, "title": "a\0b"}, "title"),
    ("a control character", {**NEW, "data": {"reason": "a\x1bb"}}, "data.reason"),
    ("a lone surrogate", {**NEW, "data": {"reason": "a\ud800b"}}, "data.reason"),
    ("an unknown impact", {**NEW, "impact": "huge"}, "impact"),
    ("nobody to request it for", {**NEW, "requested_for": "nobody"}, "requested_for"),
    ("submit that is no flag", {**NEW, "submit": "yes"}, "submit"),
    ("an integer beyond 64 bits", {**NEW, "data": {**DATA, "amount": 10**30}}, "data.amount"),
]


@pytest.mark.parametrize(("body", "field"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_new_request_is_refused_by_field(world: World, body: dict[str, Any], field: str) -> None:
    before = row_counts()

    answer = world.client("rita").api("post", "/requests/", body)

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert (answer.json()["code"], list(answer.json()["errors"])) == ("invalid", [field])
    assert row_counts() == before


MALFORMED: dict[str, bytes] = {
    "no JSON": b"{",
    "no object": b"[]",
    "a bare number": b"5",
    "NaN": b'{"item": NaN}',
    "Infinity": b'{"item": -Infinity}',
    "no UTF-8": b'{"item": "\xff"}',
    "a repeated key": b'{"item": "laptop", "item": "laptop"}',
    "a thousand digits and more": b'{"item": ' + b"9" * 5000 + b"}",
    "nested without end": b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nothing": b"",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_body_is_refused(world: World, body: bytes) -> None:
    before = row_counts()

    answer = world.client("rita").api("post", "/requests/", body)

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert row_counts() == before


def test_an_overflowing_float_is_refused_by_field(world: World) -> None:
    answer = world.client("rita").api("post", "/requests/", b'{"item": "laptop", "data": {"amount": 1e999}}')
    assert answer.json()["errors"] == {"data.amount": ["This number is too large."]}


def test_deep_nesting_is_refused_by_field(world: World) -> None:
    body = b'{"item": "laptop", "data": {"reason": ' + b"[" * 100 + b"]" * 100 + b"}}"
    answer = world.client("rita").api("post", "/requests/", body)
    assert answer.json()["errors"] == {"data.reason": ["This is nested too deeply."]}


def test_names_that_cannot_be_stored_are_refused_without_repeating_them(world: World) -> None:
    answer = world.client("rita").api("post", "/requests/", {**NEW, "data": {"rea\ud800son": 1}})
    assert answer.json()["errors"] == {"data": ["A name in here cannot be stored."]}


def test_a_body_over_the_limit_is_413(world: World) -> None:
    answer = world.client("rita").api("post", "/requests/", {**NEW, "title": "x" * 2_100_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_another_media_type_is_415(world: World) -> None:
    answer = world.client("rita").post("/api/v1/requests/", {"item": "laptop"}, format="multipart")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_text_is_stored_unchanged(world: World) -> None:
    reason = "  Ünïcode 🎉,\ttabs\r\nand lines  "
    answer = world.client("rita").api("post", "/requests/", {**NEW, "data": {"reason": reason}})
    assert answer.json()["data"] == {"reason": reason}


def _approval_of(world: World, request: Request) -> int:
    (row,) = world.client("rita").api("get", f"/requests/{request.number}/approvals/").json()["results"]
    return int(row["id"])


def test_a_stranger_finds_no_approval_to_decide(world: World) -> None:
    approval = _approval_of(world, world.ask())
    before = row_counts()

    answer = world.client("stan").api("post", f"/approvals/{approval}/decide/", {"decision": "approve"})

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert row_counts() == before


def test_somebody_who_sees_it_but_was_not_asked_may_not_decide(world: World) -> None:
    approval = _approval_of(world, world.ask())
    before = row_counts()

    answer = world.client("rita").api("post", f"/approvals/{approval}/decide/", {"decision": "approve"})

    assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")
    assert row_counts() == before


def test_an_administrator_who_was_not_asked_may_not_decide_either(world: World) -> None:
    approval = _approval_of(world, world.ask())
    world_admin = make_person("ada", roles=["administrator"])
    client = world.client("mia").of(world_admin)

    answer = client.api("post", f"/approvals/{approval}/decide/", {"decision": "approve"})

    assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")


def test_a_second_decision_is_a_conflict(world: World) -> None:
    approval = _approval_of(world, world.ask())
    mia = world.client("mia")
    assert mia.api("post", f"/approvals/{approval}/decide/", {"decision": "approve"}).status_code == 200
    before = row_counts()

    answer = mia.api("post", f"/approvals/{approval}/decide/", {"decision": "reject", "comment": "No"})

    assert (answer.status_code, answer.json()["code"]) == (409, "already_decided")
    assert row_counts() == before


DECISIONS: list[tuple[dict[str, Any], str]] = [
    ({"decision": "maybe"}, "decision"),
    ({"decision": ["approve"]}, "decision"),
    ({}, "decision"),
    ({"decision": "reject"}, "comment"),
    ({"decision": "approve", "comment": 5}, "comment"),
    ({"decision": "approve", "comment": "x" * 1_000_000}, "comment"),
    ({"decision": "approve", "vote": 1}, "vote"),
]


@pytest.mark.parametrize(("body", "field"), DECISIONS, ids=[str(case[0])[:40] for case in DECISIONS])
def test_a_decision_is_refused_by_field(world: World, body: dict[str, Any], field: str) -> None:
    approval = _approval_of(world, world.ask())
    before = row_counts()

    answer = world.client("mia").api("post", f"/approvals/{approval}/decide/", body)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert row_counts() == before


COMPLETIONS: list[tuple[dict[str, Any], str]] = [
    ({"outcome": "exploded"}, "outcome"),
    ({"outcome": ["done"]}, "outcome"),
    ({"outcome": None}, "outcome"),
    ({"outcome": "done", "speed": 1}, "speed"),
]


@pytest.mark.parametrize(("body", "field"), COMPLETIONS, ids=[str(case[0]) for case in COMPLETIONS])
def test_a_completion_is_refused_by_field(world: World, body: dict[str, Any], field: str) -> None:
    approval = _approval_of(world, world.ask())
    world.client("mia").api("post", f"/approvals/{approval}/decide/", {"decision": "approve"})
    ivo = world.client("ivo")
    (task,) = ivo.api("get", "/tasks/").json()["results"]
    before = row_counts()

    answer = ivo.api("post", f"/tasks/{task['id']}/complete/", body)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert row_counts() == before


QUERIES: list[tuple[str, str]] = [
    ("status=open", "status"),
    ("priority=urgent", "priority"),
    ("created_after=yesterday", "created_after"),
    ("created_after=2026-01-01T00:00:00", "created_after"),
    ("updated_before=0001-01-01T00:00:00%2B23:00", "updated_before"),
    ("ordering=data", "ordering"),
    ("page_size=0", "page_size"),
    ("page_size=201", "page_size"),
    ("page_size=%D9%A1", "page_size"),
    ("cursor=nonsense", "cursor"),
    ("cursor=%00", "cursor"),
    ("q=a%00b", "q"),
    ("item=%00", "item"),
    ("colour=red", "colour"),
    ("%00=red", "query"),
]


@pytest.mark.parametrize(("query", "field"), QUERIES)
def test_a_query_is_refused_by_parameter(world: World, query: str, field: str) -> None:
    answer = world.client("rita").api("get", f"/requests/?{query}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


@pytest.mark.parametrize("after", ["-1", "x", "1e3", "9" * 30, "9223372036854775808"])
def test_a_feed_position_is_a_whole_number(world: World, after: str) -> None:
    answer = world.client("rita").api("get", f"/events/?after={after}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["after"])


PATHS = [
    "/nothing/",
    "/requests",
    "/requests/SR-2026-000001%00/",
    "/requests/SR-2026-999999/",
    "/requests/x/events/",
    "/tasks/99999999999999999999999999/",
    "/approvals/0/",
    "/catalog/yacht/",
]


@pytest.mark.parametrize("path", PATHS)
def test_what_is_not_there_is_a_problem_document(world: World, path: str) -> None:
    answer = world.client("rita").api("get", path)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not_found"


def test_a_method_that_is_not_offered_is_405(world: World) -> None:
    answer = world.client("rita").api("delete", "/requests/")
    assert (answer.status_code, answer.json()["code"], answer["Allow"]) == (
        405,
        "method_not_allowed",
        "GET, HEAD, POST",
    )


@pytest.mark.parametrize("ids", [["x"], [True], [None], [2**62] * 1001, "all"])
def test_ids_of_notifications_are_whole_numbers(world: World, ids: Any) -> None:
    answer = world.client("rita").api("post", "/notifications/read/", {"ids": ids})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["ids"])


def test_a_problem_document_has_every_member(world: World) -> None:
    answer = world.client("rita").api("post", "/requests/", {"item": "yacht"})
    assert json.loads(answer.content) == {
        "type": "urn:service-flow:problem:invalid",
        "title": "Some of what was entered cannot be accepted.",
        "status": 400,
        "detail": "item: There is no such item, or it is not offered to you.",
        "code": "invalid",
        "errors": {"item": ["There is no such item, or it is not offered to you."]},
    }
