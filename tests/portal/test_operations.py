"""Incidents and what operators do about them, open-ended steps, forms of tasks, steps of child runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from apps.accounts.models import User
from apps.core.models import canonical_json
from apps.outbox.models import Event, Incident
from apps.requests.models import FormVersion, Request
from apps.workflows.engine.marking import Marking
from apps.workflows.models import KeyClaim, Task, WorkflowRun
from tests.engine.documents import arrow, choice, document, join, split, task
from tests.factories import line_document, make_item, make_person, make_request, make_team, make_workflow, row_counts
from tests.portal.conftest import World, as_, page_of, text_of
from tests.requests.flows import publish

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

OUTCOMES = [{"id": "fixed", "label": "Fixed"}, {"id": "hopeless", "label": "Hopeless"}]
OPERATED = {
    **document(
        [
            split(),
            choice("which") | {"name": "Which way?"},
            task("fix", name="Fix it", assign={"team": "it"}, outcomes=OUTCOMES, exclusive="request.data.nothing"),
            task("ship", name="Ship it", assign={"team": "it"}),
            task("parts", name="Parts", assign={"team": "it"}, for_each="['screen', 'keys']", open_ended=True),
            join(of="active"),
        ],
        [
            arrow("start", "split"),
            *(arrow("split", branch) for branch in ("which", "fix", "parts")),
            arrow("which", "ship", when="request.data.nothing > 1"),
            arrow("which", "join", otherwise=True),
            *(arrow(branch, "join") for branch in ("fix", "ship", "parts")),
            arrow("join", "paid"),
        ],
    ),
    "workflow": "operated",
}
DELIVERY: dict[str, Any] = {
    "fields": [
        {"name": "place", "type": "text", "label": "Place", "required": True},
        {"name": "boxes", "type": "number", "label": "Boxes", "integer": True, "max": 9},
        {"name": "cost", "type": "money", "label": "Cost", "currencies": ["EUR", "USD"]},
        {"name": "size", "type": "choice", "label": "How large", "choices": [{"value": "s", "label": "Small"}]},
    ]
}


@dataclass(frozen=True, kw_only=True)
class Stuck:
    """A request of Rita's: a choice and a task in incident, two parts being worked on."""

    world: World
    ada: User
    aude: User
    request: Request

    @property
    def run(self) -> WorkflowRun:
        return WorkflowRun.objects.get(stream_id=self.request.pk)

    def spot(self, step: str) -> tuple[int, int]:
        """The ids of the token and of the visit at a step."""
        tokens = Marking.from_json(self.run.marking).tokens
        return next((token.id, visit.id) for token in tokens for visit in token.visits if visit.step == step)

    @property
    def steps(self) -> list[str]:
        return sorted(token.step for token in Marking.from_json(self.run.marking).tokens)

    def send(self, user: User, move: str, **sent: Any) -> Any:
        return as_(user).post(page_of(self.request, "runs", str(self.run.pk), move), sent)

    def state(self) -> tuple[dict[str, int], bytes, list[str]]:
        """Everything that a refusal leaves as it was."""
        statuses = list(Incident.objects.order_by("id").values_list("status", flat=True))
        return row_counts(), canonical_json(self.run.marking), statuses

    def page(self, user: User) -> str:
        return text_of(as_(user).get(page_of(self.request)))


@pytest.fixture
def stuck(world: World) -> Stuck:
    item = make_item("operated", workflow=make_workflow(OPERATED))
    return Stuck(
        world=world,
        ada=make_person("ada", roles=["administrator"]),
        aude=make_person("aude", roles=["auditor"]),
        request=make_request(item, world.rita),
    )


def incident_at(step: str) -> Incident:
    return Incident.objects.get(key=f"run:1:{step}", status="open")


def everybody(stuck: Stuck) -> dict[str, User]:
    world = stuck.world
    named = {name: getattr(world, name) for name in ("rita", "ivo", "lea", "stan")}
    return named | {"aude": stuck.aude, "ada": stuck.ada}


REPAIRS = ("retry", "skip", "move", "withdraw")
INSTANCES = ("instances/add", "instances/close", "instances/finish")
NO_REPAIR = {"rita": 403, "ivo": 403, "lea": 403, "aude": 403, "stan": 404}


def attempt(stuck: Stuck, user: User, move: str) -> int:
    token, visit = stuck.spot("parts" if move in INSTANCES else "fix")
    sent = {"token": token, "visit": visit, "to": "ship", "outcome": "fixed", "comment": "Because"}
    if move == "retry":
        address = page_of(stuck.request, "incidents", str(incident_at("fix").pk), "retry")
        return int(as_(user).post(address, sent).status_code)
    return int(stuck.send(user, move, **sent).status_code)


