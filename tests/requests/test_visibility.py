"""What of a request is internal: escalations and teams' own targets are for those who work on it, lead or audit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from apps.approvals.models import Approval
from apps.core import clock
from apps.outbox.publish import SYSTEM, NewEvent, lock_streams, publish
from apps.outbox.relay import run_relay
from apps.requests.models import Request
from apps.requests.selectors import feed_for, history_of, readable_clocks, readable_events
from apps.requests.selectors.explaining import explain
from apps.requests.selectors.progress import next_clocks
from apps.requests.services.decisions import record_decision
from apps.requests.sweeps import run_sweeps
from apps.sla.models import SlaPolicyVersion
from tests.factories import make_person, make_request

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
LEVELS = ("critical", "high", "medium", "low")
LEAD = {"do": "notify", "to": [{"lead": True}], "text": "It is nearly due."}


def target(ident: str, *escalations: dict[str, Any], hours: int = 10, **more: Any) -> dict[str, Any]:
    alarms = [{"id": f"{ident}-{n}", **one} for n, one in enumerate(escalations)]
    durations = {level: {"seconds": hours * 3600} for level in LEVELS}
    return {"id": ident, "metric": "resolution", "durations": durations, "escalations": alarms, **more}


@pytest.fixture
def late(world: Any) -> Request:
    """A request of which a team's own target and the customer's are over, each with its escalations."""
    own = target("own", {"at": 50, "do": "raise_priority"}, hours=1, team="it", name="IT's part", warn_at=[50])
    policy = {"targets": [target("solved", {"at": 90, **LEAD}, warn_at=[50]), own]}
    SlaPolicyVersion.freeze("standard", policy)
    request = make_request(world.item, world.requester)
    record_decision(Approval.objects.get(stream_id=request.pk), verdict="approve", actor=world.manager)
    run_sweeps(request.submitted_at + timedelta(hours=11))
    run_relay()
    return Request.objects.get(pk=request.pk)


def kinds(events: Any) -> list[tuple[str, str]]:
    told = [(event.type, event.data) for event in events]
    clocks = ("sla.", "notice.", "request.priority")
    return [(kind, data.get("target", "")) for kind, data in told if kind.startswith(clocks)]


def test_the_requester_reads_of_the_targets_that_were_promised_and_of_what_an_escalation_changed(world, late):
    promised = [
        ("sla.started", "solved"),
        ("sla.warned", "solved"),
        ("sla.breached", "solved"),
        ("request.priority_changed", "own"),
    ]
    for reader in (world.requester, world.manager):
        assert kinds(readable_events(late, reader=reader)) == promised
        assert kinds(feed_for(reader)) == promised
    said = " ".join(f"{line.what} {line.note}" for line in history_of(late, reader=world.requester))
    assert "raised the priority from medium to high" in said
    assert [word for word in ("nearly due", "IT's part", "escalated", "sent a message") if word in said] == []


def test_an_event_from_before_they_were_marked_is_internal_by_the_policy(world, late):
    data = {"clock": 1, "target": "own", "metric": "resolution", "percent": 50}
    with transaction.atomic():
        stream = lock_streams([late.pk])[0]
        publish({stream: [NewEvent(type="sla.warned", actor=SYSTEM, at=clock.now(), data=data)]})
    assert ("sla.warned", "own") not in kinds(readable_events(late, reader=world.requester))
    assert kinds(readable_events(late, reader=world.lead))[-1] == ("sla.warned", "own")


def test_who_works_on_it_leads_it_or_audits_reads_all_of_it(world, late):
    everything = kinds(readable_events(late, reader=world.administrator))
    assert {("sla.escalated", "own"), ("sla.escalated", "solved"), ("notice.sent", ""), ("sla.breached", "own")} < {
        *everything
    }
    for reader in (world.worker, world.lead, make_person("auditor", roles=["auditor"])):
        assert kinds(readable_events(late, reader=reader)) == everything
        assert kinds(feed_for(reader)) == everything
    said = " ".join(f"{line.what} {line.note}" for line in history_of(late, reader=world.lead))
    assert "sent a message to Lead It is nearly due." in said
    assert "raised the priority from medium to high, as 50 % of the time for “IT's part” is used up" in said


def test_the_clock_of_a_teams_own_target_is_shown_to_those_who_may_read_of_it(world, late):
    for reader, seen in ((world.requester, ["solved"]), (world.manager, ["solved"]), (world.lead, ["solved", "own"])):
        assert [one.target for one in readable_clocks(late, reader=reader)] == seen
        assert [due.one.clock.target for due in explain(late, reader=reader).clocks] == seen
        assert next_clocks([late.pk], reader=reader)[late.pk].target == seen[-1]
