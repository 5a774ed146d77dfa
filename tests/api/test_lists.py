"""A list costs the same number of statements with one row and with three."""

from __future__ import annotations

from typing import Any

import pytest

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


@pytest.mark.parametrize(("reader", "path"), STATEMENTS, ids=[f"{reader}{path}" for reader, path in STATEMENTS])
def test_a_list_costs_the_same_with_one_and_with_three_rows(
    world: World, reader: str, path: str, django_assert_num_queries: Any
) -> None:
    unpack = {"id": "unpack", "kind": "task", "name": "Unpack", "assign": {"team": "it"}}
    make_item("parcel", workflow=make_workflow(line_document("parcel", unpack)))
    number, client = _grow(world), world.client(reader)
    warm = client.api("get", path.format(number)).json()["results"]

    with django_assert_num_queries(STATEMENTS[reader, path]):
        few = client.api("get", path.format(number)).json()["results"]
    _grow(world, number)
    _grow(world, number)
    with django_assert_num_queries(STATEMENTS[reader, path]):
        many = client.api("get", path.format(number)).json()["results"]

    assert len(few) == len(warm) >= 1
    assert len(many) >= len(few) + 2 or path.endswith("clocks/")
