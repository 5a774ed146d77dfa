"""What can get stuck cannot be published: clocks that nothing stops, pauses that nothing ends."""

from __future__ import annotations

from typing import Any

import pytest

from apps.sla.policy_check import METRICS, NAMED_METRICS, check_policy
from apps.sla.stuck_check import pause_warnings, stuck_problems

LEVELS = ("critical", "high", "medium", "low")


def policy(metric: str = "resolution", *, pause_on_hold: bool = True, **on: list[Any]) -> dict[str, Any]:
    """A policy of one target; conditions are given as the types of their events, or whole."""
    stated = {change: [{"event": one} if isinstance(one, str) else one for one in on[change]] for change in on}
    of = {"of": "board"} if metric in NAMED_METRICS else {}
    durations = {level: {"seconds": 60} for level in LEVELS}
    target = {"id": "a", "metric": metric, "durations": durations, "on": stated, **of}
    document = {"targets": [target], "pause_on_hold": pause_on_hold}
    assert check_policy(document) == {}
    return document


def stuck(document: dict[str, Any]) -> dict[str, str]:
    return {place.removeprefix("targets.0.on."): " ".join(said) for place, said in stuck_problems(document).items()}


ENDS = ["request.completed", "request.rejected", "request.cancelled"]
CLAIMED = {"event": "task.claimed", "where": "event.step == 'board'"}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("pauses", [True, False])
def test_what_a_metric_says_by_itself_ends(metric: str, pauses: bool) -> None:
    assert stuck_problems(policy(metric, pause_on_hold=pauses)) == {}
    assert pause_warnings(policy(metric, pause_on_hold=pauses)) == {}


@pytest.mark.parametrize(
    "on",
    [
        {"stop": ENDS},
        {"stop": [CLAIMED], "cancel": ENDS},
        {"stop": [CLAIMED, "request.completed", "request.rejected"]},
        {"reset": [{"event": "comment.added", "where": "!event.internal"}]},
        {"pause": ["request.held", "task.released"], "resume": ["request.resumed", "task.claimed"]},
        {"pause": ["task.released"], "resume": ["task.claimed"]},
        {"pause": []},
        {"start": ["request.completed"], "stop": ["request.archived", "request.reopened"], "cancel": ENDS[1:]}
        | {"cancel": [{"event": "request.completed", "where": "false"}, *ENDS[1:]]},
    ],
)
def test_what_has_an_end_is_published(on: dict[str, list[Any]]) -> None:
    assert stuck_problems(policy(**on)) == {}


def test_a_clock_that_nothing_stops_is_refused_with_what_to_add() -> None:
    found = stuck_problems(policy(stop=[], cancel=ENDS))
    assert found == {
        "targets.0.on.stop": [
            'Nothing would ever stop this clock: name what does, such as {"event": "request.completed"},'
            " or leave stop out for what the metric says."
        ]
    }


def test_a_stop_that_is_always_a_cancel_first_is_none() -> None:
    assert stuck(policy(cancel=ENDS)) == {"stop": "Whatever stops this clock cancels it first: take it out of cancel."}


def test_a_clock_that_outlives_its_request_is_refused() -> None:
    assert stuck(policy(stop=["task.completed"])) == {
        "stop": "The clock would run on for ever after request.completed or request.rejected:"
        ' add {"event": "request.completed"}, {"event": "request.rejected"} to stop or to cancel.'
    }
    assert list(stuck(policy(cancel=["task.withdrawn"]))) == ["cancel"]
    assert list(stuck(policy("step", start=["request.submitted"]))) == ["start"]
    assert list(stuck(policy("approval", stop=["approval.decided"]))) == ["stop"]


def test_a_step_that_begins_when_it_is_claimed_still_ends_with_the_step() -> None:
    assert stuck(policy("step", start=[CLAIMED])) == {}


def test_a_clock_that_begins_after_the_end_needs_an_end_after_it() -> None:
    assert stuck(policy(start=["request.completed"])) == {
        "start": "request.completed would start the clock when the request is over, and nothing would end it then:"
        ' add {"event": "request.reopened"} or {"event": "request.archived"} to stop or to cancel.'
    }


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ({"resume": []}, 'Once paused this clock would stand for ever: add {"event": "request.resumed"} here.'),
        (
            {"pause": ["task.released"], "resume": ["task.released"]},
            "Once paused this clock would stand for ever: add an event that does not pause it too here.",
        ),
        (
            {"pause": ["task.released"]},
            "Only the end of a hold resumes this clock, but task.released would pause it too:"
            " add the event here that ends that pause.",
        ),
        (
            {"resume": ["task.claimed"]},
            'A hold pauses this clock, and its end does not resume it: add {"event": "request.resumed"} here.',
        ),
    ],
)
def test_a_pause_that_nothing_ends_is_refused(on: dict[str, list[Any]], said: str) -> None:
    assert stuck(policy(**on)) == {"resume": said}


def test_without_holds_a_pause_needs_its_own_end() -> None:
    assert list(stuck(policy(pause_on_hold=False, pause=["task.released"]))) == ["resume"]
    assert stuck(policy(pause_on_hold=False, pause=["task.released"], resume=["task.claimed"])) == {}


def test_a_pause_that_takes_the_place_of_the_hold_is_said() -> None:
    on = {"pause": ["task.released"], "resume": ["task.claimed"]}
    assert pause_warnings(policy(**on)) == {
        "targets.0.on.pause": [
            'A hold does not pause this target: add {"event": "request.held"} here and {"event": "request.resumed"} to'
            " resume. What is stated takes the place of pause_on_hold."
        ]
    }
    assert pause_warnings(policy(pause_on_hold=False, **on)) == {}


def test_a_resume_without_a_pause_is_said() -> None:
    assert pause_warnings(policy(pause_on_hold=False, resume=["task.claimed"])) == {
        "targets.0.on.resume": ["Nothing pauses this target, so nothing resumes it."]
    }
