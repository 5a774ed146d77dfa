"""The OpenAPI document is served, and every operation answers as it says."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

from apps.api import serializers
from apps.core import clock
from apps.outbox.relay import run_relay
from apps.sla.models import SlaPolicyVersion
from tests.api.conftest import DATA, Client, World
from tests.api.openapi import document, operations
from tests.factories import (
    PASSWORD,
    approval_document,
    choice_document,
    line_document,
    make_item,
    make_person,
    make_sla,
    make_workflow,
)


def test_every_operation_answers_as_the_document_says(world: World) -> None:
    Client.answered.clear()
    _authentication(world)
    _life_of_a_request(world)
    _draft_and_cancel(world)
    _message(world)
    _operations(world)
    _absences(world)
    _approvals(world)
    _what_i_was_told(world)
    _workflows()
    _reports(world)
    _targets()
    _rebasing(world)
    assert operations() - Client.answered == set()


def _authentication(world: World) -> None:
    client = Client()
    pair = client.api("post", "/auth/token/", {"username": "rita", "password": PASSWORD}).json()
    pair = client.api("post", "/auth/token/refresh/", {"refresh": pair["refresh"]}).json()
    client.api("post", "/auth/token/verify/", {"token": pair["access"]})
    client.api("post", "/auth/logout/", {"refresh": pair["refresh"]})
    world.client("rita").api("post", "/auth/ws-ticket/")
    world.client("rita").api("get", "/me/")


def _life_of_a_request(world: World) -> None:
    rita, mia, ivo = world.client("rita"), world.client("mia"), world.client("ivo")
    rita.api("get", "/catalog/")
    rita.api("get", "/catalog/laptop/")
    path = f"/requests/{world.ask().number}/"
    approval = mia.api("get", "/approvals/").json()["results"][0]["id"]
    mia.api("get", f"/approvals/{approval}/")
    mia.api("post", f"/approvals/{approval}/decide/", {"decision": "approve"})
    ivo.api("post", f"{path}hold/", {"comment": "No stock"})
    ivo.api("post", f"{path}resume/")
    ivo.api("post", f"{path}priority/", {"impact": "high", "urgency": "high", "reason": "Nobody can work"})
    rita.api("post", f"{path}comments/", {"text": "When?"})
    task = ivo.api("get", "/tasks/").json()["results"][0]["id"]
    ivo.api("get", f"/tasks/{task}/")
    for move in ("claim", "release", "complete"):
        ivo.api("post", f"/tasks/{task}/{move}/")
    rita.api("post", f"{path}reopen/", {"comment": "It broke"})
    for part in ("", "events/", "clocks/", "approvals/", "tasks/", "comments/", "explain/"):
        rita.api("get", path + part)


def _draft_and_cancel(world: World) -> None:
    rita = world.client("rita")
    path = f"/requests/{world.ask(submit=False, data={}).number}/"
    rita.api("patch", path, {"data": DATA})
    rita.api("post", f"{path}submit/")
    rita.api("post", f"{path}cancel/", {"comment": "Changed my mind"})
    rita.api("get", "/requests/")


def _message(world: World) -> None:
    wait = {"id": "delivery", "kind": "wait", "name": "Delivery", "for": {"message": "delivered"}}
    task = {"id": "unpack", "kind": "task", "name": "Unpack", "assign": {"team": "it"}}
    make_item("parcel", workflow=make_workflow(line_document("parcel", task, wait)))
    request = world.ask(item="parcel")
    ivo = world.client("ivo")
    ivo.api("post", f"/tasks/{ivo.api('get', '/tasks/').json()['results'][0]['id']}/complete/")
    ivo.api("post", f"/runs/{request.run_id}/messages/", {"name": "delivered"})


def _operations(world: World) -> None:
    steps = {"id": "parts", "kind": "task", "name": "Parts", "assign": {"team": "it"}, "count": 1, "open_ended": True}
    after = {"id": "after", "kind": "task", "name": "After", "assign": {"team": "it"}}
    make_item("parts", workflow=make_workflow(line_document("parts", steps, after)))
    admin = Client().of(make_person("olga", roles=["administrator"]))
    for move in ("instances/close", "instances/finish", "move", "cancel-visit"):
        request = world.ask(item="parts")
        run, why = f"/runs/{request.run_id}/", {"reason": "Because"}
        (token,) = admin.api("get", f"/requests/{request.number}/runs/").json()["runs"][0]["tokens"]
        visit = {"visit": token["visits"][0]["id"]}
        admin.api("post", f"{run}instances/", visit)
        bodies = {"move": {"token": token["id"], "to": "after", **why}, "cancel-visit": {**visit, **why}}
        admin.api("post", f"{run}{move}/", bodies.get(move, visit))
    _incident(world, admin)


def _incident(world: World, admin: Client) -> None:
    make_item("fails", workflow=make_workflow(choice_document("request.data.nothing > 1")))
    for move in ("retry", "skip"):
        request = world.ask(item="fails")
        (incident,) = admin.api("get", f"/requests/{request.number}/incidents/").json()["results"]
        (token,) = admin.api("get", f"/requests/{request.number}/runs/").json()["runs"][0]["tokens"]
        if move == "retry":
            admin.api("post", f"/incidents/{incident['id']}/retry/", {"reason": "Because"})
        else:
            skip = {"visit": token["visits"][0]["id"], "reason": "Because"}
            admin.api("post", f"/runs/{request.run_id}/skip/", skip)


def _absences(world: World) -> None:
    mia, path = world.client("mia"), "/me/delegations/"
    ends_at = (clock.now() + timedelta(days=1)).isoformat()
    mia.api("get", f"{path}preview/?deputy=ivo")
    for _ in range(2):
        made = mia.api("post", path, {"deputy": "ivo", "ends_at": ends_at}).json()["id"]
        mia.api("get", f"{path}{made}/")
    mia.api("get", path)
    mia.api("delete", f"{path}{made}/")
    mia.api("post", f"/delegations/{made - 1}/end/")


def _approvals(world: World) -> None:
    vote: dict[str, Any] = {
        "id": "vote", "approvers": [{"person": "mia"}, {"person": "ivo"}, {"person": "fred"}],
        "rule": {"kind": "majority"}, "chair": {"person": "stan"},
    }  # fmt: skip
    admin = Client().of(make_person("otto", roles=["administrator"]))
    for name in ("fred", "gina", "hugo"):
        make_person(name)
    make_item("voted", workflow=make_workflow(approval_document("voted", levels=[vote])))
    enders = {"close": world.client("stan"), "override": admin, "withdraw": world.client("rita")}
    for move, ender in enders.items():
        number, why = world.ask(item="voted").number, {"reason": "Because"}
        (approval,) = admin.api("get", f"/requests/{number}/approvals/").json()["results"]
        path, seat = f"/approvals/{approval['id']}/", approval["levels"][0]["seats"][0]["id"]
        admin.api("post", f"{path}reassign/", {"seat": seat, "user": "gina", **why})
        admin.api("post", f"{path}add/", {"user": "hugo", **why})
        answers = {"decisions": [{"approval": approval["id"], "decision": "approve"}]}
        world.client("ivo").api("post", "/approvals/decide/", answers)
        ender.api("post", f"{path}{move}/", {"decision": "approve", **why} if move == "override" else why)


def _what_i_was_told(world: World) -> None:
    run_relay()
    rita = world.client("rita")
    rita.api("get", "/events/?after=0&page_size=200")
    assert rita.api("get", "/notifications/").json()["results"] != []
    rita.api("post", "/notifications/read/")


def _workflows() -> None:
    ada = Client().of(make_person("ada", roles=["administrator"]))
    path = "/workflows/drawn/"
    ada.api("post", "/workflows/", {"key": "drawn", "name": "Drawn"})
    ada.api("put", f"{path}draft/", {"document": line_document("drawn")})
    for move in ("check", "simulate", "publish"):
        ada.api("post", f"{path}draft/{move}/", {"request": {}, "script": []} if move == "simulate" else None)
    ada.api("post", "/workflows/import/", {"document": line_document("drawn")})
    for part in ("", "versions/", "versions/1/", "versions/1/export/?as=svg", "draft/", "diff/?a=1&b=draft"):
        ada.api("get", path + part)
    ada.api("post", f"{path}versions/1/retire/")
    ada.api("get", "/workflows/")


def _reports(world: World) -> None:
    for path in ("sla/?by=item,team,priority,month,target", "sla/due/", "throughput/?by=item,team", "bottlenecks/"):
        world.client("ivo").api("get", f"/reports/{path}")


def _targets() -> None:
    eva = Client().of(make_person("eva", roles=["administrator"]))
    week = {"time_zone": "UTC", "week": {"mon": ["09:00-17:00"]}}
    eva.api("post", "/sla/calendars/", {"key": "mondays", "document": week})
    eva.api("post", "/sla/calendars/mondays/compute/", {"start": "2026-03-02T10:00:00Z", "seconds": 60})
    document = SlaPolicyVersion.objects.current("laptop").document
    eva.api("post", "/sla/policies/", {"key": "laptop", "document": document})
    for part in ("policies/", "policies/laptop/", "calendars/", "calendars/mondays/"):
        eva.api("get", f"/sla/{part}")


def test_the_document_is_openapi_3_1_and_open_to_everybody(db: None) -> None:
    answer = Client().get("/api/v1/schema/")
    assert (answer.status_code, answer.json()["openapi"]) == (200, "3.1.1")
    assert answer.json()["paths"].keys() == document()["paths"].keys()


def test_no_two_shapes_share_a_name() -> None:
    """Components of the document are named after their class: of two with one name only one would be told."""
    modules = [import_module(f"apps.api.serializers.{one.name}") for one in iter_modules(serializers.__path__)]
    own = {
        one for module in modules for one in vars(module).values() if getattr(one, "__module__", "") == module.__name__
    }
    names = Counter(one.__name__ for one in own if one.__name__.endswith("Serializer"))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("method", ["get", "post", "patch"])
def test_every_write_says_its_key_and_every_operation_its_problems(method: str) -> None:
    for path, methods in document()["paths"].items():
        if method in methods:
            names = {parameter["name"] for parameter in methods[method].get("parameters", [])}
            keyed = method != "get" and "/auth/" not in path
            assert ("Idempotency-Key" in names) is keyed, path
            assert "application/problem+json" in methods[method]["responses"]["400"]["content"], path


def test_the_browsable_document_needs_no_inline_script(db: None) -> None:
    page = Client().get("/api/v1/docs/")
    script = Client().get("/api/v1/docs/?script=")
    assert page.status_code == script.status_code == 200
    assert b"<script>" not in page.content
    assert script["Content-Type"] == "application/javascript"
    assert "script-src 'self'" in page["Content-Security-Policy"]


def _rebasing(world: World) -> None:
    """The story ends in a state of its own: what was told before is not looked at."""
    api = Client().of(make_person("carrier", roles=["administrator"]))
    make_sla("laptop", resolution_s=60)
    look = api.api("post", "/sla/rebase/preview/", {"policy": "laptop"}).json()
    assert api.api("post", "/sla/rebase/", {"id": look["id"]}).status_code == 202
    assert api.api("get", f"/sla/rebase/{look['id']}/").status_code == 200
