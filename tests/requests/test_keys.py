from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from apps.core import clock
from apps.outbox.models import Delivery, Event
from apps.outbox.relay import place_events, run_relay
from apps.requests.models import Request
from apps.requests.selectors import tasks_of
from apps.requests.services import operations
from apps.requests.services.keys import KeyTaken
from apps.requests.services.lifecycle import cancel_request
from apps.requests.services.work import claim_task, complete_task, release_task, send_message
from apps.requests.sweeps import run_sweeps
from apps.workflows.models import KeyClaim, StepVisit, Task, Timer, WorkflowRun
from tests.factories import Json, line_document, make_request, refusal
from tests.requests.agreement import assert_agreement
from tests.requests.flows import fresh, make_flow, publish, submit

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
KEY = "request.data.reason"
USE: Json = {"id": "use", "kind": "task", "name": "Use", "assign": {"team": "it"}, "exclusive": KEY}
TAKE: Json = {"id": "take", "kind": "wait", "name": "Take", "for": {"message": "back"}, "exclusive": KEY}


def two(world, step: Json, **wish) -> tuple[Request, Request]:
    item = make_flow(line_document("shared", step))
    return make_request(item, world.requester, **wish), make_request(item, world.requester, **wish)


def task_of(request: Request) -> Task:
    return tasks_of(request).get(status__in=("open", "claimed"))


def holders() -> list[int]:
    return list(KeyClaim.objects.filter(ended_at=None, granted_at__isnull=False).values_list("stream_id", flat=True))


def in_line() -> list[int]:
    waiting = KeyClaim.objects.filter(ended_at=None, granted_at=None)
    return list(waiting.order_by("id").values_list("stream_id", flat=True))


def lose_events() -> None:
    """Nobody hears of what was told so far: what goes on does so by the sweeps alone."""
    while place_events():
        Delivery.objects.update(status="dead")


def test_a_task_is_offered_while_another_holds_its_key_and_cannot_be_begun(world):
    first, second = two(world, USE)
    claim_task(task_of(first), actor=world.worker)
    assert task_of(second).status == "open"
    for act in (claim_task, complete_task):
        with refusal(KeyTaken, match=f"I need it is taken: step use of {first.number} holds it"):
            act(task_of(second), actor=world.senior)
    assert (task_of(second).status, fresh(second).status) == ("open", "submitted")
    assert holders() == [first.pk]
    assert_agreement(second)


def test_another_key_is_no_hindrance(world):
    item = make_flow(line_document("shared", USE))
    requests = [make_request(item, world.requester, data={"reason": reason}) for reason in ("a", "b")]
    for request in requests:
        claim_task(task_of(request), actor=world.worker)
    assert sorted(holders()) == sorted(request.pk for request in requests)


def test_a_task_given_back_keeps_its_key_and_completing_frees_it(world):
    first, second = two(world, USE)
    claim_task(task_of(first), actor=world.worker)
    release_task(task_of(first), actor=world.worker)
    with refusal(KeyTaken):
        claim_task(task_of(second), actor=world.worker)
    complete_task(task_of(first), actor=world.senior)
    assert holders() == []
    complete_task(task_of(second), actor=world.worker)
    assert [fresh(request).status for request in (first, second)] == ["completed", "completed"]
    assert KeyClaim.objects.filter(ended_at=None).count() == 0


def test_an_automatic_step_waits_in_line_and_is_granted_after_the_event_in_its_own_transaction(world):
    first, second = two(world, TAKE)
    assert (holders(), in_line()) == ([first.pk], [second.pk])
    assert_agreement(second)
    send_message(first, name="back", actor=world.administrator)
    assert (holders(), in_line()) == ([], [second.pk])
    before = Event.objects.filter(stream_id=first.pk).count()
    run_relay()
    assert (holders(), in_line()) == ([second.pk], [])
    assert Event.objects.filter(stream_id=first.pk).count() == before
    granted = Event.objects.filter(stream_id=second.pk, type="key.granted").get()
    assert granted.actor == "system"
    assert_agreement(second)
    send_message(second, name="back", actor=world.administrator)
    assert fresh(second).status == "completed"


def test_who_waits_in_line_comes_before_whoever_would_begin_now(world):
    first = submit(world, line_document("shared", TAKE))
    second = submit(world, line_document("hands", USE))
    third = make_request(first.item, world.requester)
    send_message(first, name="back", actor=world.administrator)
    with refusal(KeyTaken, match=f"step take of {third.number} is next in line"):
        claim_task(task_of(second), actor=world.worker)
    run_relay()
    send_message(third, name="back", actor=world.administrator)
    claim_task(task_of(second), actor=world.worker)
    assert holders() == [second.pk]


def test_the_sweep_alone_serves_the_line_when_every_event_is_lost(world):
    first, second = two(world, TAKE)
    third = make_request(first.item, world.requester)
    for holder, rest in ((first, [second.pk, third.pk]), (second, [third.pk]), (third, [])):
        assert (holders(), in_line()) == ([holder.pk], rest)
        send_message(holder, name="back", actor=world.administrator)
        lose_events()
        run_sweeps()
    assert KeyClaim.objects.filter(ended_at=None).count() == 0
    assert [fresh(request).status for request in (first, second, third)] == ["completed"] * 3


