from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.core.errors import TransitionNotAllowed
from apps.workflows.engine import effects, triggers
from apps.workflows.engine.definition import Definition
from apps.workflows.engine.document import compile_document
from apps.workflows.engine.marking import Kept, Marking, Token, Visit
from apps.workflows.engine.planner import Plan, TraceEntry, TraceKind, current_stage, open_steps, plan
from tests.engine.documents import (
    EXPENSES,
    FACTS,
    NOW,
    arrow,
    choice,
    document,
    facts,
    join,
    single,
    split,
    task,
    wait,
)


class Run:
    """A run that is stored as JSON between all steps."""

    def __init__(self, source: dict[str, Any], given: dict[str, Any] | None = None, *, at: str | None = None) -> None:
        self.definition: Definition = compile_document(source)
        self.facts = given or FACTS
        self.stored: dict[str, Any] = {}
        self.plan = self.send(triggers.Start(at=at))

    def send(self, trigger: triggers.Trigger) -> Plan:
        self.plan = plan(self.definition, Marking.from_json(self.stored), trigger, self.facts, NOW)
        self.stored = self.plan.marking.to_json()
        return self.plan

    @property
    def visit(self) -> int:
        (visit,) = self.plan.marking.open_visits()
        return visit.id

    @property
    def at(self) -> list[str]:
        return [token.step for token in self.plan.marking.tokens]

    def told(self) -> list[tuple[str, str | None, str | None]]:
        return [(entry.kind.value, entry.step, entry.outcome) for entry in self.plan.trace]

    def complete(self, outcome: str) -> Plan:
        return self.send(triggers.Complete(visit=self.visit, outcome=outcome))


def assert_refused(run: Run, trigger: triggers.Trigger, message: str) -> None:
    before = dict(run.stored)
    with pytest.raises(TransitionNotAllowed, match=message):
        run.send(trigger)
    assert run.stored == before


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


# tasks

BUTTONS = task(outcomes=[{"id": "ship", "by": {"role": "fulfiller"}, "comment": "required"}, {"id": "drop"}])
SHIPPING = document([BUTTONS], [arrow("start", "work"), arrow("work", "no", outcome="drop"), arrow("work", "paid")])


def test_an_outcome_takes_its_own_arrow_else_the_one_without_outcome():
    run = Run(SHIPPING)
    run.complete("ship")
    assert run.plan.effects == (effects.Finish(outcome="completed"),)
    run = Run(SHIPPING)
    run.complete("drop")
    assert run.plan.effects == (effects.Finish(outcome="rejected"),)


def test_a_task_is_begun_when_somebody_takes_it_up_and_only_once():
    run = Run(SHIPPING)
    assert run.told() == [("passed", "start", None), ("opened", "work", None)]
    run.send(triggers.Begin(visit=run.visit))
    assert run.told() == [("begun", "work", None)]
    run.send(triggers.Begin(visit=run.visit))
    assert run.told() == [("ignored", "work", None)]
    run.complete("ship")
    assert run.told()[0] == ("ended", "work", "ship")


def test_completing_a_task_begins_it():
    run = Run(SHIPPING)
    run.complete("drop")
    assert run.told()[:2] == [("begun", "work", None), ("ended", "work", "drop")]


def test_an_outcome_that_does_not_exist_is_refused_with_the_ones_that_do():
    run = Run(SHIPPING)
    trigger = triggers.Complete(visit=run.visit, outcome="done")
    assert_refused(run, trigger, r"Step 'work' \(visit 3\) has no outcome 'done', only ship, drop")


def test_a_persons_late_trigger_is_refused_and_changes_nothing():
    run = Run(SHIPPING)
    late = run.visit
    run.complete("ship")
    assert_refused(run, triggers.Complete(visit=late, outcome="ship"), "Visit 3 is not open")
    assert_refused(run, triggers.Begin(visit=late), "Visit 3 is not open")
    assert_refused(run, triggers.Retry(visit=late), "Visit 3 is not open")
    assert_refused(run, triggers.Cancel(), "not open")
    assert_refused(run, triggers.Start(), "already started")


