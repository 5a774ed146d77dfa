"""The dry run: a walk from start to end, its data and actions, its bounds."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import InvalidInput
from apps.workflows.engine.document import compile_document
from apps.workflows.engine.simulation import Entry, Trial, World, simulate
from tests.engine.documents import NOW, action, arrow, choice, document, expenses, facts, single, task, wait
from tests.engine.dry_runs import START, codes, later, level, people, policy, run, waits
from tests.engine.test_token_game import documents

# a walk from start to end


def test_a_walk_tells_its_path_who_is_asked_what_runs_and_how_it_ends():
    world = World(people=people, policy=policy(level("line", "mia")))
    script = [
        Entry(at=later(hours=1), step="review", decision="approve", by="mia"),
        Entry(at=later(hours=2), step="pause", message="delivered"),
    ]
    trial = run(expenses(), *script, world=world)
    assert trial.to_json() == {
        "path": [
            {"at": START, "step": "start", "event": "passed to review"},
            {"at": START, "step": "review", "event": "opened"},
            {"at": "2026-11-23T11:00:00Z", "step": "review", "event": "mia: approve"},
            {"at": "2026-11-23T11:00:00Z", "step": "review", "event": "ended: approved"},
            {"at": "2026-11-23T11:00:00Z", "step": "big", "event": "passed to mark"},
            {"at": "2026-11-23T11:00:00Z", "step": "mark", "event": "opened"},
            {"at": "2026-11-23T11:00:00Z", "step": "mark", "event": "ended: done"},
            {"at": "2026-11-23T11:00:00Z", "step": "pause", "event": "opened"},
            {"at": "2026-11-23T12:00:00Z", "step": "pause", "event": "ended: done"},
            {"at": "2026-11-23T12:00:00Z", "step": "paid", "event": "reached"},
            {"at": "2026-11-23T12:00:00Z", "step": None, "event": "finished: completed"},
        ],
        "asked": [{"step": "review", "level": "line", "people": ["mia"]}],
        "due": [],
        "actions": [
            {"at": "2026-11-23T11:00:00Z", "step": "mark", "action": "set_fields", "with": {"fields": {"fee": 250.0}}}
        ],
        "ended": "completed",
        "waiting": [],
        "problems": [],
    }


def test_the_same_walk_gives_the_same_answer():
    script = [Entry(step="review", decision="return"), Entry(step="mend", outcome="done")]
    assert run(expenses(), *script) == run(expenses(), *script)


def test_the_facts_that_were_handed_in_are_left_as_they_were():
    seen = facts(amount=500.0)
    run(expenses(), Entry(step="review", decision="approve"), seen=seen)
    assert seen == facts(amount=500.0)


# data


def test_what_an_action_sets_is_seen_by_later_guards():
    raised = action("raise", action="set_fields", **{"with": {"fields": {"amount": "request.data.amount * 3.0"}}})
    source = document(
        [raised, choice()],
        [
            arrow("start", "raise"),
            arrow("raise", "choice"),
            arrow("choice", "no", when="request.data.amount > 1000"),
            arrow("choice", "paid", otherwise=True),
        ],
    )
    assert run(source).ended == "rejected"


def test_the_values_of_a_tasks_form_are_seen_by_later_guards():
    source = document(
        [task(form="intake"), choice()],
        [
            arrow("start", "work"),
            arrow("work", "choice"),
            arrow("choice", "paid", when="request.data.fine"),
            arrow("choice", "no", otherwise=True),
        ],
    )
    assert run(source, Entry(step="work", outcome="done", data={"fine": True})).ended == "completed"
    assert run(source, Entry(step="work", outcome="done", data={"fine": False})).ended == "rejected"


def test_the_payload_of_a_message_goes_into_the_field_it_names():
    source = document(
        [wait(message="answer", into="answer"), task(), choice()],
        [
            arrow("start", "wait"),
            arrow("wait", "work"),
            arrow("work", "choice"),
            arrow("choice", "paid", when="request.data.answer.yes"),
            arrow("choice", "no", otherwise=True),
        ],
    )
    script = [Entry(step="wait", message="answer", data={"yes": True}), Entry(step="work", outcome="done")]
    assert run(source, *script).ended == "completed"


def test_values_that_the_form_refuses_leave_the_step_open_and_the_data_alone():
    def fields(form: str | None, values: Any) -> Any:
        raise InvalidInput({"data.size": [f"{form} does not take this."]})

    source = single(task(form="intake"))
    trial = run(source, Entry(step="work", outcome="done", data={"size": 1}), world=World(people=people, fields=fields))
    assert [problem.to_json() for problem in trial.problems] == [
        {
            "code": "data_refused",
            "severity": "error",
            "step": "work",
            "transition": None,
            "message": "data.size: intake does not take this.",
            "path": "script/0",
            "entry": 0,
        }
    ]
    assert waits(trial) == {"work": {"assign": {"requester": True}, "people": ["rita"]}}


def test_an_action_whose_values_are_refused_has_failed():
    def fields(form: str | None, values: Any) -> Any:
        raise InvalidInput({"fee": ["Too much."]})

    step = action("mark", action="set_fields", **{"with": {"fields": {"fee": "1"}}})
    trial = run(single(step), world=World(fields=fields))
    assert waits(trial) == {"mark": {"incident": "fields refused: fee: Too much."}}
    assert codes(trial) == [("incident", None)]


# actions


def test_actions_are_noted_with_their_values_and_secrets_by_their_name_only():
    settings = {
        "url": "https://pay.example.org/in",
        "secret": {"secret": "payments"},
        "body": {"number": "request.number"},
    }
    trial = run(single(action("pay", action="webhook", **{"with": settings})))
    assert trial.actions == (
        {"at": START, "step": "pay", "action": "webhook", "with": {**settings, "body": {"number": "SR-1"}}},
    )
    assert trial.ended == "completed"


def test_an_assignment_that_names_nobody_has_failed():
    trial = run(single(action("give", action="assign", **{"with": {"to": {"team": "gone"}}})))
    assert [problem.message for problem in trial.problems] == ["give: {'team': 'gone'} names nobody active."]


# bounds


def test_a_loop_that_never_rests_is_stopped():
    source = document(
        [action(), choice()],
        [
            arrow("start", "act"),
            arrow("act", "choice"),
            arrow("choice", "act", when="true"),
            arrow("choice", "paid", otherwise=True),
        ],
    )
    trial = run(source)
    assert codes(trial) == [("too_many_events", None)]
    assert len(trial.path) <= 10_000


def test_what_would_be_too_large_to_show_stops_the_walk():
    grow = action("act", action="set_fields", **{"with": {"fields": {"text": "request.data.text + request.data.text"}}})
    source = document(
        [grow, choice()],
        [
            arrow("start", "act"),
            arrow("act", "choice"),
            arrow("choice", "act", when="size(request.data.text) < 100000000"),
            arrow("choice", "paid", otherwise=True),
        ],
    )
    trial = run(source, seen=facts(text="x" * 200_000))
    assert trial.problems[-1].code in ("too_large", "incident")
    assert len(json.dumps(trial.to_json())) < 4_000_000


def test_only_the_first_thousand_entries_are_applied():
    trial = run(single(task()), *[Entry(at=later(seconds=index)) for index in range(1_001)])
    assert codes(trial) == [("too_many_entries", None)]


# whatever a document and a script say


STEPS = st.sampled_from([*(f"s{index}" for index in range(6)), "paid", "start", "nowhere", "s0/s1"])
WORDS = st.sampled_from(["x", "y", "done", "approved", "approve", "reject", "return", "m", "zap"])
ENTRIES = st.builds(
    lambda step, kind, word, by, instance, after: Entry(
        **{"step": step, kind: word, "by": by, "instance": instance, "at": later(seconds=after) if after else None}
    ),
    STEPS,
    st.sampled_from(["outcome", "message", "decision"]),
    WORDS,
    st.sampled_from([None, None, "rita", "stan"]),
    st.sampled_from([None, None, 0, 7]),
    st.integers(0, 20),
)


@given(documents(), st.lists(ENTRIES, max_size=25), st.sampled_from([{}, {"a": 1}, {"a": NOW, "b": "x"}]))
def test_no_script_breaks_a_dry_run(source, script, data):
    def walk() -> Trial:
        return simulate(compile_document(source), facts(**data), script, World(people=people), now=NOW)

    trial = walk()
    assert walk() == trial
    assert json.loads(json.dumps(trial.to_json())) == trial.to_json()
    assert (trial.ended is None) == bool(trial.waiting)
    times = [told["at"] for told in trial.path]
    assert times == sorted(times)
