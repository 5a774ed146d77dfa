"""The planner: the way through, guards that fail, the end, loops."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.errors import TransitionNotAllowed
from apps.workflows.engine import effects, triggers
from apps.workflows.engine.definition import Definition
from apps.workflows.engine.document import compile_document
from apps.workflows.engine.marking import Marking, Token, Visit
from apps.workflows.engine.planner import TraceEntry, TraceKind, current_stage, open_steps, plan
from tests.engine.documents import EXPENSES, FACTS, NOW, arrow, document, facts, join, single, split, task, wait
from tests.engine.runs import COMMENT, Run, assert_refused

# the way through


def test_a_run_starts_at_its_start_and_opens_the_first_step():
    run = Run(EXPENSES)
    assert run.plan.effects == (effects.OpenApproval(visit=3, step="review"),)
    assert run.plan.trace == (
        TraceEntry(kind=TraceKind.PASSED, step="start", token=1, transition=0),
        TraceEntry(kind=TraceKind.OPENED, step="review", visit=3, token=1),
        TraceEntry(kind=TraceKind.BEGUN, step="review", visit=3, token=1),
    )
    visit = Visit(id=3, step="review", begun=True)
    token = Token(id=1, step="review", came_from="start", seq=2, visits=(visit,))
    assert run.plan.marking == Marking(tokens=(token,), next=4)


def test_a_small_amount_goes_all_the_way():
    run = Run(EXPENSES)
    run.complete("approved")
    fields = {"fields": {"fee": 250.0}}
    assert run.plan.effects == (effects.RunAction(visit=6, step="mark", action="set_fields", settings=fields),)
    run.send(triggers.ActionDone(visit=run.visit))
    assert run.plan.effects == (effects.AwaitMessage(visit=8, step="pause", name="delivered", key="SR-1"),)
    run.send(triggers.Message(name="delivered", key="SR-1"))
    assert run.told() == [
        ("ended", "pause", "done"),
        ("passed", "paid", "completed"),
        ("finished", None, "completed"),
    ]
    assert run.plan.effects == (effects.Finish(outcome="completed"),)
    assert run.plan.marking.tokens == ()


def test_a_choice_takes_the_first_arrow_in_document_order_whose_guard_holds():
    steps = [{"id": "size", "kind": "choice"}, task("small"), task("large"), task("huge")]
    arrows = [
        arrow("start", "size"),
        arrow("size", "small", otherwise=True),
        arrow("size", "large", when="request.data.amount > 100"),
        arrow("size", "huge", when="request.data.amount > 1000"),
        *(arrow(step, "paid") for step in ("small", "large", "huge")),
    ]
    source = document(steps, arrows)
    assert [Run(source, facts(amount=amount)).at for amount in (100, 101, 1001)] == [["small"], ["large"], ["large"]]


def test_a_loop_back_opens_a_new_visit_of_the_step():
    run = Run(EXPENSES)
    run.complete("returned")
    assert run.at == ["mend"]
    run.complete("done")
    assert run.plan.effects == (effects.OpenApproval(visit=7, step="review"),)


def test_a_run_can_start_at_the_step_to_reopen_at():
    run = Run(EXPENSES, at="board")
    assert run.plan.effects == (effects.OpenApproval(visit=2, step="board"),)
    with pytest.raises(TransitionNotAllowed, match="no such step"):
        Run(EXPENSES, at="nowhere")


def test_open_steps_and_the_stage_follow_the_tokens():
    run = Run(EXPENSES)
    assert [step.id for step in open_steps(run.definition, run.plan.marking)] == ["review"]
    assert current_stage(run.definition, run.plan.marking) == "approval"
    run.send(triggers.Cancel())
    assert open_steps(run.definition, run.plan.marking) == ()
    assert current_stage(run.definition, run.plan.marking) is None


# guards that fail


CHOOSING = document(
    [task(), {"id": "big", "kind": "choice"}],
    [
        arrow("start", "work"),
        arrow("work", "big"),
        arrow("big", "no", when="request.data.amount > 1000"),
        arrow("big", "paid", otherwise=True),
    ],
)


def test_a_guard_that_fails_is_an_incident_at_its_step_and_the_trigger_is_accepted():
    run = Run(CHOOSING, facts())
    run.complete("done")
    (effect,) = run.plan.effects
    assert isinstance(effect, effects.RaiseIncident)
    assert (effect.visit, effect.step, effect.guard) == (run.visit, "big", "request.data.amount > 1000")
    assert effect.reason == '"amount" is empty or not there.'
    assert run.told() == [("begun", "work", None), ("ended", "work", "done"), ("incident", "big", None)]
    assert run.at == ["big"]


def test_retry_continues_where_the_guard_failed():
    run = Run(CHOOSING, facts())
    run.complete("done")
    incident = run.visit
    run.send(triggers.Retry(visit=incident))
    assert [type(effect) for effect in run.plan.effects] == [effects.RaiseIncident]
    run.facts = facts(amount=5)
    run.send(triggers.Retry(visit=run.visit))
    assert run.plan.effects == (effects.Finish(outcome="completed"),)


def test_a_visit_in_incident_takes_nothing_from_people_but_can_be_cancelled():
    run = Run(CHOOSING, facts())
    run.complete("done")
    assert_refused(run, triggers.Complete(visit=run.visit, outcome="done"), "waits for an operator")
    assert_refused(run, triggers.Begin(visit=run.visit), "waits for an operator")
    run.send(triggers.Cancel())
    assert run.plan.effects == (effects.Finish(outcome="cancelled"),)
    assert run.told() == [("finished", None, "cancelled")]


# the end


@pytest.mark.parametrize(
    ("step", "withdrawn"),
    [
        (task("it"), (effects.WithdrawTask(visit=3, step="it"),)),
        (wait("it", seconds=5), (effects.WithdrawTimer(visit=3, step="it"),)),
        (wait("it", message="paid"), ()),
        ({**COMMENT, "id": "it"}, (effects.WithdrawAction(visit=3, step="it"),)),
    ],
)
def test_cancel_withdraws_what_is_open(step, withdrawn):
    run = Run(single(step))
    run.send(triggers.Cancel())
    assert run.plan.effects == (*withdrawn, effects.Finish(outcome="cancelled"))
    assert run.told() == [("withdrawn", "it", None), ("finished", None, "cancelled")]
    assert run.plan.marking.tokens == ()


def test_cancel_withdraws_an_approval():
    run = Run(EXPENSES)
    run.send(triggers.Cancel())
    assert run.plan.effects == (
        effects.WithdrawApproval(visit=3, step="review"),
        effects.Finish(outcome="cancelled"),
    )


def two_tokens(*, terminate: bool) -> tuple[Definition, Marking]:
    """Two tasks at once, as a split will leave them."""
    source = document(
        [task("a", outcomes=[{"id": "yes"}, {"id": "no"}]), task("b")],
        [arrow("start", "a"), arrow("a", "b", outcome="no"), arrow("a", "no"), arrow("b", "bare")],
    )
    source["steps"][-1]["terminate"] = terminate
    source["steps"].append({"id": "bare", "kind": "end"})
    tokens = tuple(
        Token(id=number, step=step, came_from="start", seq=number, visits=(Visit(id=number + 2, step=step),))
        for number, step in [(1, "a"), (2, "b")]
    )
    return compile_document(source), Marking(tokens=tokens, next=5)


def test_a_terminating_end_withdraws_everything_else_and_decides():
    definition, marking = two_tokens(terminate=True)
    done = plan(definition, marking, triggers.Complete(visit=3, outcome="yes"), FACTS, NOW)
    assert done.effects == (effects.WithdrawTask(visit=4, step="b"), effects.Finish(outcome="rejected"))
    assert done.marking.tokens == ()


def test_the_run_ends_with_its_last_token_and_the_last_outcome_that_was_reached():
    definition, marking = two_tokens(terminate=False)
    first = plan(definition, marking, triggers.Complete(visit=3, outcome="yes"), FACTS, NOW)
    assert first.effects == ()
    stored = Marking.from_json(first.marking.to_json())
    second = plan(definition, stored, triggers.Complete(visit=4, outcome="done"), FACTS, NOW)
    assert second.effects == (effects.Finish(outcome="rejected"),)


def test_a_run_that_reached_no_end_with_an_outcome_is_cancelled():
    source = single(task())
    del source["steps"][-1]["outcome"]
    run = Run(source)
    run.complete("done")
    assert run.plan.effects == (effects.Finish(outcome="cancelled"),)


# loops and standstill


def circling() -> dict[str, Any]:
    return document(
        [task(), {"id": "a", "kind": "choice"}, task("b", count=0)],
        [
            arrow("start", "work"),
            arrow("work", "a"),
            arrow("a", "b", when="request.data.again"),
            arrow("a", "paid", otherwise=True),
            arrow("b", "a"),
        ],
    )


def test_a_runaway_loop_is_undone_and_the_token_rests_where_the_trigger_put_it():
    run = Run(circling(), facts(again=True))
    run.complete("done")
    (effect,) = run.plan.effects
    reason = "A loop made more than 1,000 automatic moves and was stopped."
    assert effect == effects.RaiseIncident(visit=run.visit, step="a", guard=None, reason=reason)
    assert run.told() == [("begun", "work", None), ("ended", "work", "done"), ("incident", "a", None)]
    assert run.plan.marking.next < 10
    run.facts = facts(again=False)
    run.send(triggers.Retry(visit=run.visit))
    assert run.plan.effects == (effects.Finish(outcome="completed"),)


@pytest.mark.parametrize(("messages", "goes"), [(500, True), (501, False)])
def test_exactly_a_thousand_automatic_moves_are_allowed(messages, goes):
    """A wait passes at once where its message was kept: a loop of two moves for each early message."""
    source = document(
        [task(), wait("loop", message="go", keep=True)],
        [arrow("start", "work"), arrow("work", "loop"), arrow("loop", "again"), arrow("again", "loop", when="true")],
    )
    source["steps"].append({"id": "again", "kind": "choice"})
    source["transitions"].append(arrow("again", "paid", otherwise=True))
    source["steps"].append({"id": "paid", "kind": "end", "outcome": "completed"})
    run = Run(source)
    run.stored["kept"] = [{"name": "go", "key": ""}] * messages
    run.complete("done")
    wanted = effects.AwaitMessage if goes else effects.RaiseIncident
    assert [type(effect) for effect in run.plan.effects] == [wanted]


def test_tokens_that_nothing_can_move_are_an_incident_that_names_their_steps():
    source = document(
        [split("two"), task("a"), task("b"), join("both")],
        [
            arrow("start", "two"),
            arrow("two", "a"),
            arrow("two", "b"),
            arrow("a", "both"),
            arrow("b", "both"),
            arrow("both", "paid"),
        ],
    )
    run = Run(source)
    first, second = (visit.id for visit in run.plan.marking.open_visits())
    run.send(triggers.Complete(visit=first, outcome="done"))
    run.send(triggers.CancelVisit(visit=second))
    reason = "The run is stuck: tokens wait at both, and nothing can move them."
    assert run.plan.effects[-1] == effects.RaiseIncident(visit=None, step="both", guard=None, reason=reason)


@pytest.mark.parametrize("trigger", [triggers.TimerFired(visit=1), triggers.ActionDone(visit=1)])
def test_a_run_that_has_not_started_ends_by_nothing(trigger):
    done = plan(compile_document(EXPENSES), Marking.empty(), trigger, FACTS, NOW)
    assert (done.effects, done.marking) == ((), Marking.empty())


@pytest.mark.parametrize("trigger", [triggers.Message(name="x"), triggers.Cancel(), triggers.Begin(visit=1)])
def test_a_run_that_has_not_started_takes_nothing_from_people(trigger):
    with pytest.raises(TransitionNotAllowed):
        plan(compile_document(EXPENSES), Marking.empty(), trigger, FACTS, NOW)