@pytest.mark.parametrize("move", REPAIRS)
def test_only_administrators_repair_and_nobody_elses_attempt_moves_anything(stuck: Stuck, move: str) -> None:
    before, people = stuck.state(), everybody(stuck)
    assert {name: attempt(stuck, people[name], move) for name in NO_REPAIR} == NO_REPAIR
    assert stuck.state() == before
    assert attempt(stuck, stuck.ada, move) == 302
    assert stuck.state() != before


@pytest.mark.parametrize("move", INSTANCES)
@pytest.mark.parametrize("allowed", ["ivo", "lea", "ada"])
def test_who_works_on_a_request_changes_its_instances_and_nobody_else(stuck: Stuck, move: str, allowed: str) -> None:
    before, people = stuck.state(), everybody(stuck)
    refused = {name: attempt(stuck, people[name], move) for name in ("rita", "aude", "stan")}
    assert (refused, stuck.state()) == ({"rita": 403, "aude": 403, "stan": 404}, before)
    assert attempt(stuck, people[allowed], move) == 302
    assert stuck.state() != before


@pytest.mark.parametrize("move", [*REPAIRS[1:], *INSTANCES])
def test_a_run_of_another_request_is_not_found(stuck: Stuck, move: str) -> None:
    other = make_request(stuck.request.item, stuck.world.rita)
    before = row_counts()
    address = page_of(other, "runs", str(stuck.run.pk), move)
    assert as_(stuck.ada).post(address, {"visit": 1, "token": 1, "comment": "x"}).status_code == 404
    assert row_counts() == before


def test_who_sees_the_incident_and_who_its_buttons(stuck: Stuck) -> None:
    pages = {name: stuck.page(user) for name, user in everybody(stuck).items() if name != "stan"}
    assert {name for name, page in pages.items() if "An operator is needed" in page} == {"ivo", "lea", "aude", "ada"}
    assert {name for name, page in pages.items() if "Withdraw this step" in page} == {"ada"}
    assert "Which way? · Step which:" in pages["ivo"]
    assert "request.data.nothing > 1" in pages["ivo"]
    assert "Which way?: waits for an operator." in pages["rita"]
    assert {name for name, page in pages.items() if "Add one more" in page} == {"ivo", "lea", "ada"}


def test_the_forms_of_a_choice_and_of_a_task_offer_what_there_is(stuck: Stuck) -> None:
    page = as_(stuck.ada).get(page_of(stuck.request)).content.decode()
    _, visit = stuck.spot("fix")
    skip = re.search(rf'id="skip-{stuck.run.pk}-{visit}-outcome".*?</select>', page)
    assert skip
    assert re.findall(r'value="(\w+)"', skip[0]) == ["fixed", "hopeless"]
    move = re.search(rf'id="move-{stuck.run.pk}-{stuck.spot("fix")[0]}-to".*?</select>', page)
    assert move
    assert re.findall(r'value="(\w+)"', move[0]) == ["split", "which", "fix", "ship", "parts", "join", "paid"]
    assert ">Which way?</option>" in move[0]


def test_a_choice_is_skipped_its_incident_is_over_and_the_history_says_why(stuck: Stuck) -> None:
    _, visit = stuck.spot("which")
    stuck.send(stuck.ada, "skip", visit=visit, comment="Nothing is shipped")
    assert stuck.steps == ["fix", "join", "parts"]
    page = stuck.page(stuck.world.rita)
    assert "Ada skipped “Which way?”" in page
    assert "Nothing is shipped" in page
    assert "Ada closed the call for an operator" in page
    assert not Incident.objects.filter(key="run:1:which", status="open").exists()


def test_a_token_is_moved_to_a_step_by_name_and_a_step_is_withdrawn(stuck: Stuck) -> None:
    token, _ = stuck.spot("which")
    stuck.send(stuck.ada, "move", token=token, to="ship", comment="It has to go")
    assert stuck.steps == ["fix", "parts", "ship"]
    stuck.send(stuck.ada, "withdraw", visit=stuck.spot("fix")[1], comment="Not broken")
    assert stuck.steps == ["parts", "ship"]
    page = stuck.page(stuck.ada)
    assert ("moved the request on to “Ship it”" in page, "took “Fix it” back" in page) == (True, True)
    assert "An operator is needed" not in page


def test_a_repair_without_a_reason_is_refused_beside_its_field_and_keeps_the_choice(stuck: Stuck) -> None:
    _, visit = stuck.spot("fix")
    before = stuck.state()
    answer = stuck.send(stuck.ada, "skip", visit=visit, outcome="hopeless", comment=" ")
    page = answer.content.decode()
    assert (answer.status_code, stuck.state()) == (400, before)
    assert f'id="skip-{stuck.run.pk}-{visit}-error">Please say why.' in page
    assert f'<details class="move" id="skip-{stuck.run.pk}-{visit}" open>' in page
    assert '<option value="hopeless" selected>' in page


