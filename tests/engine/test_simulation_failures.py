"""The dry run where the script lets actions fail, and where a walk costs too much."""

from __future__ import annotations

from typing import Any

from apps.workflows.engine.simulation import Entry, Trial
from apps.workflows.engine.simulation.trial import MOST_WORK
from tests.engine.documents import action, arrow, document, single, task
from tests.engine.dry_runs import codes, later, path, run


def calling(**more: Any) -> dict[str, Any]:
    """A task, a webhook, and a way of its own where that fails."""
    hook = action("call", action="webhook", **{"with": {"url": "https://example.org/in"}}, **more)
    return document(
        [task("work"), hook],
        [
            arrow("start", "work"),
            arrow("work", "call"),
            arrow("call", "no", outcome="failed"),
            arrow("call", "paid"),
        ],
    )


def of_the_call(trial: Trial) -> list[str]:
    return [event for step, event in path(trial) if step == "call"]


DONE = Entry(step="work", outcome="done")


def test_an_action_that_fails_less_often_than_it_is_tried_is_done():
    trial = run(calling(), Entry(step="call", fail=4), DONE)
    assert of_the_call(trial) == [
        "opened",
        *(f"attempt {attempt} of 5 failed" for attempt in (1, 2, 3, 4)),
        "ended: done",
    ]
    assert (trial.ended, codes(trial)) == ("completed", [])


def test_an_action_whose_attempts_all_fail_leaves_by_failed():
    trial = run(calling(retry={"attempts": 2}), Entry(at=later(hours=1), step="call", fail=2), DONE)
    assert of_the_call(trial) == ["opened", "attempt 1 of 2 failed", "attempt 2 of 2 failed", "ended: failed"]
    assert (trial.ended, len(trial.actions)) == ("rejected", 1)


def test_without_a_way_for_it_the_failure_is_an_incident():
    trial = run(single(action("say")), Entry(step="say", fail=1))
    assert path(trial)[-2:] == [("say", "attempt 1 of 1 failed"), ("say", "incident")]
    assert codes(trial) == [("incident", None)]
    assert trial.problems[0].message == "say: It failed 1 times, as the script says."


def test_one_instance_can_fail_and_the_others_are_done():
    trial = run(single(action("say", count=3)), Entry(step="say", instance=1, fail=1))
    assert [waits["instance"] for waits in trial.waiting] == [1]
    assert codes(trial) == [("incident", None)]


def test_what_an_action_would_set_is_not_set_where_it_fails():
    setting = action("say", action="set_fields", **{"with": {"fields": {"amount": "1.0"}}})
    source = document(
        [setting, task("work", count="int(request.data.amount)")],
        [arrow("start", "say"), arrow("say", "work"), arrow("say", "work", outcome="failed"), arrow("work", "paid")],
    )
    assert len(run(source).waiting) == 1
    assert len(run(source, Entry(step="say", fail=1)).waiting) == 500


def test_only_an_action_can_be_let_fail():
    trial = run(calling(), Entry(step="work", fail=1))
    assert codes(trial) == [("not_possible", 0)]


def test_a_walk_over_many_instances_stops_where_it_has_cost_enough():
    entries = (Entry(step="work", instance=index, outcome="done") for index in range(1_000))
    trial = run(single(task(count=1_000)), *entries)
    (problem,) = trial.problems
    assert (problem.code, trial.ended) == ("too_much_work", None)
    done = sum(event.startswith("instance") and "ended" in event for _, event in path(trial))
    assert done == MOST_WORK // 1_001
