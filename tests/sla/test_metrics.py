"""What is measured: stages, steps, approvals, and events that a policy names."""

from __future__ import annotations

from copy import deepcopy

from apps.sla.clock import (
    Duration,
    parse_policy,
    replay,
)
from tests.sla.clocks import BOTH, HOUR, POLICY, at, event, target, told


def test_a_stage_is_measured_while_the_request_is_in_it_and_anew_when_it_comes_back() -> None:
    stage = target("stage", Duration(n=HOUR, unit="elapsed"), of="work")
    events = [
        event("submitted", "02 10:00"),
        told("stage_entered", at("02 11:00"), stage="work", was="approval"),
        told("stage_entered", at("02 11:30"), stage="approval", was="work"),
    ]
    first = replay(stage, BOTH, events, at("02 15:00"))
    assert (first.status, first.elapsed) == ("met", 1800)
    again = told("stage_entered", at("02 15:00"), stage="work", was="approval")
    assert replay(stage, BOTH, [*events, again], at("02 15:10")).elapsed == 600


def test_a_step_of_several_tasks_ends_with_the_last_of_them() -> None:
    step = target("step", Duration(n=HOUR, unit="elapsed"), of="pack")
    events = [event("submitted", "02 10:00")]
    events += [told("task.opened", at("02 11:00"), step="pack") for _ in range(2)]
    events += [
        told("task.completed", at("02 11:10"), step="pack"),
        told("task.completed", at("02 11:20"), step="other"),
    ]
    assert replay(step, BOTH, events, at("02 11:30")).status == "running"
    done = told("task.completed", at("02 11:40"), step="pack")
    assert (replay(step, BOTH, [*events, done], at("02 12:00")).elapsed) == 40 * 60


def test_an_approval_that_is_taken_back_is_not_measured() -> None:
    approval = target("approval", Duration(n=HOUR, unit="elapsed"), of="board")
    events = [event("submitted", "02 10:00"), told("approval.opened", at("02 10:00"), step="board")]
    ended = told("approval.ended", at("02 10:30"), step="board", result="withdrawn")
    assert replay(approval, BOTH, [*events, ended], at("02 11:00")).status == "void"


def test_a_condition_reads_the_event_and_a_reset_begins_anew() -> None:
    policy = deepcopy(POLICY)
    policy["targets"][0]["on"] = {
        "reset": [{"event": "comment.added", "where": "event.internal == false"}],
        "stop": [{"event": "request.completed"}],
    }
    (talk,) = parse_policy(policy).targets
    events = [event("submitted", "02 10:00"), told("comment.added", at("02 11:00"), internal=True)]
    assert replay(talk, BOTH, events, at("02 12:30")).elapsed == 2 * HOUR
    answered = told("comment.added", at("02 12:30"), internal=False)
    reading = replay(talk, BOTH, [*events, answered], at("02 13:00"))
    assert (reading.status, reading.elapsed, reading.state.started_at) == ("running", 1800, at("02 12:30"))
