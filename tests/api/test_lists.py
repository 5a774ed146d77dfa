"""A list costs the same number of statements with one row and with three."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.outbox.relay import run_relay
from tests.api.conftest import World
from tests.factories import line_document, make_item, make_workflow

STATEMENTS = {
    ("rita", "/catalog/"): 3,
    ("rita", "/requests/"): 3,
    ("rita", "/requests/{}/events/"): 4,
    ("rita", "/requests/{}/clocks/"): 5,
    ("rita", "/requests/{}/tasks/"): 4,
    ("rita", "/requests/{}/approvals/"): 8,
    ("rita", "/requests/{}/comments/"): 4,
    ("ivo", "/tasks/"): 3,
    ("mia", "/approvals/"): 6,
    ("rita", "/events/"): 3,
    ("rita", "/notifications/"): 2,
}


def _grow(world: World, number: str | None = None) -> str:
    """A further row for every list: new items and requests, and on the first one a comment and a round more."""
    request = world.ask()
    world.ask(item="parcel")
    make_item(f"item-{request.pk}", workflow=make_workflow(line_document(f"item-{request.pk}")))
    first = number or request.number
    world.client("rita").api("post", f"/requests/{first}/comments/", {"text": "When?"})
    _another_round(world, first)
    run_relay()
    return first


def _another_round(world: World, number: str) -> None:
    """The manager returns the request and it is mended: an approval and a task more."""
    rita, mia = world.client("rita"), world.client("mia")
    approval = rita.api("get", f"/requests/{number}/approvals/").json()["results"][-1]["id"]
    mia.api("post", f"/approvals/{approval}/decide/", {"decision": "return", "comment": "Which one?"})
    task = rita.api("get", f"/requests/{number}/tasks/").json()["results"][-1]["id"]
    rita.api("post", f"/tasks/{task}/complete/")


def _read(world: World, number: str) -> dict[tuple[str, str], tuple[int, int]]:
    """Statements and rows of every list, read by somebody who has read it before."""
    found = {}
    for reader, path in STATEMENTS:
        client, place = world.client(reader), path.format(number)
        client.api("get", place)
        with CaptureQueriesContext(connection) as captured:
            rows = client.api("get", place).json()["results"]
        found[reader, path] = len(captured), len(rows)
    return found


def test_a_list_costs_the_same_with_one_and_with_three_rows(world: World) -> None:
    unpack = {"id": "unpack", "kind": "task", "name": "Unpack", "assign": {"team": "it"}}
    make_item("parcel", workflow=make_workflow(line_document("parcel", unpack)))
    number = _grow(world)
    few = _read(world, number)
    _grow(world, number)
    _grow(world, number)
    many = _read(world, number)

    assert {place: statements for place, (statements, _) in few.items()} == STATEMENTS
    assert {place: statements for place, (statements, _) in many.items()} == STATEMENTS
    assert all(rows >= 1 for _, rows in few.values())
    longer = {place for place in STATEMENTS if many[place][1] >= few[place][1] + 2}
    assert longer == STATEMENTS.keys() - {("rita", "/requests/{}/clocks/")}
