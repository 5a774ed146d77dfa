"""Random triggers on random documents: what always holds, and the same moves in an independent, naive token game."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from apps.core.errors import TransitionNotAllowed
from apps.workflows.engine import effects, triggers
from apps.workflows.engine.document import check_document, compile_document
from apps.workflows.engine.marking import Marking
from apps.workflows.engine.planner import Plan, TraceKind, plan
from apps.workflows.engine.problems import Severity
from tests.engine.documents import LINE, NOW, POLICY, arrow, document, task, wait

SHAPES: dict[str, dict[str, Any]] = {
    "task": {"kind": "task", "assign": {"requester": True}, "outcomes": [{"id": "x"}, {"id": "y"}]},
    "approval": {"kind": "approval", "policy": POLICY},
    "never": {"kind": "approval", "policy": {"levels": [LINE], "return": "never"}},
    "action": {"kind": "action", "action": "comment", "with": {"text": "Hi"}},
    "fields": {"kind": "action", "action": "set_fields", "with": {"fields": {"f": "request.data.a + 1"}}},
    "choice": {"kind": "choice"},
    "timer": {"kind": "wait", "for": {"seconds": 5}},
    "until": {"kind": "wait", "for": {"until": "request.data.a"}},
    "message": {"kind": "wait", "for": {"message": "m", "key": "string(request.data.a)"}},
    "kept": {"kind": "wait", "for": {"message": "m", "keep": True}},
}
OUTCOMES = {"task": ["x", "y"], "approval": ["approved", "rejected", "returned"], "never": ["approved", "rejected"]}
GUARDS = ["request.data.a > 1", "request.data.b == 'x'", "true", "false", "request.data.nothing", "visit.step == 's0'"]


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Up to six steps of any kind, with arrows to anywhere, that pass the check."""
    shapes = draw(st.lists(st.sampled_from(list(SHAPES)), min_size=1, max_size=6))
    targets = st.sampled_from([*(f"s{index}" for index in range(len(shapes))), "paid", "no"])
    arrows = [arrow("start", "s0")]
    for index, shape in enumerate(shapes):
        name = f"s{index}"
        following = f"s{index + 1}" if index + 1 < len(shapes) else "paid"
        if shape == "choice":
            arrows.append(arrow(name, draw(targets), when=draw(st.sampled_from(GUARDS))))
            arrows.append(arrow(name, following, otherwise=True))
            continue
        outcomes = OUTCOMES.get(shape, ["failed"] if shape == "action" and draw(st.booleans()) else [])
        own = outcomes if shape == "action" else outcomes[1:]
        arrows += [arrow(name, draw(targets), outcome=outcome) for outcome in own]
        arrows.append(arrow(name, following))
    source = document([{"id": f"s{index}", **SHAPES[shape]} for index, shape in enumerate(shapes)], arrows)
    assume(not [problem for problem in check_document(source) if problem.severity is Severity.ERROR])
    return source


VISITS = st.integers(1, 25)
ANY_TRIGGER = st.one_of(
    st.builds(triggers.Start, at=st.none() | st.sampled_from(["s0", "nowhere"])),
    st.builds(triggers.Begin, visit=VISITS),
    st.builds(triggers.Complete, visit=VISITS, outcome=st.sampled_from(["x", "y", "approved", "returned", "zap"])),
    st.builds(triggers.TimerFired, visit=VISITS),
    st.builds(triggers.Message, name=st.sampled_from(["m", "n"]), key=st.sampled_from(["", "1"])),
    st.builds(triggers.ActionDone, visit=VISITS),
    st.builds(triggers.ActionFailed, visit=VISITS, reason=st.just("no")),
    st.builds(triggers.Retry, visit=VISITS),
)
LIKELY = st.sampled_from(["x", "y", "approved", "rejected", "returned", "timer", "done", "failed", "message", "retry"])
DATA = st.fixed_dictionaries({}, optional={"a": st.sampled_from([0, 1, 2, "t", NOW]), "b": st.sampled_from(["x", 1])})


def likely(word: str, marking: Marking) -> triggers.Trigger:
    """A trigger that probably fits what is open."""
    visits = marking.open_visits()
    visit = visits[0].id if visits else 1
    fitting: dict[str, triggers.Trigger] = {
        "timer": triggers.TimerFired(visit=visit),
        "done": triggers.ActionDone(visit=visit),
        "failed": triggers.ActionFailed(visit=visit, reason="no"),
        "message": triggers.Message(name="m", key=(visits[0].key or "") if visits else ""),
        "retry": triggers.Retry(visit=visit),
    }
    return fitting.get(word, triggers.Complete(visit=visit, outcome=word))


def assert_holds(before: Marking, done: Plan) -> None:
    """What every plan keeps to."""
    marking = done.marking
    assert Marking.from_json(json.loads(json.dumps(marking.to_json()))) == marking
    numbers = [token.id for token in marking.tokens] + [visit.id for visit in marking.open_visits()]
    assert len(set(numbers)) == len(numbers)
    assert all(number < marking.next for number in numbers)
    assert all(len(token.visits) == 1 for token in marking.tokens)
    assert all(visit.step == token.step for token in marking.tokens for visit in token.visits)
    finished = [effect for effect in done.effects if isinstance(effect, effects.Finish)]
    assert len(finished) == bool((before.tokens or not before.started) and not marking.tokens and marking.started)
    opened = {entry.visit for entry in done.trace if entry.kind is TraceKind.OPENED}
    closed = {entry.visit for entry in done.trace if entry.kind in (TraceKind.ENDED, TraceKind.WITHDRAWN)}
    were_open = {visit.id for visit in before.open_visits()}
    assert closed <= were_open | opened
    assert {visit.id for visit in marking.open_visits()}.isdisjoint(closed)


