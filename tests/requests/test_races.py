from __future__ import annotations

import pytest

from apps.core.errors import DomainError, TransitionNotAllowed
from apps.requests.models import Request
from apps.requests.services.lifecycle import cancel_request
from apps.requests.services.work import claim_task, complete_task, send_message
from apps.requests.sweeps import run_sweeps
from apps.workflows.models import StepVisit, Task, Timer
from tests.factories import Json, refusal
from tests.races import at_once, in_one_transaction
from tests.requests.agreement import assert_agreement
from tests.requests.flows import fresh, submit

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def contest() -> Json:
    """A task, a timer and a message compete; each has an end of its own."""
    rivals = [
        {"id": "hand", "kind": "task", "name": "Hand", "assign": {"team": "it"}},
        {"id": "time", "kind": "wait", "name": "Time", "for": {"seconds": 60}},
        {"id": "word", "kind": "wait", "name": "Word", "for": {"message": "word", "keep": True}},
    ]
    ends = zip(("done", "late", "told"), ("completed", "rejected", "cancelled"), strict=True)
    return {
        "format": 1,
        "workflow": "contest",
        "name": "Contest",
        "steps": [
            {"id": "start", "kind": "start"},
            {"id": "race", "kind": "race"},
            *rivals,
            *({"id": name, "kind": "end", "outcome": outcome} for name, outcome in ends),
        ],
        "transitions": [
            {"from": "start", "to": "race"},
            *({"from": "race", "to": rival["id"]} for rival in rivals),
            {"from": "hand", "to": "done"},
            {"from": "time", "to": "late"},
            {"from": "word", "to": "told"},
        ],
    }


def statuses() -> dict[str, str]:
    return dict(StepVisit.objects.values_list("step", "status"))


def test_all_who_compete_are_open_at_once(world):
    request = submit(world, contest())
    assert statuses() == {"hand": "open", "time": "open", "word": "open"}
    assert_agreement(request)


def test_a_task_that_somebody_takes_up_withdraws_the_timer_and_the_wait(world):
    request = submit(world, contest())
    claim_task(Task.objects.get(), actor=world.worker)
    assert statuses() == {"hand": "begun", "time": "withdrawn", "word": "withdrawn"}
    assert (Timer.objects.get().fired, Timer.objects.filter(closed_at=None).count()) == (False, 0)
    assert_agreement(request)
    assert run_sweeps(Timer.objects.get().due_at)["timers"] == 0
    send_message(request, name="word", actor=world.administrator)
    complete_task(Task.objects.get(), actor=world.worker)
    assert fresh(request).status == "completed"


def test_a_timer_that_fires_withdraws_the_task(world):
    request = submit(world, contest())
    run_sweeps(Timer.objects.get().due_at)
    assert (Task.objects.get().status, fresh(request).status) == ("withdrawn", "rejected")
    assert statuses() == {"hand": "withdrawn", "time": "ended", "word": "withdrawn"}
    assert_agreement(request)
    with refusal(TransitionNotAllowed):
        claim_task(Task.objects.get(), actor=world.worker)


def test_a_message_withdraws_task_and_timer(world):
    request = submit(world, contest())
    send_message(request, name="word", actor=world.administrator)
    assert (Task.objects.get().status, fresh(request).status) == ("withdrawn", "cancelled")
    assert statuses() == {"hand": "withdrawn", "time": "withdrawn", "word": "ended"}
    assert_agreement(request)


def test_a_message_that_came_early_wins_before_anything_opens(world):
    document = contest()
    document["steps"].append({"id": "first", "kind": "task", "name": "First", "assign": {"team": "it"}})
    document["transitions"][0] = {"from": "start", "to": "first"}
    document["transitions"].append({"from": "first", "to": "race"})
    request = submit(world, document)
    send_message(request, name="word", actor=world.administrator)
    complete_task(Task.objects.get(), actor=world.worker)
    assert (Task.objects.count(), Timer.objects.count(), fresh(request).status) == (1, 0, "cancelled")
    assert_agreement(request)


def test_cancelling_takes_all_of_them_back(world):
    request = submit(world, contest())
    cancel_request(request, actor=world.requester)
    assert set(statuses().values()) == {"withdrawn"}
    assert_agreement(request)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("again", range(3))
def test_everything_at_the_same_instant_has_one_winner(world, again):
    request = submit(world, contest())
    task, timer = Task.objects.get(), Timer.objects.get()

    def sweep() -> None:
        run_sweeps(timer.due_at)

    def message() -> None:
        send_message(Request.objects.get(pk=request.pk), name="word", actor=world.administrator)

    acts = (lambda: claim_task(task, actor=world.worker), sweep, message)
    raised = at_once(*(lambda act=act: in_one_transaction(act) for act in acts))
    assert [error for error in raised if not isinstance(error, DomainError)] == []
    assert_agreement(request)
    assert sorted(statuses().values())[-2:] == ["withdrawn", "withdrawn"]