@pytest.mark.parametrize(
    ("move", "sent"),
    [
        ("skip", {"visit": "99"}),
        ("skip", {"visit": "x" * 50}),
        ("move", {"token": "99", "to": "ship"}),
        ("move", {"token": "1", "to": "start"}),
        ("withdraw", {"visit": ""}),
        ("instances/add", {"visit": "9" * 30}),
    ],
)
def test_what_is_gone_or_never_was_is_a_409_and_moves_nothing(stuck: Stuck, move: str, sent: dict[str, str]) -> None:
    before = stuck.state()
    answer = stuck.send(stuck.ada, move, **sent, comment="Because")
    assert (answer.status_code, stuck.state()) == (409, before)
    assert "What you see below is how it stands now." in text_of(answer)


def test_a_form_that_is_sent_twice_works_once_and_another_form_of_that_page_still_works(stuck: Stuck) -> None:
    client, (_, visit) = as_(stuck.world.ivo), stuck.spot("parts")
    address = page_of(stuck.request, "runs", str(stuck.run.pk), "instances")
    for move, item in [("add", "mouse"), ("add", "mouse"), ("close", "")]:
        client.post(f"{address}{move}/", {"visit": visit, "item": item, "form_token": "one"})
    items = Task.objects.filter(visit__step="parts").order_by("instance").values_list("item", flat=True)
    assert list(items) == ["screen", "keys", "mouse"]
    assert list(Event.objects.filter(type__startswith="instance").order_by("seq").values_list("type", flat=True)) == [
        "instance.added",
        "instances.closed",
    ]


def test_an_item_that_cannot_be_stored_is_refused_beside_its_field(stuck: Stuck) -> None:
    before = stuck.state()
    answer = stuck.send(stuck.world.ivo, "instances/add", visit=stuck.spot("parts")[1], item="a\x00b")
    assert (answer.status_code, stuck.state()) == (400, before)
    assert "Character 2 (U+0000) cannot be stored." in text_of(answer)


def test_instances_are_a_small_list_with_who_works_on_what(stuck: Stuck) -> None:
    ivo = as_(stuck.world.ivo)
    first, second = Task.objects.filter(visit__step="parts").order_by("instance")
    ivo.post(f"/tasks/{first.pk}/complete/", {"outcome": "done"})
    ivo.post(f"/tasks/{second.pk}/claim/")
    page = stuck.page(stuck.world.rita)
    assert "Parts: 1 of 2 done. 1 (screen): done 2 (keys): Ivo is working on it." in page
    page = stuck.page(stuck.world.ivo)
    assert "You are working on: Parts 2 (keys)" in page
    assert "Parts: 1 of 2 done Add one more No more Finish with what is done" in re.sub(
        r"What is to be added\? optional ", "", page
    )


def test_an_open_ended_step_is_closed_and_finished(stuck: Stuck) -> None:
    _, visit = stuck.spot("parts")
    stuck.send(stuck.world.lea, "instances/close", visit=visit)
    page = stuck.page(stuck.world.lea)
    assert ("No more can be added." in page, "Add one more" in page) == (True, False)
    stuck.send(stuck.world.lea, "instances/finish", visit=visit)
    assert stuck.steps == ["fix", "join", "which"]
    page = stuck.page(stuck.world.rita)
    assert "Lea closed “Parts”: no more can be added" in page
    assert "Lea finished “Parts” with what was done" in page


# forms of tasks


@pytest.fixture
def delivery(world: World) -> Task:
    """A task of team IT that asks for values."""
    FormVersion.freeze("delivery", DELIVERY)
    deliver = {"id": "deliver", "kind": "task", "name": "Deliver", "assign": {"team": "it"}, "form": "delivery"}
    item = make_item("delivered", workflow=make_workflow(line_document("delivered", deliver)))
    return Task.objects.get(stream=make_request(item, world.rita).stream)


def fields_of(page: str, task: Task) -> list[tuple[str, str]]:
    return re.findall(rf'<(\w+)[^>]*? id="field-{task.pk}-\w+" name="(data\.\w+)"', page)


def test_a_task_with_a_form_shows_its_fields_to_whom_it_is_offered(world: World, delivery: Task) -> None:
    address = page_of(delivery.stream.request)
    page = as_(world.ivo).get(address).content.decode()
    assert fields_of(page, delivery) == [
        ("input", "data.place"),
        ("input", "data.boxes"),
        ("input", "data.cost"),
        ("select", "data.size"),
    ]
    assert fields_of(as_(world.rita).get(address).content.decode(), delivery) == []


