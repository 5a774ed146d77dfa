"""Steps with instances on the planner alone: what one trigger costs, and instances that are over at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from apps.workflows.engine import effects, triggers
from apps.workflows.engine.definition import Definition
from apps.workflows.engine.document import compile_document
from apps.workflows.engine.marking import InstanceStatus, Marking
from apps.workflows.engine.planner import Plan, TraceKind, plan
from tests.engine.documents import NOW, arrow, document, facts, single, task, wait


def send(definition: Definition, marking: Marking, trigger: triggers.Trigger) -> Plan:
    return plan(definition, marking, trigger, facts(), NOW)


def calls_of(act: Callable[[], object]) -> int:
    """How many Python functions an act calls; each step of a generator counts as one."""
    count = 0

    def note(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


def calls_of_the_last_answers(instances: int, **step: Any) -> int:
    """The calls of one answer where a tenth of the instances is still unfinished."""
    definition = compile_document(single(task(count=instances, **step)))
    marking = send(definition, Marking.empty(), triggers.Start()).marking
    (visit,) = marking.open_visits()
    answers = [
        triggers.Complete(visit=visit.id, outcome="done", instance=index) for index in range(instances * 9 // 10 + 1)
    ]
    for answer in answers[:-1]:
        marking = send(definition, marking, answer).marking
    return calls_of(lambda: send(definition, marking, answers[-1]))


@pytest.mark.parametrize(
    "step",
    [{}, {"mode": "sequence"}, {"done_when": "instances.completed > 5000"}, {"open_ended": True}],
    ids=["parallel", "sequence", "done_when", "open_ended"],
)
def test_an_answer_costs_at_most_one_look_at_each_instance(step):
    few, many = calls_of_the_last_answers(30, **step), calls_of_the_last_answers(300, **step)
    assert many - few <= 3 * 270


def test_the_instances_of_a_sequence_open_one_by_one_and_those_over_at_once_are_passed():
    keeping = wait("hear", message="go", keep=True)
    source = document(
        [task(), {**keeping, "count": 3, "mode": "sequence"}],
        [arrow("start", "work"), arrow("work", "hear"), arrow("hear", "paid")],
    )
    definition = compile_document(source)
    marking = send(definition, Marking.empty(), triggers.Start()).marking
    for _ in range(2):
        marking = send(definition, marking, triggers.Message(name="go")).marking
    (visit,) = marking.open_visits()
    planned = send(definition, marking, triggers.Complete(visit=visit.id, outcome="done"))
    (heard,) = planned.marking.open_visits()
    assert [part.status for part in heard.instances or ()] == [
        InstanceStatus.DONE,
        InstanceStatus.DONE,
        InstanceStatus.BEGUN,
    ]
    assert [effect.instance for effect in planned.effects if isinstance(effect, effects.AwaitMessage)] == [2]
    assert planned.marking.kept == ()


def test_a_hundred_instances_that_are_over_at_once_end_the_step():
    keeping = wait("hear", message="go", keep=True)
    source = document(
        [task(), {**keeping, "count": 100}], [arrow("start", "work"), arrow("work", "hear"), arrow("hear", "paid")]
    )
    definition = compile_document(source)
    marking = send(definition, Marking.empty(), triggers.Start()).marking
    for _ in range(100):
        marking = send(definition, marking, triggers.Message(name="go")).marking
    (visit,) = marking.open_visits()
    planned = send(definition, marking, triggers.Complete(visit=visit.id, outcome="done"))
    told = [entry.kind for entry in planned.trace]
    assert told.count(TraceKind.INSTANCE_ENDED) == 100
    assert (told[-1], planned.marking.tokens) == (TraceKind.FINISHED, ())


def test_withdrawing_the_rest_takes_back_what_is_open_only():
    definition = compile_document(single(task(count=4, mode="sequence", done_when="true", cancel_rest=True)))
    planned = send(definition, Marking.empty(), triggers.Start())
    assert planned.effects == (
        effects.OpenTask(visit=3, step="work", instance=0),
        effects.WithdrawTask(visit=3, step="work", instance=0),
        effects.Finish(outcome="completed"),
    )
