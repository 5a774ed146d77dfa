from __future__ import annotations

import pytest

from apps.core.errors import InvalidInput, NotPermitted, TransitionNotAllowed
from apps.outbox.models import Event, Incident
from apps.requests.models import Request
from apps.requests.selectors import history_of
from apps.requests.services.lifecycle import cancel_request
from apps.requests.services.operations import cancel_visit, move_token, retry_incident, skip_step
from apps.requests.services.work import complete_task
from apps.workflows.engine.marking import Marking
from apps.workflows.models import Task
from tests.engine.documents import arrow, document, join, split
from tests.factories import Json, choice_document, line_document, make_item, make_request, make_workflow, refusal
from tests.requests.flows import fresh, submit

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
DOCUMENT = choice_document("request.data.size > 1")


@pytest.fixture
def stuck(world) -> Request:
    return make_request(make_item("fails", workflow=make_workflow(DOCUMENT)), world.requester)


def test_a_retry_goes_on_once_the_data_is_mended(world, stuck):
    Request.objects.filter(pk=stuck.pk).update(data={"size": 2})
    retry_incident(Incident.objects.get(), reason="The size was missing.", actor=world.administrator)
    assert Request.objects.get(pk=stuck.pk).status == "completed"
    assert Incident.objects.get().status == "resolved"


def test_a_retry_that_fails_again_opens_a_new_incident(world, stuck):
    retry_incident(Incident.objects.get(), reason="once more", actor=world.administrator)
    assert list(Incident.objects.order_by("id").values_list("status", flat=True)) == ["resolved", "open"]
    assert Request.objects.get(pk=stuck.pk).status == "submitted"
    types = Event.objects.filter(stream_id=stuck.pk, type__startswith="incident.").order_by("seq")
    assert list(types.values_list("type", flat=True)) == ["incident.opened", "incident.resolved", "incident.opened"]


def test_only_administrators_repair_and_say_why(world, stuck):
    incident = Incident.objects.get()
    for person in (world.requester, world.lead, world.stranger):
        with refusal(NotPermitted):
            retry_incident(incident, reason="let me", actor=person)
    with refusal(InvalidInput) as refused:
        retry_incident(incident, reason=" ", actor=world.administrator)
    assert refused.value.errors == {"reason": ["Please say why."]}
    retry_incident(incident, reason="once", actor=world.administrator)
    with refusal(TransitionNotAllowed):
        retry_incident(incident, reason="twice", actor=world.administrator)


# incidents end with what they are about


LEVEL: Json = {"id": "one", "name": "One", "approvers": [{"role": "owner"}], "rule": {"kind": "any"}}
ASK: Json = {
    "id": "ask",
    "kind": "approval",
    "name": "Ask",
    "policy": {"levels": [LEVEL], "fallback": [{"role": "owner"}], "return": "never"},
}
WORK: Json = {"id": "work", "kind": "task", "name": "Work", "assign": {"team": "it"}}


@pytest.fixture
def unanswerable(world) -> Request:
    """Beside a task an approval that nobody can answer."""
    steps = [split(), ASK, WORK, join(of="active")]
    arrows = [arrow("start", "split"), arrow("split", "ask"), arrow("split", "work"), arrow("work", "join")]
    ways = [arrow("ask", "join", outcome="approved"), arrow("ask", "join", outcome="rejected"), arrow("join", "paid")]
    return submit(world, document(steps, [*arrows, *ways]))


def spot(request: Request, step: str) -> tuple[int, int]:
    """The ids of the token and of the visit at a step."""
    tokens = Marking.from_json(fresh(request).run.marking).tokens
    return next((token.id, visit.id) for token in tokens for visit in token.visits if visit.step == step)


@pytest.mark.parametrize("ended", ["move", "withdraw", "cancel"])
def test_the_incident_of_an_approval_ends_with_it_and_the_event_says_why(world, unanswerable, ended):
    token, visit = spot(unanswerable, "ask")
    by = {"run": unanswerable.run_id, "reason": "Nobody is left", "actor": world.administrator}
    assert Incident.objects.get().kind == "approval_without_approver"
    if ended == "move":
        move_token(unanswerable, token=token, to="work", **by)
    elif ended == "withdraw":
        cancel_visit(unanswerable, visit=visit, **by)
    else:
        cancel_request(unanswerable, actor=world.requester)
    assert Incident.objects.get().status == "resolved"
    event = Event.objects.get(stream=unanswerable.pk, type="incident.resolved")
    actor = world.requester if ended == "cancel" else world.administrator
    assert event.data == {"incident": Incident.objects.get().pk, "cause": "step_over"}
    assert event.actor == f"user:{actor.pk}"
    said = [line.what for line in history_of(fresh(unanswerable), reader=world.administrator)]
    assert said.count("closed the call for an operator: the step is over") == 1


def test_an_incident_of_a_step_that_somebody_else_ends_is_over_too(world, stuck):
    cancel_request(stuck, actor=world.requester)
    assert Incident.objects.get().status == "resolved"
    assert Event.objects.get(stream=stuck.pk, type="incident.resolved").data["cause"] == "step_over"


def test_a_stuck_run_is_no_matter_of_trying_again_but_of_moving_a_token(world):
    steps = [split(), WORK, {**WORK, "id": "other"}, join()]
    arrows = [arrow("start", "split"), arrow("split", "work"), arrow("split", "other")]
    ends = [arrow("work", "join"), arrow("other", "join"), arrow("join", "paid")]
    request = submit(world, document(steps, [*arrows, *ends]))
    by = {"run": request.run_id, "reason": "So it must be", "actor": world.administrator}
    cancel_visit(request, visit=spot(request, "work")[1], **by)
    complete_task(Task.objects.get(status="open"), actor=world.worker)
    incident = Incident.objects.get()
    assert "The run is stuck" in incident.detail
    with refusal(TransitionNotAllowed, match="Move a token"):
        retry_incident(incident, reason="Again", actor=world.administrator)
    (token,) = Marking.from_json(fresh(request).run.marking).tokens
    move_token(request, token=token.id, to="paid", **by)
    assert (fresh(request).status, Incident.objects.get().status) == ("completed", "resolved")


# outcomes that are named


def test_a_choice_has_no_outcome_to_be_skipped_by(world, stuck):
    by = {"run": stuck.run_id, "visit": spot(stuck, "which")[1], "reason": "Because", "actor": world.administrator}
    with refusal(TransitionNotAllowed, match="has no outcomes"):
        skip_step(stuck, outcome="done", **by)
    skip_step(stuck, **by)
    assert Incident.objects.get().status == "resolved"


def test_a_whole_step_with_instances_is_skipped_as_done_and_by_no_other_outcome(world):
    outcomes = [{"id": "fixed", "label": "Fixed"}, {"id": "hopeless", "label": "Hopeless"}]
    several = {**WORK, "outcomes": outcomes, "for_each": "request.data.nothing"}
    request = submit(world, line_document("several", several))
    visit = spot(request, "work")[1]
    by = {"run": request.run_id, "visit": visit, "reason": "Because", "actor": world.administrator}
    with refusal(TransitionNotAllowed, match="has as a whole no outcome 'hopeless', only done"):
        skip_step(request, outcome="hopeless", **by)
    skip_step(request, outcome="done", **by)
    assert fresh(request).status == "completed"
