"""Incidents and what operators do about them, open-ended steps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction

from apps.accounts.models import User
from apps.core import clock
from apps.core.models import canonical_json
from apps.outbox.incidents import open_incident
from apps.outbox.models import Event, Incident
from apps.outbox.publish import lock_streams
from apps.outbox.publish import publish as publish_events
from apps.requests.models import Request
from apps.workflows.engine.marking import Marking
from apps.workflows.models import Task, WorkflowRun
from tests.engine.documents import arrow, choice, document, join, split, task
from tests.factories import (
    choice_document,
    make_item,
    make_person,
    make_request,
    make_workflow,
    row_counts,
)
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
    sent = {"token": token, "visit": visit, "to": "ship", "outcome": "fixed", "reason": "Because"}
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
    assert as_(stuck.ada).post(address, {"visit": 1, "token": 1, "reason": "x"}).status_code == 404
    assert row_counts() == before


def test_who_sees_the_incident_and_who_its_buttons(stuck: Stuck) -> None:
    pages = {name: stuck.page(user) for name, user in everybody(stuck).items() if name != "stan"}
    assert {name for name, page in pages.items() if "An operator is needed" in page} == {"ivo", "lea", "aude", "ada"}
    assert {name for name, page in pages.items() if "Withdraw this step" in page} == {"ada"}
    assert 'Which way? "nothing" is empty or not there. The condition: request.data.nothing > 1 since' in pages["ivo"]
    hint = "The administrators were told."
    assert {name for name, page in pages.items() if hint in page} == {"ivo", "lea", "aude"}
    assert "Which way? Waits for an operator." in pages["rita"]
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
    stuck.send(stuck.ada, "skip", visit=visit, reason="Nothing is shipped")
    assert stuck.steps == ["fix", "join", "parts"]
    page = stuck.page(stuck.world.rita)
    assert "Ada skipped “Which way?”" in page
    assert "Nothing is shipped" in page
    assert "Ada closed the call for an operator" in page
    assert not Incident.objects.filter(key="run:1:which", status="open").exists()


def test_a_token_is_moved_to_a_step_by_name_and_a_step_is_withdrawn(stuck: Stuck) -> None:
    token, _ = stuck.spot("which")
    stuck.send(stuck.ada, "move", token=token, to="ship", reason="It has to go")
    assert stuck.steps == ["fix", "parts", "ship"]
    stuck.send(stuck.ada, "withdraw", visit=stuck.spot("fix")[1], reason="Not broken")
    assert stuck.steps == ["parts", "ship"]
    page = stuck.page(stuck.ada)
    assert ("moved the request on to “Ship it”" in page, "took “Fix it” back" in page) == (True, True)
    assert "An operator is needed" not in page


def test_a_repair_without_a_reason_is_refused_beside_its_field_and_keeps_the_choice(stuck: Stuck) -> None:
    _, visit = stuck.spot("fix")
    before = stuck.state()
    answer = stuck.send(stuck.ada, "skip", visit=visit, outcome="hopeless", reason=" ")
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
    answer = stuck.send(stuck.ada, move, **sent, reason="Because")
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
    assert (
        "Parts: 1 of 2 done One more piece of work of this step is opened for it. Add one more No more will come …"
        in re.sub(r"What is to be added\? optional ", "", page)
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


# what a stranger must be told


def test_before_the_last_open_step_is_withdrawn_the_page_says_that_the_workflow_ends(stuck: Stuck) -> None:
    """With others open beside it everything else goes on."""
    assert "it ends when this step is taken back" not in stuck.page(stuck.ada)
    alone = make_request(
        make_item("alone", workflow=make_workflow(choice_document("request.data.x > 1"))), stuck.world.rita
    )
    page = text_of(as_(stuck.ada).get(page_of(alone)))
    assert "Nothing else of this workflow is open: it ends when this step is taken back." in page
    assert "It goes the way that is meant for all other cases (“otherwise”)." in page


def test_a_step_with_one_outcome_is_skipped_without_a_choice_and_an_end_is_named_as_one(stuck: Stuck) -> None:
    page = as_(stuck.ada).get(page_of(stuck.request)).content.decode()
    assert page.count("As if it had ended with") == 1  # Fix it has two, Which way? none
    assert '<option value="paid">paid (the end: completed)</option>' in page


def test_an_approval_that_nobody_can_answer_is_named_and_can_be_moved_or_withdrawn(world: World) -> None:
    level = {"id": "l", "name": "Owner", "approvers": [{"role": "owner"}], "rule": {"kind": "any"}}
    policy = {"levels": [level], "fallback": [{"role": "owner"}], "return": "never"}
    ask = {"id": "ask", "kind": "approval", "name": "Ask the owner", "policy": policy}
    ways = [arrow("start", "ask"), arrow("ask", "paid", outcome="approved"), arrow("ask", "no", outcome="rejected")]
    request = make_request(make_item("asked", workflow=publish(document([ask], ways)).workflow), world.rita)
    ada, run = make_person("ada", roles=["administrator"]), request.run_id
    page = text_of(as_(ada).get(page_of(request)))
    assert "Ask the owner: nobody can answer, an operator was called." in page
    assert "An operator is needed Ask the owner Nobody can answer" in page
    assert "Those whom the approval names now are asked." in page
    assert ("Move to another step" in page, "Withdraw this step" in page, "Skip …" in page) == (True, True, False)
    token = Marking.from_json(WorkflowRun.objects.get(pk=run).marking).tokens[0]
    as_(ada).post(page_of(request, "runs", str(run), "move"), {"token": token.id, "to": "paid", "reason": "Nobody"})
    page = text_of(as_(ada).get(page_of(request)))
    assert ("Everything is done." in page, "An operator is needed" in page) == (True, False)
    assert "closed the call for an operator: the step is over" in page


def test_an_incident_that_no_trying_again_mends_is_closed_by_saying_so(stuck: Stuck) -> None:
    with transaction.atomic():
        stream = stuck.request.stream
        (stream,) = lock_streams([stream.pk])
        told = open_incident(stream, kind="sweep", key="timers", detail="The timers failed.", at=clock.now())
        publish_events({stream: told})
        Request.objects.filter(pk=stuck.request.pk).update(revision=stream.last_seq)
    incident = Incident.objects.get(kind="sweep")
    page = stuck.page(stuck.ada)
    assert "it says that no operator is needed any more. What was done?" in page
    answer = as_(stuck.ada).post(
        page_of(stuck.request, "incidents", str(incident.pk), "retry"), {"reason": "Mended"}, follow=True
    )
    assert "The call for an operator is closed." in text_of(answer)


def test_what_ends_a_step_for_good_is_asked_for_with_its_consequence(stuck: Stuck) -> None:
    page = stuck.page(stuck.world.ivo)
    assert "The step ends when all are done; nothing can be added any more. This cannot be undone." in page
    assert "The step ends now. 2 of 2 are not done and taken back. This cannot be undone." in page
