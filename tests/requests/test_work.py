from __future__ import annotations

import pytest

from apps.approvals.models import Approval
from apps.core.errors import AlreadyClaimed, InvalidInput, NotPermitted, TransitionNotAllowed
from apps.requests.models import Request
from apps.requests.selectors import history_of, tasks_for, tasks_of
from apps.requests.services.comments import add_comment
from apps.requests.services.decisions import record_decision
from apps.requests.services.work import claim_task, complete_task, release_task
from apps.workflows.models import StepVisit, Task
from tests.factories import make_request, refusal

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def task(world) -> Task:
    request = make_request(world.item, world.requester)
    record_decision(Approval.objects.get(stream_id=request.pk), verdict="approve", actor=world.manager)
    return tasks_of(request).get()


def test_a_teams_task_is_offered_to_its_members_until_one_takes_it_up(world, task):
    assert list(tasks_for(world.worker)) == [task]
    assert list(tasks_for(world.stranger)) == []
    claim_task(task, actor=world.worker)
    assert list(tasks_for(world.senior)) == []
    assert list(tasks_for(world.worker)) == [task]
    with refusal(AlreadyClaimed):
        claim_task(task, actor=world.senior)


def test_claiming_twice_changes_nothing(world, task):
    claim_task(task, actor=world.worker)
    revision = Request.objects.get(pk=task.stream_id).revision
    claim_task(task, actor=world.worker)
    assert Request.objects.get(pk=task.stream_id).revision == revision


def test_a_released_task_is_offered_again(world, task):
    claim_task(task, actor=world.worker)
    release_task(task, actor=world.worker)
    assert list(tasks_for(world.senior)) == [task]
    with refusal(TransitionNotAllowed):
        release_task(task, actor=world.worker)


def test_a_visit_knows_when_it_was_begun_and_how_it_ended(world, task):
    claim_task(task, actor=world.worker)
    begun = StepVisit.objects.get(pk=task.visit_id)
    complete_task(task, actor=world.worker)
    ended = StepVisit.objects.get(pk=task.visit_id)
    assert (begun.status, ended.status, ended.outcome) == ("begun", "ended", "done")
    assert ended.begun_at == begun.begun_at is not None


def test_completing_an_unclaimed_task_takes_it_up_as_well(world, task):
    complete_task(task, actor=world.worker)
    stored = Task.objects.select_related("visit").get(pk=task.pk)
    assert (stored.status, stored.assignee, stored.visit.begun_at) == ("done", world.worker, stored.claimed_at)


def test_a_stranger_and_the_requester_cannot_work_on_it(world, task):
    for person in (world.stranger, world.requester, world.manager):
        with refusal(NotPermitted):
            complete_task(task, actor=person)


def test_an_outcome_that_does_not_exist_is_refused_by_name(world, task):
    for outcome in ("finished", "", None, 3, ["done"]):
        with refusal(InvalidInput) as refused:
            complete_task(task, outcome=outcome, actor=world.worker)
        assert refused.value.errors == {"outcome": ["This must be one of done, refused."]}


def test_an_outcome_kept_for_a_role_needs_the_role_and_its_comment(world, task):
    with refusal(NotPermitted):
        complete_task(task, outcome="refused", comment="no", actor=world.worker)
    with refusal(InvalidInput) as refused:
        complete_task(task, outcome="refused", actor=world.senior)
    assert refused.value.errors == {"comment": ["Please say why."]}
    complete_task(task, outcome="refused", comment="out of stock", actor=world.senior)
    assert Request.objects.get(pk=task.stream_id).status == "rejected"


def test_a_finished_task_cannot_be_finished_again(world, task):
    complete_task(task, actor=world.worker)
    with refusal(TransitionNotAllowed):
        complete_task(task, actor=world.worker)


def test_an_internal_note_is_written_and_read_only_by_those_who_work_on_it(world, task):
    request = Request.objects.get(pk=task.stream_id)
    with refusal(NotPermitted):
        add_comment(request, text="psst", internal=True, actor=world.requester)
    add_comment(request, text="the old one is in the cellar", internal=True, actor=world.worker)
    add_comment(request, text="on its way", actor=world.worker)
    assert [line.note for line in history_of(request, reader=world.requester) if line.note] == ["on its way"]
    assert [line.note for line in history_of(request, reader=world.worker) if line.note] == [
        "the old one is in the cellar",
        "on its way",
    ]