@pytest.mark.parametrize(
    "trigger",
    [triggers.TimerFired(visit=3), triggers.ActionDone(visit=3), triggers.ActionFailed(visit=3, reason="no")],
)
def test_a_machines_late_trigger_is_ignored_and_traced(trigger):
    run = Run(SHIPPING)
    run.complete("ship")
    before = run.stored
    run.send(trigger)
    assert run.plan.trace == (TraceEntry(kind=TraceKind.IGNORED, visit=3),)
    assert (run.stored, run.plan.effects) == (before, ())


@pytest.mark.parametrize(
    "trigger",
    [
        triggers.TimerFired(visit=3),
        triggers.ActionDone(visit=3),
        triggers.ActionFailed(visit=3, reason="no"),
        triggers.Retry(visit=3),
    ],
)
def test_a_trigger_that_the_step_cannot_take_is_refused(trigger):
    assert_refused(Run(SHIPPING), trigger, "visit 3|Visit 3")


# approvals


@pytest.mark.parametrize("trigger", [triggers.Begin(visit=3), triggers.Complete(visit=3, outcome="expired")])
def test_an_approval_has_only_the_outcomes_of_its_policy(trigger):
    assert_refused(Run(EXPENSES), trigger, r"Step 'review' \(visit 3\)")


# actions

COMMENT = {"id": "say", "kind": "action", "action": "comment", "with": {"text": "Hello"}}


def test_an_action_that_fails_for_good_is_an_incident_and_retry_runs_it_again():
    run = Run(single(COMMENT))
    visit = run.visit
    run.send(triggers.ActionFailed(visit=visit, reason="no answer"))
    assert run.plan.effects == (effects.RaiseIncident(visit=visit, step="say", guard=None, reason="no answer"),)
    run.send(triggers.ActionFailed(visit=visit, reason="no answer"))
    assert (run.told(), run.plan.effects) == ([("ignored", "say", None)], ())
    run.send(triggers.Retry(visit=visit))
    assert run.plan.effects == (
        effects.RunAction(visit=visit, step="say", action="comment", settings={"text": "Hello"}),
    )
    run.send(triggers.ActionDone(visit=visit))
    assert run.plan.effects == (effects.Finish(outcome="completed"),)


def test_an_action_that_fails_takes_its_arrow_if_it_has_one():
    source = document([COMMENT], [arrow("start", "say"), arrow("say", "no", outcome="failed"), arrow("say", "paid")])
    run = Run(source)
    run.send(triggers.ActionFailed(visit=run.visit, reason="no answer"))
    assert run.plan.effects == (effects.Finish(outcome="rejected"),)


def set_fields(**fields: str) -> dict[str, Any]:
    return {"id": "set", "kind": "action", "action": "set_fields", "with": {"fields": fields}}


def test_fields_are_set_to_json_and_a_point_in_time_becomes_text():
    run = Run(single(set_fields(at="now", list="[1, 2.5]", none="null", who="visit.step")))
    (effect,) = run.plan.effects
    assert effect.settings == {
        "fields": {"at": "2026-11-23T10:00:00+00:00", "list": [1, 2.5], "none": None, "who": "set"}
    }


@pytest.mark.parametrize("expression", ["duration('1h')", "1.0 / 0.0", "b'x'", "1 / 0", "request.data.missing"])
def test_a_field_that_cannot_be_computed_is_an_incident_before_anything_ran(expression):
    run = Run(single(set_fields(x=expression)))
    (effect,) = run.plan.effects
    assert (effect.visit, effect.step, effect.guard) == (run.visit, "set", expression)
    assert run.told()[1:] == [("opened", "set", None), ("incident", "set", None)]


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
    assert effect.reason == 'NOT_FOUND: Key not found in map : "amount"'
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


# waits


def test_each_sort_of_timer_is_asked_for_as_the_document_says():
    tomorrow = NOW + timedelta(days=1)
    table = [
        ({"seconds": 60}, {"seconds": 60}),
        ({"business_seconds": 28800, "calendar": "nl"}, {"business_seconds": 28800, "calendar": "nl"}),
        ({"until": "request.data.due"}, {"until": tomorrow}),
    ]
    for spec, wanted in table:
        run = Run(single(wait(**spec)), facts(due=tomorrow))
        assert run.plan.effects == (effects.OpenTimer(visit=3, step="wait", **wanted),)
        run.send(triggers.TimerFired(visit=3))
        assert run.plan.effects == (effects.Finish(outcome="completed"),)


