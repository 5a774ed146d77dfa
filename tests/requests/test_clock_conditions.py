"""Conditions of targets on live requests: an event that is told only where somebody reads it reaches its reader."""

from __future__ import annotations

import pytest

from apps.approvals.models import Approval
from apps.outbox.models import Event
from apps.requests.selectors import tasks_of
from apps.requests.selectors.clocks import explained_clocks
from apps.requests.services.decisions import record_decision
from apps.requests.services.targets import publish_targets
from apps.requests.services.work import claim_task, release_task
from apps.sla.models import SlaClock
from tests.factories import make_request

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
LEVELS = ("critical", "high", "medium", "low")


def a_target(**on: list[dict[str, str]]) -> dict[str, object]:
    return {"id": "fix", "metric": "resolution", "durations": {one: {"seconds": 60} for one in LEVELS}, "on": on}


@pytest.mark.parametrize(
    ("event", "field", "value"),
    [("request.stage_entered", "stage", "work"), ("request.owner_changed", "team", "it")],
)
def test_a_clock_of_any_metric_may_begin_with_a_stage_or_a_holder(world, event: str, field: str, value: str):
    publish_targets(
        "standard", {"targets": [a_target(start=[{"event": event, "where": f"event.{field} == '{value}'"}])]}
    )
    request = make_request(world.item, world.requester)
    assert not SlaClock.objects.filter(stream_id=request.pk).exists()
    record_decision(Approval.objects.get(stream_id=request.pk), verdict="approve", actor=world.manager)
    claim_task(tasks_of(request).get(), actor=world.worker)
    begun = SlaClock.objects.get(stream_id=request.pk)
    told = Event.objects.filter(stream_id=request.pk, type=event, **{f"data__{field}": value}).first()
    assert told is not None
    assert begun.started_at == told.at
    assert [one.reading.state.started_at for one in explained_clocks(request)] == [told.at]


def test_a_pause_of_its_own_stands_and_goes_on_again(world):
    pause, resume = {"event": "task.released"}, {"event": "task.claimed", "where": "event.step == 'work'"}
    publish_targets("standard", {"targets": [a_target(pause=[pause], resume=[resume])], "pause_on_hold": False})
    request = make_request(world.item, world.requester)
    record_decision(Approval.objects.get(stream_id=request.pk), verdict="approve", actor=world.manager)
    task = tasks_of(request).get()
    statuses = []
    for move in (claim_task, release_task, claim_task):
        move(task, actor=world.worker)
        statuses.append([one.reading.status for one in explained_clocks(request)])
        assert [SlaClock.objects.get(stream_id=request.pk).status] == statuses[-1]
    assert statuses == [["running"], ["paused"], ["running"]]
