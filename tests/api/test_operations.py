"""Operators' calls: runs as data, incidents, skip, move, withdraw; and instances for those who work on a request."""

from __future__ import annotations

from typing import Any

import pytest

from apps.outbox.models import Event, Incident
from apps.requests.models import Request
from apps.workflows.models import Task
from tests.api.conftest import Client, World
from tests.engine.documents import arrow, choice, document, join, split, task
from tests.factories import make_item, make_person, make_workflow, row_counts

pytestmark = pytest.mark.django_db

SOURCE = {
    **document(
        [
            split(),
            choice("which"),
            task("ship", assign={"team": "it"}),
            task("parts", assign={"team": "it"}, count=2, open_ended=True),
            join(of="active"),
        ],
        [
            arrow("start", "split"),
            arrow("split", "which"),
            arrow("split", "parts"),
            arrow("which", "ship", when="request.data.amount > 10.0"),
            arrow("which", "join", otherwise=True),
            arrow("ship", "join"),
            arrow("parts", "join"),
            arrow("join", "paid"),
        ],
    ),
    "workflow": "operated",
}


@pytest.fixture
def request_in_incident(world: World) -> Request:
    """Its choice cannot be read: the price was left empty. Beside it two parts are being worked on."""
    make_person("ann", roles=["administrator"])
    make_item("operated", workflow=make_workflow(SOURCE))
    return world.ask(item="operated", data={"reason": "Parts"})


def runs(client: Client, request: Request) -> list[dict[str, Any]]:
    answer = client.api("get", f"/requests/{request.number}/runs/")
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["runs"]
    return found


def visit_at(client: Client, request: Request, step: str) -> int:
    visits = (visit for token in runs(client, request)[0]["tokens"] for visit in token["visits"])
    return next(visit["id"] for visit in visits if visit["step"] == step)


def administrator() -> Client:
    return Client().of(make_person("olga", roles=["administrator"]))


def test_the_state_of_a_run_is_there_as_data_for_those_who_work_on_it(world, request_in_incident):
    (run,) = runs(world.client("ivo"), request_in_incident)
    assert (run["workflow"], run["n"], run["outcome"], run["joins"]) == ("operated", 1, None, [])
    seen = {
        visit["step"]: (visit["incident"], [part["status"] for part in visit["instances"] or []])
        for token in run["tokens"]
        for visit in token["visits"]
    }
    assert seen == {"which": (True, []), "parts": (False, ["open", "open"])}
    assert world.client("rita").api("get", f"/requests/{request_in_incident.number}/runs/").status_code == 403
    assert world.client("stan").api("get", f"/requests/{request_in_incident.number}/runs/").status_code == 404


def test_an_incident_is_listed_and_tried_again(world, request_in_incident):
    admin = administrator()
    (incident,) = admin.api("get", f"/requests/{request_in_incident.number}/incidents/").json()["results"]
    assert (incident["kind"], incident["status"]) == ("workflow", "open")
    assert "request.data.amount > 10.0" in incident["detail"]
    Request.objects.filter(pk=request_in_incident.pk).update(
        data={"reason": "Parts", "amount": {"amount": "20.00", "currency": "EUR"}}
    )
    answer = admin.api("post", f"/incidents/{incident['id']}/retry/", {"reason": "The price is there now"})
    assert (answer.status_code, answer.json()["status"]) == (200, "resolved")
    assert Task.objects.filter(stream=request_in_incident.pk, name="ship").count() == 1


def test_a_step_in_incident_is_skipped_with_a_reason(world, request_in_incident):
    admin = administrator()
    visit = visit_at(admin, request_in_incident, "which")
    path = f"/runs/{request_in_incident.run_id}/skip/"
    before = row_counts()
    assert admin.api("post", path, {"visit": visit}).status_code == 400
    assert world.client("ivo").api("post", path, {"visit": visit, "reason": "No"}).status_code == 403
    assert world.client("stan").api("post", path, {"visit": visit, "reason": "No"}).status_code == 404
    assert row_counts() == before
    answer = admin.api("post", path, {"visit": visit, "reason": "Without a price nothing is shipped"})
    assert [token["step"] for token in answer.json()["runs"][0]["tokens"]] == ["join", "parts"]
    assert Incident.objects.get(kind="workflow").status == "resolved"
    assert Event.objects.filter(stream=request_in_incident.pk, type="step.skipped").count() == 1
    assert admin.api("post", path, {"visit": visit, "reason": "Again"}).status_code == 409


def test_a_token_is_moved_and_a_visit_withdrawn(world, request_in_incident):
    admin = administrator()
    (run,) = runs(admin, request_in_incident)
    token = next(one["id"] for one in run["tokens"] if one["step"] == "which")
    path = f"/runs/{run['id']}/move/"
    assert admin.api("post", path, {"token": token, "to": "nowhere", "reason": "x"}).status_code == 409
    moved = admin.api("post", path, {"token": token, "to": "ship", "reason": "It has to be shipped"})
    assert sorted(one["step"] for one in moved.json()["runs"][0]["tokens"]) == ["parts", "ship"]
    body = {"visit": visit_at(admin, request_in_incident, "parts"), "reason": "No parts needed"}
    left = admin.api("post", f"/runs/{run['id']}/cancel-visit/", body)
    assert [one["step"] for one in left.json()["runs"][0]["tokens"]] == ["ship"]
    assert set(Task.objects.filter(name="parts").values_list("status", flat=True)) == {"withdrawn"}


def test_who_works_on_an_open_ended_step_adds_closes_and_finishes(world, request_in_incident):
    ivo = world.client("ivo")
    visit, path = visit_at(ivo, request_in_incident, "parts"), f"/runs/{request_in_incident.run_id}/instances/"
    assert world.client("rita").api("post", path, {"visit": visit}).status_code == 403
    assert ivo.api("post", path, {"visit": visit, "item": "screen"}).status_code == 200
    assert Task.objects.filter(name="parts", status="open").count() == 3
    assert ivo.api("post", f"{path}close/", {"visit": visit}).status_code == 200
    assert ivo.api("post", path, {"visit": visit}).status_code == 409
    done = ivo.api("post", f"{path}finish/", {"visit": visit})
    assert sorted(one["step"] for one in done.json()["runs"][0]["tokens"]) == ["join", "which"]