def test_the_place_in_line_is_given_up_when_the_request_is_cancelled(world):
    first, second = two(world, TAKE)
    third = make_request(first.item, world.requester)
    cancel_request(second, actor=world.requester)
    assert in_line() == [third.pk]
    assert_agreement(second)
    cancel_request(first, actor=world.requester)
    run_relay()
    assert (holders(), in_line()) == ([third.pk], [])


def test_an_interrupting_deadline_gives_the_key_back(world):
    step = {**TAKE, "deadlines": [{"id": "late", "after": {"seconds": 60}, "interrupt": True}]}
    document = line_document("shared", step)
    document["transitions"].append({"from": "take", "to": "end", "deadline": "late"})
    item = make_flow(document)
    first, second = make_request(item, world.requester), make_request(item, world.requester)
    run_sweeps(Timer.objects.get(stream_id=first.pk).due_at)
    run_relay()
    assert fresh(first).status == "completed"
    assert holders() == [second.pk]
    assert_agreement(second)


def test_a_withdrawn_visit_gives_its_key_back(world):
    first, second = two(world, TAKE)
    visit = StepVisit.objects.get(run__stream_id=first.pk, step="take")
    operations.cancel_visit(
        first, run=first.run_id, visit=visit.number, reason="Not needed.", actor=world.administrator
    )
    run_relay()
    assert holders() == [second.pk]
    assert fresh(first).status == "cancelled"


def test_the_key_is_held_over_an_incident_and_a_retry_asks_no_second_time(world):
    step = {**TAKE, "for": {"message": "back", "key": "request.data.room"}}
    first, second = two(world, step)
    assert holders() == [first.pk]
    assert in_line() == [second.pk]
    Request.objects.filter(pk=first.pk).update(data={"reason": "I need it", "room": "12"})
    incident = first.stream.incidents.get()
    operations.retry_incident(incident, reason="The room is known.", actor=world.administrator)
    assert_agreement(first)
    send_message(first, name="back", key="12", actor=world.administrator)
    assert fresh(first).status == "completed"


def test_a_child_uses_the_key_of_the_visit_above_it_and_does_not_give_it_back(world):
    publish(line_document("child", {**USE, "id": "within"}, {**TAKE, "id": "again"}))
    subflow = {"id": "sub", "kind": "subflow", "name": "Sub", "workflow": "child", "exclusive": KEY}
    item = make_flow(line_document("shared", subflow))
    first, second = make_request(item, world.requester), make_request(item, world.requester)
    assert (holders(), in_line()) == ([first.pk], [second.pk])
    complete_task(task_of(first), actor=world.worker)
    assert (holders(), in_line()) == ([first.pk], [second.pk])
    assert_agreement(first)
    child = WorkflowRun.objects.get(stream_id=first.pk, parent__isnull=False)
    send_message(first, name="back", run=child.pk, actor=world.administrator)
    assert fresh(first).status == "completed"
    run_relay()
    assert holders() == [second.pk]
    assert task_of(second).name == "Use"


def test_two_branches_of_one_request_take_turns_without_any_event(world):
    join = {"id": "join", "kind": "join", "wait": "all"}
    document = line_document("turns", {"id": "both", "kind": "split"}, TAKE, join)
    document["steps"].append({**TAKE, "id": "other", "for": {"message": "other"}})
    document["transitions"] += [{"from": "both", "to": "other"}, {"from": "other", "to": "join"}]
    request = submit(world, document)
    assert KeyClaim.objects.get(granted_at__isnull=False).step == "take"
    assert_agreement(request)
    send_message(request, name="back", actor=world.administrator)
    assert KeyClaim.objects.get(ended_at=None, granted_at__isnull=False).step == "other"
    assert_agreement(request)
    send_message(request, name="other", actor=world.administrator)
    assert fresh(request).status == "completed"
    assert_agreement(request)


def test_a_key_whose_visit_is_gone_is_freed_by_the_sweep_and_the_next_is_served(world):
    first, second = two(world, TAKE)
    cancel_request(first, actor=world.requester)
    KeyClaim.objects.filter(stream_id=first.pk).update(ended_at=None)
    lose_events()
    assert run_sweeps(clock.now() + timedelta(seconds=1))["keys"] == 2
    assert (holders(), in_line()) == ([second.pk], [])


def test_the_database_forbids_two_holders_and_two_claims_of_one_visit(world):
    two(world, TAKE)
    waiting = KeyClaim.objects.get(granted_at=None)
    with pytest.raises(IntegrityError, match=r"key_one_holder|UNIQUE"), transaction.atomic():
        KeyClaim.objects.filter(pk=waiting.pk).update(granted_at=clock.now())
    waiting.pk = None
    with pytest.raises(IntegrityError, match=r"key_one_claim_per_visit|UNIQUE"), transaction.atomic():
        waiting.save(force_insert=True)


def test_a_key_that_is_too_long_is_an_incident(world):
    request = submit(world, line_document("shared", TAKE), data={"reason": "x" * 201})
    assert request.stream.incidents.get().detail.startswith("Step take: A key is text of at most 200 characters")
    assert KeyClaim.objects.count() == 0
    assert_agreement(request)