@given(documents(), DATA, st.lists(st.one_of(ANY_TRIGGER, LIKELY), max_size=25), st.booleans())
def test_no_trigger_breaks_a_run(source, data, sent, cancel):
    definition, marking = compile_document(source), Marking.empty()
    seen = {"request": {"data": data}, "run": {}}
    script: list[Any] = [triggers.Start(), *sent, *([triggers.Cancel()] if cancel else [])]
    for entry in script:
        trigger = likely(entry, marking) if isinstance(entry, str) else entry
        try:
            done = plan(definition, marking, trigger, seen, NOW)
        except TransitionNotAllowed:
            continue
        assert done == plan(definition, marking, trigger, seen, NOW)
        assert_holds(marking, done)
        marking = Marking.from_json(done.marking.to_json())
    assert not (cancel and marking.tokens)


# an independent token game over the JSON alone, for one token and documents whose choices read one number


class NaiveGame:
    """Where one token is, read straight from the document. Nothing here comes from the engine."""

    def __init__(self, source: dict[str, Any], amount: int) -> None:
        self.steps = {step["id"]: step for step in source["steps"]}
        self.arrows, self.amount = source["transitions"], amount
        self.at, self.ended = "start", ""
        self.settle()

    def settle(self) -> None:
        for _ in range(1000):
            kind = self.steps[self.at]["kind"]
            if kind == "end":
                self.ended = self.steps[self.at]["outcome"]
            if kind not in ("start", "choice"):
                return
            out = [each for each in self.arrows if each["from"] == self.at]
            fits = [each for each in out if "when" not in each or self.amount > int(each["when"].split("> ")[1])]
            guarded = [each for each in fits if "when" in each]
            self.at = (guarded or fits)[0]["to"]

    def leave(self, outcome: str) -> bool:
        out = [each for each in self.arrows if each["from"] == self.at]
        own = [each for each in out if each.get("outcome") == outcome]
        rest = [each for each in out if "outcome" not in each]
        if self.ended or outcome not in self.outcomes():
            return False
        self.at = (own or rest)[0]["to"]
        self.settle()
        return True

    def outcomes(self) -> list[str]:
        step = self.steps[self.at]
        if step["kind"] == "approval":
            returns = step["policy"].get("return") != "never"
            return ["approved", "rejected", "returned"] if returns else ["approved", "rejected"]
        return [each["id"] for each in step.get("outcomes", [{"id": "done"}])]


GAME = {name: SHAPES[name] for name in ("task", "approval", "never", "choice", "action", "timer")}


@st.composite
def games(draw: st.DrawFn) -> dict[str, Any]:
    """Documents as above, of the kinds the naive game knows; an arrow back out of a choice leads to the first step."""
    shapes = ["task", *draw(st.lists(st.sampled_from(list(GAME)), min_size=1, max_size=8))]
    names = [f"s{index}" for index in range(len(shapes))]
    arrows = [arrow("start", "s0")]
    for index, shape in enumerate(shapes):
        following = [*names, "paid"][index + 1]
        anywhere = st.sampled_from([*names, "paid", "no"])
        if shape == "choice":
            onward = st.sampled_from(["s0", *names[index + 1 :], "paid", "no"])
            limits = draw(st.lists(st.integers(0, 5), min_size=1, max_size=3))
            arrows += [arrow(names[index], draw(onward), when=f"request.data.n > {limit}") for limit in limits]
            arrows.append(arrow(names[index], following, otherwise=True))
            continue
        arrows += [arrow(names[index], draw(anywhere), outcome=each) for each in OUTCOMES.get(shape, [])[1:]]
        arrows.append(arrow(names[index], following))
    source = document([{"id": name, **GAME[shape]} for name, shape in zip(names, shapes, strict=True)], arrows)
    assume(not [problem for problem in check_document(source) if problem.severity is Severity.ERROR])
    return source


ENDING = {
    "action": lambda visit: triggers.ActionDone(visit=visit),
    "wait": lambda visit: triggers.TimerFired(visit=visit),
}


@given(
    games(), st.integers(0, 6), st.lists(st.sampled_from(["x", "y", "approved", "rejected", "returned"]), max_size=20)
)
def test_a_run_goes_where_the_naive_game_goes(source, amount, answers):
    game, definition = NaiveGame(source, amount), compile_document(source)
    seen = {"request": {"data": {"n": amount}}, "run": {}}
    done = plan(definition, Marking.empty(), triggers.Start(), seen, NOW)
    for answer in answers:
        if game.ended:
            break
        (visit,) = done.marking.open_visits()
        by_itself = ENDING.get(definition.step(visit.step).kind)
        trigger = by_itself(visit=visit.id) if by_itself else triggers.Complete(visit=visit.id, outcome=answer)
        allowed = game.leave("done" if by_itself else answer)
        try:
            done = plan(definition, done.marking, trigger, seen, NOW)
        except TransitionNotAllowed:
            assert not allowed
        else:
            assert allowed
        assert [token.step for token in done.marking.tokens] == ([] if game.ended else [game.at])
    assert (effects.Finish(outcome=game.ended) in done.effects) == bool(game.ended)


def test_the_naive_game_ends_a_simple_document():
    source = document([task("a"), wait("b", seconds=1)], [arrow("start", "a"), arrow("a", "b"), arrow("b", "paid")])
    game = NaiveGame(source, 0)
    assert (game.leave("zap"), game.leave("done"), game.leave("done"), game.ended) == (False, True, True, "completed")
