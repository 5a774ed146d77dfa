"""Operators' calls: runs as data, incidents, skip, move, withdraw; and instances for those who work on a request."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group

from apps.outbox.models import Event, Incident
from apps.requests.models import FormVersion, Request
from apps.workflows.engine.marking import Marking
from apps.workflows.models import Task, Timer, WorkflowRun
from tests.api.conftest import Client, World
from tests.engine.documents import arrow, choice, document, join, split, task
from tests.factories import line_document, make_item, make_person, make_team, make_workflow, row_counts
from tests.requests.flows import publish

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


# rights, exact answers


REPAIRS = ("retry", "skip", "move", "cancel-visit")
INSTANCES = ("instances", "instances/close", "instances/finish")


@pytest.fixture
def people(world: World) -> dict[str, Client]:
    """Rita asks, Ivo leads, Wim works, Aude audits, Olga administers, Stan is a stranger."""
    wim = make_person("wim")
    wim.groups.add(Group.objects.get(team__key="it"))
    aude, olga = make_person("aude", roles=["auditor"]), make_person("olga", roles=["administrator"])
    named = {"rita": world.rita, "ivo": world.ivo, "wim": wim, "aude": aude, "olga": olga, "stan": world.stan}
    return {name: Client().of(user) for name, user in named.items()}


def state(request: Request) -> tuple[dict[str, int], Any, list[str]]:
    statuses = list(Incident.objects.order_by("id").values_list("status", flat=True))
    return row_counts(), WorkflowRun.objects.get(pk=request.run_id).marking, statuses


def send(client: Client, request: Request, move: str, **headers: str) -> Any:
    marking = Marking.from_json(WorkflowRun.objects.get(pk=request.run_id).marking)
    at = "parts" if move in INSTANCES else "which"
    token = next(one for one in marking.tokens if one.step == at)
    if move == "retry":
        return client.api("post", f"/incidents/{Incident.objects.get().pk}/retry/", {"reason": "Because"}, **headers)
    body: dict[str, Any] = {"visit": token.visits[0].id, "reason": "Because"}
    if move == "move":
        body = {"token": token.id, "to": "ship", "reason": "Because"}
    elif move in INSTANCES:
        del body["reason"]
    return client.api("post", f"/runs/{request.run_id}/{move}/", body, **headers)


@pytest.mark.parametrize("part", ["runs", "incidents"])
def test_runs_and_incidents_are_for_those_who_work_on_it_and_for_auditors(people, request_in_incident, part):
    path = f"/requests/{request_in_incident.number}/{part}/"
    statuses = {name: client.api("get", path).status_code for name, client in people.items()}
    assert statuses == {"rita": 403, "ivo": 200, "wim": 200, "aude": 200, "olga": 200, "stan": 404}


@pytest.mark.parametrize("move", REPAIRS)
def test_only_administrators_repair_and_a_refusal_moves_nothing(people, request_in_incident, move):
    before = state(request_in_incident)
    statuses = {
        name: send(client, request_in_incident, move).status_code for name, client in people.items() if name != "olga"
    }
    assert statuses == {"rita": 403, "ivo": 403, "wim": 403, "aude": 403, "stan": 404}
    assert state(request_in_incident) == before
    assert send(people["olga"], request_in_incident, move, **{"If-Match": '"1"'}).status_code == 412
    assert state(request_in_incident) == before
    assert send(people["olga"], request_in_incident, move).status_code == 200
    assert state(request_in_incident) != before


@pytest.mark.parametrize("move", INSTANCES)
@pytest.mark.parametrize("allowed", ["ivo", "wim", "olga"])
def test_instances_are_for_those_who_work_on_it(people, request_in_incident, move, allowed):
    before = state(request_in_incident)
    statuses = {name: send(people[name], request_in_incident, move).status_code for name in ("rita", "aude", "stan")}
    assert (statuses, state(request_in_incident)) == ({"rita": 403, "aude": 403, "stan": 404}, before)
    assert send(people[allowed], request_in_incident, move).status_code == 200
    assert state(request_in_incident) != before


def test_one_key_adds_one_instance(world, request_in_incident):
    answers = [
        send(world.client("ivo"), request_in_incident, "instances", **{"Idempotency-Key": "once"}) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert answers[0]["ETag"] == answers[1]["ETag"] == f'"{Request.objects.get().revision}"'
    assert Task.objects.filter(name="parts").count() == 3


def test_what_fits_no_shape_is_named_by_its_field_and_moves_nothing(people, request_in_incident):
    before = state(request_in_incident)
    path = f"/runs/{request_in_incident.run_id}/skip/"
    answer = people["olga"].api("post", path, {"visit": "1", "instance": True, "outcome": 7, "more": 1})
    assert answer.json()["errors"] == {
        "more": ["There is no such field."],
        "reason": ["This field is required."],
        "visit": ["This must be a whole number."],
        "instance": ["This must be a whole number."],
        "outcome": ["This must be text."],
    }
    assert state(request_in_incident) == before


def test_an_incident_says_where_it_is(people, request_in_incident):
    (incident,) = people["wim"].api("get", f"/requests/{request_in_incident.number}/incidents/").json()["results"]
    shown = {key: incident[key] for key in ("request", "kind", "run", "step", "status", "resolved_at")}
    number = request_in_incident.number
    assert shown == {
        "request": number, "kind": "workflow", "run": 1, "step": "which", "status": "open", "resolved_at": None,
    }  # fmt: skip


TIMED = {
    "id": "pack",
    "kind": "task",
    "name": "Pack",
    "assign": {"team": "it"},
    "exclusive": "'van'",
    "deadlines": [{"id": "late", "after": {"seconds": 60}}],
}
CALL = {
    "id": "call",
    "kind": "action",
    "name": "Call",
    "action": "webhook",
    "with": {"url": "https://example.org/in", "body": {}},
}


def test_a_run_says_what_is_due_which_key_it_needs_and_which_calls_wait(world):
    timed = line_document("timed", TIMED, CALL)
    timed["steps"].insert(-1, {"id": "alarm", "kind": "task", "name": "Alarm", "assign": {"team": "it"}})
    timed["steps"].append({"id": "alarmed", "kind": "end"})
    timed["transitions"] += [{"from": "pack", "deadline": "late", "to": "alarm"}, {"from": "alarm", "to": "alarmed"}]
    make_item("timed", workflow=make_workflow(timed))
    request, ivo = world.ask(item="timed"), world.client("ivo")
    due = Timer.objects.get().due_at.isoformat().replace("+00:00", "Z")
    (token,) = runs(ivo, request)[0]["tokens"]
    (visit,) = token["visits"]
    assert (token["waits_at_join"], visit["key"], visit["waits_for_key"]) == (False, "van", False)
    assert visit["deadlines"] == [{"id": "late", "due_at": due, "passed": False}]
    ivo.api("post", f"/tasks/{Task.objects.get().pk}/complete/")
    (call,) = runs(ivo, request)[0]["calls"]
    shown = {key: call[key] for key in ("step", "action", "attempts", "last_error")}
    assert shown == {"step": "call", "action": "webhook", "attempts": 0, "last_error": ""}


def test_an_early_message_is_kept_under_its_name_and_its_payload_is_not_shown(world):
    wait = {"id": "wait", "kind": "wait", "name": "Wait", "for": {"message": "delivered", "keep": True}}
    before = {"id": "before", "kind": "task", "name": "Before", "assign": {"team": "it"}}
    make_item("kept", workflow=make_workflow(line_document("kept", before, wait)))
    request, ivo = world.ask(item="kept"), world.client("ivo")
    answer = ivo.api("post", f"/runs/{request.run_id}/messages/", {"name": "delivered"})
    assert answer.json()["events"] == ["message.kept"]
    assert runs(ivo, request)[0]["kept_messages"] == ["delivered"]


def test_a_message_reaches_a_child_run_and_none_that_has_ended(world):
    wait = {"id": "wait", "kind": "wait", "name": "Wait", "for": {"message": "delivered"}}
    after = {"id": "after", "kind": "task", "name": "After", "assign": {"team": "it"}}
    first = {"id": "first", "kind": "task", "name": "First", "assign": {"team": "it"}}
    publish(line_document("child", first, wait))
    call = {"id": "call", "kind": "subflow", "name": "Delivery", "workflow": "child"}
    make_item("parent", workflow=publish(line_document("parent", call, after)).workflow)
    request, ivo = world.ask(item="parent"), world.client("ivo")
    ivo.api("post", f"/tasks/{Task.objects.get().pk}/complete/")
    child = next(run for run in runs(ivo, request) if run["parent"] == request.run_id)
    path = f"/runs/{child['id']}/messages/"
    assert world.client("rita").api("post", path, {"name": "delivered"}).status_code == 403
    assert world.client("stan").api("post", path, {"name": "delivered"}).status_code == 404
    told = ivo.api("post", path, {"name": "delivered"}).json()
    assert (told["request"], "run.ended" in told["events"]) == (request.number, True)
    before = row_counts()
    again = ivo.api("post", path, {"name": "delivered"})
    assert (again.status_code, again.json()["code"], row_counts()) == (409, "transition_not_allowed", before)


def test_a_worker_whose_step_ends_still_gets_an_answer(world, people):
    """The request is another team's afterwards; what was done stays done."""
    make_team("hr", world.mia)
    several = task("several", assign={"team": "it"}, count=2)
    makes = {"workflow": "handed", **line_document("handed", several, task("next", assign={"team": "hr"}))}
    make_item("handed", workflow=make_workflow(makes))
    request = world.ask(item="handed")
    visit = visit_at(people["wim"], request, "several")
    answer = people["wim"].api("post", f"/runs/{request.run_id}/instances/finish/", {"visit": visit})
    assert (answer.status_code, [one["step"] for one in answer.json()["runs"][0]["tokens"]]) == (200, ["next"])