def test_the_values_of_a_tasks_form_go_into_the_request(world: World, delivery: Task) -> None:
    sent = {"data.place": "Room 7", "data.boxes": "3", "data.cost": "1.250,50", "data.cost.currency": "USD"}
    answer = as_(world.ivo).post(f"/tasks/{delivery.pk}/complete/", {"outcome": "done", **sent})
    assert answer.status_code == 302
    assert Request.objects.get().data == {
        "reason": "I need it",
        "place": "Room 7",
        "boxes": 3,
        "cost": {"amount": "1250.50", "currency": "USD"},
    }


def test_values_that_do_not_fit_are_named_at_their_fields_and_what_was_typed_is_kept(
    world: World, delivery: Task
) -> None:
    before = row_counts()
    sent = {"outcome": "done", "comment": "Done soon", "data.boxes": "many", "data.size": "s"}
    answer = as_(world.ivo).post(f"/tasks/{delivery.pk}/complete/", sent)
    page = answer.content.decode()
    assert (answer.status_code, row_counts(), Task.objects.get().status) == (400, before, "open")
    assert re.findall(r'<p class="field-error" id="([\w-]+)">([^<]+)</p>', page) == [
        (f"field-{delivery.pk}-place-error", "Please fill this in."),
        (f"field-{delivery.pk}-boxes-error", "This must be a number."),
    ]
    assert ('value="many"' in page, '<option value="s" selected>' in page, "Done soon" in page) == (True, True, True)


def test_a_task_with_a_form_is_taken_up_without_its_values(world: World, delivery: Task) -> None:
    page = as_(world.ivo).get(page_of(delivery.stream.request)).content.decode()
    assert f'formnovalidate formaction="/tasks/{delivery.pk}/claim/"' in page
    assert as_(world.ivo).post(f"/tasks/{delivery.pk}/claim/").status_code == 302


# keys and child runs


def test_claiming_a_task_whose_key_is_taken_says_who_has_it(world: World) -> None:
    van = {"id": "drive", "kind": "task", "name": "Drive", "assign": {"team": "it"}, "exclusive": "'van 1'"}
    item = make_item("driven", workflow=make_workflow(line_document("driven", van)))
    first, second = make_request(item, world.rita), make_request(item, world.rita)
    as_(world.ivo).post(f"/tasks/{Task.objects.get(stream=first.pk).pk}/claim/")
    waiting = Task.objects.get(stream=second.pk)
    before = row_counts()
    answer = as_(world.lea).post(f"/tasks/{waiting.pk}/claim/")
    waiting.refresh_from_db()
    assert (answer.status_code, row_counts(), waiting.status) == (409, before, "open")
    assert f"van 1 is taken: step drive of {first.number} holds it." in text_of(answer)
    assert KeyClaim.objects.count() == 1


@pytest.fixture
def nested(world: World) -> Request:
    """Its child run asks Mia, then team Van."""
    make_team("van", world.ivo, lead=world.ivo)
    levels = [{"id": "l", "approvers": [{"manager_of": "requester"}], "rule": {"kind": "any"}}]
    approve = {"id": "ask", "kind": "approval", "name": "Ask Mia", "policy": {"levels": levels}}
    carry = {"id": "carry", "kind": "task", "name": "Carry it", "assign": {"team": "van"}}
    child = line_document("child", approve, carry)
    child["transitions"] = [
        arrow("start", "ask"),
        arrow("ask", "carry", outcome="approved"),
        arrow("ask", "end", outcome="rejected"),
        arrow("ask", "end", outcome="returned"),
        arrow("carry", "end"),
    ]
    publish(child)
    call = {"id": "call", "kind": "subflow", "name": "Delivery", "workflow": "child"}
    item = make_item("nested", workflow=publish(line_document("nested", call)).workflow)
    return make_request(item, world.rita)


def test_steps_of_a_child_run_stand_under_their_parents_step(world: World, nested: Request) -> None:
    page = text_of(as_(world.rita).get(page_of(nested)))
    assert "Delivery: Ask Mia: waits for Mia (line manager) to approve." in page
    box = text_of(as_(world.mia).get(page_of(nested)))
    assert ("Your decision: Ask Mia" in box, "Send back to the requester" in box) == (True, True)
    approval = nested.stream.approvals.get()
    as_(world.mia).post(f"/approvals/{approval.pk}/decide/", {"decision": "approve"})
    page = text_of(as_(world.rita).get(page_of(nested)))
    assert "Delivery: Carry it: waits for team Van." in page
    assert "opened the task “Carry it”" in page
    assert "started “Delivery”" in page


def test_a_task_of_a_child_run_ends_the_request(world: World, nested: Request) -> None:
    as_(world.mia).post(f"/approvals/{nested.stream.approvals.get().pk}/decide/", {"decision": "approve"})
    as_(world.ivo).post(f"/tasks/{Task.objects.get().pk}/complete/", {"outcome": "done"})
    page = text_of(as_(world.rita).get(page_of(nested)))
    assert ("Everything is done." in page, "finished “Delivery”" in page) == (True, True)
