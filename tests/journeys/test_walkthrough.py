"""The nine steps in this process, and the demonstration data behind them."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command

from apps.outbox.models import Event
from apps.requests.models import CatalogItem, Request
from serviceflow.demo import seed
from serviceflow.walkthrough import walk_in_process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]
STEPS = "request validation workflow_selection state_machine processing approvals sla_tracking notifications completion"


@pytest.fixture
def organisation() -> None:
    assert seed(say=lambda what: None)


@pytest.mark.usefixtures("organisation")
def test_the_walkthrough_tells_nine_steps_whose_events_are_the_requests_own(capsys: pytest.CaptureFixture[str]):
    call_command("walkthrough", json=True)
    steps = json.loads(capsys.readouterr().out)
    assert " ".join(steps) == STEPS
    request = Request.objects.get(number=steps["request"]["number"])
    assert (request.status, request.outcome) == ("archived", "completed")
    told = {event for step in steps.values() for event in step["events"]}
    assert told <= set(Event.objects.filter(stream_id=request.pk).values_list("pk", flat=True))
    assert steps["approvals"]["rounds"][0]["System owners"] == ["oscar: approve", "lena: approve"]
    assert [clock["status"] for clock in steps["sla_tracking"]["clocks"]] == ["met", "met"]


@pytest.mark.usefixtures("organisation")
def test_it_can_be_walked_again_and_reads_as_text(capsys: pytest.CaptureFixture[str]):
    first, second = walk_in_process(), walk_in_process()
    assert first["request"]["number"] != second["request"]["number"]
    call_command("walkthrough")
    assert "9. Completion" in capsys.readouterr().out


@pytest.mark.usefixtures("organisation")
def test_a_second_seed_changes_nothing():
    before = (CatalogItem.objects.count(), Request.objects.count(), Event.objects.count())
    assert not seed(say=lambda what: None)
    assert (CatalogItem.objects.count(), Request.objects.count(), Event.objects.count()) == before