# forms of tasks


@pytest.fixture
def asked(world: World) -> Task:
    """A task that asks for values."""
    FormVersion.freeze("delivery", {"fields": [{"name": "boxes", "type": "number", "required": True, "max": 9}]})
    deliver = task("deliver", assign={"team": "it"}, form="delivery")
    make_item("delivered", workflow=make_workflow(line_document("delivered", deliver)))
    world.ask(item="delivered")
    return Task.objects.get()


def test_a_task_shows_the_schema_of_the_values_it_asks_for(world, asked):
    shown = world.client("ivo").api("get", f"/tasks/{asked.pk}/").json()
    assert shown["form"] == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"boxes": {"title": "Boxes", "type": "number", "maximum": 9}},
        "required": ["boxes"],
        "additionalProperties": False,
    }
    assert shown["instance"] is None


def test_values_that_do_not_fit_are_named_by_field_and_those_that_do_are_stored(world, asked):
    ivo, path, before = world.client("ivo"), f"/tasks/{asked.pk}/complete/", row_counts()
    refused = [ivo.api("post", path, {"data": data}).json()["errors"] for data in ({}, {"boxes": 10, "x": 1})]
    assert refused == [
        {"data.boxes": ["Please fill this in."]},
        {"data.x": ["The form has no such field."], "data.boxes": ["This must be at most 9."]},
    ]
    assert row_counts() == before
    assert ivo.api("post", path, {"data": {"boxes": 3}}).status_code == 200
    assert Request.objects.get().data == {"reason": "Mine is broken", "boxes": 3}


def test_a_task_without_a_form_takes_no_values(world, request_in_incident):
    parts = Task.objects.filter(name="parts").first()
    answer = world.client("ivo").api("post", f"/tasks/{parts.pk}/complete/", {"data": {"boxes": 3}})
    assert (answer.status_code, answer.json()["errors"]) == (400, {"data": ["This task asks for no values."]})
