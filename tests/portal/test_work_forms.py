"""Forms of tasks, tasks that need a key, steps of child runs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from apps.requests.models import FormVersion, Request
from apps.workflows.models import KeyClaim, Task
from tests.engine.documents import arrow, task
from tests.factories import (
    choice_document,
    line_document,
    make_item,
    make_person,
    make_request,
    make_team,
    make_workflow,
    row_counts,
)
from tests.portal.conftest import World, as_, page_of, text_of
from tests.requests.flows import publish

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

DELIVERY: dict[str, Any] = {
    "fields": [
        {"name": "place", "type": "text", "label": "Place", "required": True},
        {"name": "boxes", "type": "number", "label": "Boxes", "integer": True, "max": 9},
        {"name": "cost", "type": "money", "label": "Cost", "currencies": ["EUR", "USD"]},
        {"name": "size", "type": "choice", "label": "How large", "choices": [{"value": "s", "label": "Small"}]},
    ]
}


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


def test_the_page_reads_the_values_of_a_tasks_form_by_their_labels(world: World, delivery: Task) -> None:
    sent = {"data.place": "Room 7", "data.size": "s", "data.cost": "12", "data.cost.currency": "USD"}
    as_(world.ivo).post(f"/tasks/{delivery.pk}/complete/", {"outcome": "done", **sent})
    page = text_of(as_(world.rita).get(page_of(delivery.stream.request)))
    assert "Reason I need it Place Room 7 Cost 12.00 USD How large Small History" in page


def test_the_form_says_which_answer_wants_a_reason_and_that_taking_it_up_keeps_nothing(world: World) -> None:
    FormVersion.freeze("delivery", DELIVERY)
    outcomes = [{"id": "fixed", "label": "Fixed"}, {"id": "no", "label": "Hopeless", "comment": "required"}]
    deliver = task("deliver", name="Deliver", assign={"team": "it"}, form="delivery", outcomes=outcomes)
    make_request(make_item("delivered", workflow=make_workflow(line_document("delivered", deliver))), world.rita)
    asked = Task.objects.get()
    address = page_of(asked.stream.request)
    page = text_of(as_(world.ivo).get(address))
    assert "Say why if you choose “Hopeless”." in page
    assert "kept when you finish the task, not when you only take it up." in page
    answer = as_(world.ivo).post(f"/tasks/{asked.pk}/complete/", {"outcome": "no", "data.place": "Here"})
    page = answer.content.decode()
    assert (answer.status_code, f'id="task-{asked.pk}-error">Please say why.' in page) == (400, True)
    assert 'value="Here"' in page


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


def test_incidents_of_child_runs_say_which_child_they_are_in(world: World) -> None:
    publish({**choice_document("request.data.weight > 1"), "workflow": "carrier"})
    each = {"id": "which", "kind": "subflow", "name": "Deliver", "workflow": "carrier", "for_each": "['Here', 'There']"}
    request = make_request(make_item("each", workflow=publish(line_document("each", each)).workflow), world.rita)
    page = text_of(as_(make_person("ada", roles=["administrator"])).get(page_of(request)))
    assert re.findall(r"Deliver \d \(\w+\) › Which\?", page) == [
        "Deliver 1 (Here) › Which?",
        "Deliver 2 (There) › Which?",
    ]
    assert page.count("called an operator: “Which?” needs help") == 2


def test_a_task_of_a_child_run_ends_the_request(world: World, nested: Request) -> None:
    as_(world.mia).post(f"/approvals/{nested.stream.approvals.get().pk}/decide/", {"decision": "approve"})
    as_(world.ivo).post(f"/tasks/{Task.objects.get().pk}/complete/", {"outcome": "done"})
    page = text_of(as_(world.rita).get(page_of(nested)))
    assert ("Everything is done." in page, "finished “Delivery”" in page) == (True, True)
