"""Drafts, preconditions, filters, pages, comments, messages, the feed."""

from __future__ import annotations

from typing import Any

import pytest

from apps.outbox.relay import run_relay
from apps.requests.models import Request
from tests.api.conftest import DATA, World
from tests.factories import line_document, make_item, make_person, make_workflow, row_counts


def _numbers(answer: Any) -> list[str]:
    return [row["number"] for row in answer.json()["results"]]


def test_a_draft_is_changed_field_by_field(world: World) -> None:
    draft = world.ask(submit=False, data={"size": "small", "amount": 2})
    rita = world.client("rita")

    answer = rita.api("patch", f"/requests/{draft.number}/", {"title": "Mine", "data": {"amount": None, "reason": "x"}})

    assert (answer.json()["title"], answer.json()["data"]) == ("Mine", {"size": "small", "reason": "x"})
    assert rita.api("post", f"/requests/{draft.number}/submit/").json()["status"] == "submitted"


def test_tags_are_given_changed_and_left_as_they_are(world: World) -> None:
    rita = world.client("rita")
    body = {"item": world.item.slug, "submit": False, "data": {}, "tags": ["vip", "vip"]}
    made = rita.api("post", "/requests/", body).json()
    answers = [rita.api("patch", f"/requests/{made['number']}/", change) for change in ({"title": "x"}, {"tags": []})]
    assert [made["tags"], *(answer.json()["tags"] for answer in answers)] == [["vip"], ["vip"], []]
    refused = rita.api("patch", f"/requests/{made['number']}/", {"tags": ["", "a"]})
    assert refused.json()["errors"] == {"tags": ["This must be a list of at most 20 words."]}


def test_a_draft_without_its_required_fields_is_not_handed_in(world: World) -> None:
    draft = world.ask(submit=False, data={})
    before = row_counts()
    answer = world.client("rita").api("post", f"/requests/{draft.number}/submit/")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["data.reason"])
    assert row_counts() == before


def test_what_was_submitted_is_no_longer_changed(world: World) -> None:
    answer = world.client("rita").api("patch", f"/requests/{world.ask().number}/", {"title": "Mine"})
    assert (answer.status_code, answer.json()["code"]) == (409, "transition_not_allowed")


def test_a_request_for_somebody_else_is_theirs_too(world: World) -> None:
    request = world.ask(requested_for="stan")
    assert world.client("stan").api("get", f"/requests/{request.number}/").json()["requested_for"] == "stan"


def test_a_stranger_finds_nothing(world: World) -> None:
    number, stan = world.ask().number, world.client("stan")
    for method, path in [
        ("get", ""),
        ("get", "events/"),
        ("get", "comments/"),
        ("post", "cancel/"),
        ("post", "submit/"),
    ]:
        assert stan.api(method, f"/requests/{number}/{path}").status_code == 404
    assert _numbers(stan.api("get", "/requests/")) == []


def test_a_requester_may_not_hold(world: World) -> None:
    answer = world.client("rita").api("post", f"/requests/{world.ask().number}/hold/", {"comment": "Later"})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")


def test_an_item_for_others_is_neither_shown_nor_requested(world: World) -> None:
    item = make_item("safe", workflow=make_workflow(line_document("safe")))
    item.audience.set(make_person("tess", roles=["treasurer"]).groups.all())
    rita = world.client("rita")
    assert [row["slug"] for row in rita.api("get", "/catalog/").json()["results"]] == ["laptop"]
    assert rita.api("get", "/catalog/safe/").status_code == 404
    assert rita.api("post", "/requests/", {"item": "safe", "data": DATA}).json()["errors"].keys() == {"item"}


def test_the_form_of_an_item_is_json_schema(world: World) -> None:
    form = world.client("rita").api("get", "/catalog/laptop/").json()["form"]
    assert (form["required"], form["properties"]["reason"]["maxLength"]) == (["reason"], 500)


def test_if_match_lets_only_the_present_revision_through(world: World) -> None:
    request, rita = world.ask(submit=False), world.client("rita")
    path = f"/requests/{request.number}/"
    old = rita.api("get", path)["ETag"]
    new = rita.api("patch", path, {"title": "Mine"}, **{"If-Match": old})["ETag"]
    assert (old, new) == ('"1"', '"2"')
    before = row_counts()

    for tag in (old, f"W/{new}", '"x", "y"'):
        answer = rita.api("post", f"{path}submit/", **{"If-Match": tag})
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert rita.api("post", f"{path}submit/", **{"If-Match": "7"}).status_code == 400
    assert row_counts() == before

    assert rita.api("post", f"{path}submit/", **{"If-Match": f'"x", {new}'}).status_code == 200


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=draft", {"Second"}),
        ("status=draft,submitted", {"First", "Second"}),
        ("q=irs", {"First"}),
        ("item=laptop&priority=critical", {"Second"}),
        ("item=yacht", set()),
        ("requester=rita", {"First", "Second"}),
        ("requester=mia", set()),
        ("assignee=ivo", set()),
        ("team=it", set()),
        ("stage=approval", {"First"}),
        ("created_after=2026-01-01T00:00:00Z&updated_after=2026-01-01T00:00:00%2B01:00", {"First", "Second"}),
        ("created_before=2026-01-01T00:00:00Z", set()),
    ],
)
def test_lists_are_filtered(world: World, query: str, found: set[str]) -> None:
    world.ask(title="First")
    world.ask(title="Second", submit=False, impact="high", urgency="high")
    answer = world.client("rita").api("get", f"/requests/?{query}")
    assert {row["title"] for row in answer.json()["results"]} == found


