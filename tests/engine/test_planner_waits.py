"""The planner at waits: timers, messages, early messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.workflows.engine import effects, triggers
from apps.workflows.engine.marking import Kept
from apps.workflows.engine.planner import TraceEntry, TraceKind
from tests.engine.documents import NOW, arrow, choice, document, facts, single, task, wait
from tests.engine.runs import Run, assert_refused


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
