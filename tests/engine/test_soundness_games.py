"""Random documents: nested blocks are accepted; what is called sound is so for an independent game and in real runs."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import TransitionNotAllowed
from apps.workflows.engine import effects, triggers
from apps.workflows.engine.definition import Definition
from apps.workflows.engine.document import compile_document
from apps.workflows.engine.marking import Marking, Visit
from apps.workflows.engine.planner import Plan, plan
from apps.workflows.engine.soundness import explore
from apps.workflows.engine.soundness.ends import outcomes
from apps.workflows.engine.soundness.findings import findings
from apps.workflows.engine.soundness.frame import Frame
from apps.workflows.engine.soundness.model import model_of
from apps.workflows.engine.soundness.search import Budget, search
from apps.workflows.engine.soundness.side import apart
from tests.engine.documents import NOW, arrow, choice, document, split, task
from tests.engine.naive_game import Game, TooLarge, Verdict
from tests.engine.random_documents import fits, mutated, structured

MOST = 3_000
SEEDS = st.integers(0, 2**32)


@given(SEEDS, st.integers(4, 30))
def test_nested_blocks_are_sound(seed, steps):
    source = structured(Random(seed), steps=steps)
    assert fits(source)
    found = explore(compile_document(source))
    assert (found.verified, found.problems) == (True, ())


@given(SEEDS, st.booleans())
def test_blocks_that_count_as_one_step_change_no_verdict(seed, plain):
    source = mutated(Random(seed), plain=plain)
    main, _ = apart(model_of(compile_document(source), None))
    space = search(Frame(main), Budget(most=MOST))
    found = explore(compile_document(source), most=MOST)
    if space.finished and found.verified:
        assert {(problem.code, problem.step) for problem in found.problems} == {
            (finding.code, finding.step) for finding in findings(space)
        }
        assert found.outcomes == {outcome or "cancelled" for outcome in outcomes(space)}


# the naive game


def verdicts(seed: int) -> tuple[bool, Verdict | None]:
    """What the gate says of a small graph (sound or not), and the naive game (None: too large for it)."""
    source = mutated(Random(seed))
    sound = explore(compile_document(source), most=MOST).sound
    try:
        return sound, Game(source).verdict(MOST)
    except TooLarge:
        return sound, None


@given(SEEDS)
def test_what_is_called_sound_is_so_for_the_naive_game(seed):
    sound, verdict = verdicts(seed)
    if verdict is not None:
        assert sound <= verdict.sound, verdict


def compared(seeds: range) -> dict[str, int]:
    """How many graphs the gate and the game call sound, which of them alone does, and what was too large to say."""
    counts = dict.fromkeys(("both", "neither", "gate alone", "game alone", "too large"), 0)
    for seed in seeds:
        sound, verdict = verdicts(seed)
        if verdict is None:
            counts["too large"] += 1
        elif sound == verdict.sound:
            counts["both" if sound else "neither"] += 1
        else:
            counts["gate alone" if sound else "game alone"] += 1
    return counts


def test_the_gate_refuses_nothing_that_is_sound_for_the_naive_game():
    counts = compared(range(60))
    print(counts)
    assert (counts["gate alone"], counts["game alone"]) == (0, 0)


@pytest.mark.long
def test_the_gate_refuses_nothing_in_a_larger_run():
    counts = compared(range(1_000, 3_000))
    print(counts)
    assert (counts["gate alone"], counts["game alone"]) == (0, 0)


# real runs


class Coin:
    """Answers every condition by chance, every other expression by a text."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng

    def value(self, source: str, facts: Any, now: Any) -> Any:
        return "x"

    def holds(self, source: str, facts: Any, now: Any) -> bool:
        return self.rng.random() < 0.5


def some_trigger(rng: Random, definition: Definition, visits: tuple[Visit, ...]) -> triggers.Trigger:
    """Something that happens to the visits that are open."""
    visit = rng.choice(visits)
    step = definition.step(visit.step)
    if step.kind == "action":
        return triggers.ActionDone(visit=visit.id)
    if step.kind == "wait":
        name = step.settings["for"].get("message")
        return triggers.Message(name=name, key="x") if name else triggers.TimerFired(visit=visit.id)
    if rng.random() < 0.3:
        return triggers.Begin(visit=visit.id)
    return triggers.Complete(visit=visit.id, outcome=rng.choice(step.outcomes).id)


def played(source: dict[str, Any], rng: Random, most: int = 1_000) -> Plan | None:
    """The last plan of a run in which anything may happen until it ends; None where it takes longer than that."""
    definition, coin = compile_document(source), Coin(rng)
    done = plan(definition, Marking.empty(), triggers.Start(), {}, NOW, judge=coin)
    for _ in range(most):
        if not done.marking.tokens or any(isinstance(each, effects.RaiseIncident) for each in done.effects):
            return done
        trigger = some_trigger(rng, definition, done.marking.open_visits())
        try:
            done = plan(definition, Marking.from_json(done.marking.to_json()), trigger, {}, NOW, judge=coin)
        except TransitionNotAllowed as refusal:
            raise AssertionError(trigger) from refusal
    return None


@given(SEEDS, st.booleans())
def test_a_run_of_what_is_called_sound_comes_to_its_end(seed, nested):
    rng = Random(seed)
    source = structured(rng, steps=14) if nested else mutated(rng)
    found = explore(compile_document(source), most=MOST)
    if not found.sound:
        return
    for _ in range(5):
        done = played(source, rng)
        assert done is not None
        assert done.marking.tokens == ()
        (finish,) = [each for each in done.effects if isinstance(each, effects.Finish)]
        assert finish.outcome in found.outcomes


def test_a_loop_that_leaves_tokens_behind_is_given_up_early() -> None:
    """Each round of it looks at all that the earlier ones left: by number of markings alone it would take minutes."""
    source = document(
        [choice("again"), split("more"), task("left", assign={"requester": True})],
        [
            arrow("start", "again"),
            arrow("again", "more", when="request.data.maybe"),
            arrow("again", "paid", otherwise=True),
            arrow("more", "left"),
            arrow("more", "again"),
            arrow("left", "paid"),
        ],
    )
    space = search(Frame(model_of(compile_document(source), None)), Budget(most=400))
    assert not space.finished
    assert len(space.states) < 80