@pytest.mark.parametrize("ordering", ["number", "-number", "created_at", "-created_at", "updated_at", "-updated_at"])
def test_pages_go_forth_and_back_without_gap(world: World, ordering: str) -> None:
    made = [world.ask().number for _ in range(5)]
    Request.objects.filter(number__in=made[:3]).update(
        created_at="2026-01-01T00:00:00Z", updated_at="2026-01-01T00:00:00Z"
    )
    rita = world.client("rita")
    wanted = made[::-1] if ordering.startswith("-") else made

    first = rita.api("get", f"/requests/?page_size=2&ordering={ordering}")
    second = rita.api("get", _path(first.json()["next"]))
    third = rita.api("get", _path(second.json()["next"]))
    back = rita.api("get", _path(third.json()["previous"]))

    assert [_numbers(page) for page in (first, second, third)] == [wanted[:2], wanted[2:4], wanted[4:]]
    assert (first.json()["previous"], third.json()["next"]) == (None, None)
    assert _numbers(back) == wanted[2:4]
    assert rita.api("get", _path(back.json()["previous"])).json()["previous"] is None


def _path(address: str) -> str:
    return address.partition("/api/v1")[2]


def test_a_cursor_belongs_to_its_order(world: World) -> None:
    world.ask(), world.ask()
    rita = world.client("rita")
    address = _path(rita.api("get", "/requests/?page_size=1").json()["next"])
    answer = rita.api("get", f"{address}&ordering=created_at")
    assert list(answer.json()["errors"]) == ["cursor"]


def test_internal_comments_are_for_those_who_work_on_it(world: World) -> None:
    wait = {"id": "unpack", "kind": "task", "name": "Unpack", "assign": {"team": "it"}}
    make_item("parcel", workflow=make_workflow(line_document("parcel", wait)))
    path = f"/requests/{world.ask(item='parcel').number}/comments/"
    rita, ivo = world.client("rita"), world.client("ivo")

    assert ivo.api("post", path, {"text": "Not cheap", "internal": True}).status_code == 201
    assert rita.api("post", path, {"text": "When?"}).json()["author"] == "rita"

    assert rita.api("post", path, {"text": "Psst", "internal": True}).status_code == 403
    assert list(rita.api("post", path, {"text": " "}).json()["errors"]) == ["text"]
    assert [row["text"] for row in rita.api("get", path).json()["results"]] == ["When?"]
    assert [row["text"] for row in ivo.api("get", path).json()["results"]] == ["Not cheap", "When?"]


def test_a_message_wakes_the_run_that_waits_for_it(world: World) -> None:
    task = {"id": "order", "kind": "task", "name": "Order", "assign": {"team": "it"}}
    wait = {
        "id": "delivery",
        "kind": "wait",
        "name": "Delivery",
        "for": {"message": "delivered", "key": "request.number"},
    }
    make_item("parcel", workflow=make_workflow(line_document("parcel", task, wait)))
    request, ivo = world.ask(item="parcel"), world.client("ivo")
    (row,) = ivo.api("get", "/tasks/").json()["results"]
    ivo.api("post", f"/tasks/{row['id']}/complete/")
    path = f"/runs/{request.run_id}/messages/"

    assert ivo.api("post", path, {"name": "delivered", "key": "another"}).json()["events"] == ["message.lost"]
    answer = ivo.api("post", path, {"name": "delivered", "key": request.number})

    assert "request.completed" in answer.json()["events"]
    assert world.client("rita").api("post", path, {"name": "delivered"}).status_code == 403
    assert world.client("stan").api("post", path, {"name": "delivered"}).status_code == 404
    assert ivo.api("post", path, {"name": "delivered"}).status_code == 409


def test_the_feed_goes_on_where_one_stopped(world: World) -> None:
    request, rita = world.ask(), world.client("rita")
    run_relay()
    seen = rita.api("get", "/events/?page_size=200").json()["results"]
    assert {event["request"] for event in seen} == {request.number}
    positions = [event["position"] for event in seen]
    assert positions == sorted(positions)

    rita.api("post", f"/requests/{request.number}/comments/", {"text": "When?"})
    run_relay()

    later = rita.api("get", f"/events/?after={positions[-1]}").json()["results"]
    assert [event["type"] for event in later] == ["comment.added"]
    assert world.client("stan").api("get", "/events/").json()["results"] == []


def test_notifications_are_mine_and_are_read_once(world: World) -> None:
    request = world.ask(title="A new laptop")
    run_relay()
    rita = world.client("rita")
    (told,) = rita.api("get", "/notifications/").json()["results"]
    assert (told["subject"], told["read_at"]) == (f"{request.number} was submitted: A new laptop", None)
    assert world.client("mia").api("post", "/notifications/read/", {"ids": [told["id"]]}).json() == {"read": 0}
    assert rita.api("post", "/notifications/read/", {"ids": [told["id"]]}).json() == {"read": 1}
    assert rita.api("post", "/notifications/read/").json() == {"read": 0}