def test_a_wait_until_something_that_is_no_time_is_an_incident_and_retry_opens_the_timer():
    run = Run(single(wait(until="request.data.due")), facts(due="soon"))
    assert [type(effect) for effect in run.plan.effects] == [effects.RaiseIncident]
    run.facts = facts(due=datetime(2027, 1, 1, tzinfo=UTC))
    run.send(triggers.Retry(visit=3))
    assert run.plan.effects == (effects.OpenTimer(visit=3, step="wait", until=datetime(2027, 1, 1, tzinfo=UTC)),)
    assert run.told() == [("begun", "wait", None)]


def test_a_message_wait_has_no_timer():
    assert_refused(Run(single(wait(message="paid"))), triggers.TimerFired(visit=3), "has no timer")


def test_a_message_with_another_name_or_key_wakes_nobody_and_is_lost():
    run = Run(single(wait(message="paid", key="request.number")))
    for name, key in [("paid", "SR-2"), ("sent", "SR-1")]:
        run.send(triggers.Message(name=name, key=key))
        assert run.plan.trace == (TraceEntry(kind=TraceKind.LOST),)
    run.send(triggers.Message(name="paid", key="SR-1"))
    assert run.plan.effects == (effects.Finish(outcome="completed"),)


def test_the_key_of_a_message_is_that_of_the_moment_the_wait_opened():
    run = Run(single(wait(message="paid", key="request.data.order")), facts(order=7))
    run.facts = facts(order=8)
    run.send(triggers.Message(name="paid", key="8"))
    assert run.at == ["wait"]
    run.send(triggers.Message(name="paid", key="7"))
    assert run.at == []


@pytest.mark.parametrize("key", ["true", "1.5", "[1]", "request.data.missing"])
def test_a_key_that_is_no_text_and_no_number_is_an_incident(key):
    (effect,) = Run(single(wait(message="paid", key=key))).plan.effects
    assert isinstance(effect, effects.RaiseIncident)


def keeping(**spec: Any) -> dict[str, Any]:
    return document(
        [task(), wait("first", message="paid", **spec), wait("second", message="paid", **spec)],
        [arrow("start", "work"), arrow("work", "first"), arrow("first", "second"), arrow("second", "paid")],
    )


def test_an_early_message_is_kept_where_a_wait_says_so_and_is_used_once():
    run = Run(keeping(keep=True))
    run.send(triggers.Message(name="paid"))
    assert run.plan.trace == (TraceEntry(kind=TraceKind.KEPT),)
    assert run.plan.marking.kept == (Kept(name="paid", key=""),)
    run.complete("done")
    assert run.at == ["second"]
    assert run.plan.marking.kept == ()
    assert run.plan.effects == (effects.AwaitMessage(visit=run.visit, step="second", name="paid", key=""),)


def test_an_early_message_is_lost_where_no_wait_keeps_it():
    run = Run(keeping())
    run.send(triggers.Message(name="paid"))
    assert run.plan.trace == (TraceEntry(kind=TraceKind.LOST),)
    run.complete("done")
    assert run.at == ["first"]


def test_two_early_messages_open_two_waits():
    run = Run(keeping(keep=True))
    run.send(triggers.Message(name="paid"))
    run.send(triggers.Message(name="paid"))
    run.complete("done")
    assert run.plan.effects == (effects.Finish(outcome="completed"),)


def test_a_message_after_the_end_is_lost():
    run = Run(keeping(keep=True))
    run.send(triggers.Cancel())
    run.send(triggers.Message(name="paid"))
    assert run.plan.trace == (TraceEntry(kind=TraceKind.LOST),)


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


def test_a_guard_behind_a_message_sees_what_the_message_brought():
    source = document(
        [wait("answer", message="said", into="answer"), choice("which")],
        [
            arrow("start", "answer"),
            arrow("answer", "which"),
            arrow("which", "paid", when="request.data.answer == 'yes'"),
            arrow("which", "no", otherwise=True),
        ],
    )
    run = Run(source)
    run.send(triggers.Message(name="said", payload="yes"))
    fields = effects.SetFields(visit=3, step="answer", fields={"answer": "yes"})
    assert run.plan.effects == (fields, effects.Finish(outcome="completed"))
