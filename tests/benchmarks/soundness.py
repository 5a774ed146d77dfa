"""What the gate and the planner cost: `python -m tests.benchmarks.soundness`.

Every figure stands beside the floor of the same run: the time of a walk through a plain Python dictionary of as many
markings (for planning: of one copy of a marking as JSON), so that a slow machine does not look like a slow gate.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from random import Random
from statistics import median
from time import perf_counter
from typing import Any

from apps.workflows.engine import triggers
from apps.workflows.engine.definition import Definition
from apps.workflows.engine.document import compile_document
from apps.workflows.engine.marking import Marking
from apps.workflows.engine.planner import plan
from apps.workflows.engine.soundness import Soundness, explore
from tests.engine.documents import NOW, arrow, choice, document, join, split, task
from tests.engine.random_documents import structured

ROUNDS = 3
LOOPS = 1_000


def parallel(*, branches: int, deep: int, crossed: bool = False) -> dict[str, Any]:
    """So many branches of so many tasks; `crossed`: the second task of each cancels the branch beside it."""

    def more(branch: int, index: int) -> dict[str, Any]:
        beside = (branch + 1) % branches
        return {"cancels": [f"b{beside}.{each}" for each in range(deep)]} if crossed and index == 1 else {}

    names = [[f"b{branch}.{index}" for index in range(deep)] for branch in range(branches)]
    steps = [task(name, **more(branch, index)) for branch, row in enumerate(names) for index, name in enumerate(row)]
    rows = [arrow(one, other) for row in names for one, other in pairwise(row)]
    ends = [each for row in names for each in (arrow("split", row[0]), arrow(row[-1], "join"))]
    gate = join(of="active") if crossed else join()
    return document([split(), *steps, gate], [arrow("start", "split"), *ends, *rows, arrow("join", "paid")])


def large(steps: int) -> dict[str, Any]:
    """A structured workflow of at least so many steps: the first one that is drawn large enough."""
    seed = 0
    while len((source := structured(Random(seed), steps=steps * 2))["steps"]) < steps:
        seed += 1
    return source


def row(steps: int) -> dict[str, Any]:
    names = [f"t{index}" for index in range(steps)]
    arrows = [arrow(one, other) for one, other in zip(["start", *names], [*names, "paid"], strict=True)]
    return document([task(name) for name in names], arrows)


def loop() -> dict[str, Any]:
    return document(
        [task("again"), choice()],
        [
            arrow("start", "again"),
            arrow("again", "choice"),
            arrow("choice", "again", when="request.data.more"),
            arrow("choice", "paid", otherwise=True),
        ],
    )


def row_of_instances(count: int) -> dict[str, Any]:
    return document([task("each", count=count)], [arrow("start", "each"), arrow("each", "paid")])


def seconds(act: Callable[[], object]) -> float:
    begun = perf_counter()
    act()
    return perf_counter() - begun


def floor_of_markings(count: int) -> None:
    """As many small markings put into a dictionary, each read from JSON."""
    known: dict[tuple[str, ...], int] = {}
    for number in range(count):
        known[tuple(json.loads(json.dumps([f"s{number}", "a", "b"])))] = number


def explored(name: str, source: dict[str, Any], *, wanted: float) -> None:
    definition = compile_document(source)
    times: list[float] = []
    found: list[Soundness] = []
    for _ in range(ROUNDS):
        times.append(seconds(lambda: found.append(explore(definition))))
    floor = median(seconds(lambda: floor_of_markings(found[0].markings)) for _ in range(ROUNDS))
    print(
        f"{name:<44} {len(source['steps']):>5} {found[0].markings:>9,} {found[0].verified!s:>9} "
        f"{median(times):>9.3f} {wanted:>8.0f} {median(times) / floor:>8.0f}"
    )


def started(definition: Definition, facts: dict[str, Any]) -> Marking:
    return plan(definition, Marking.empty(), triggers.Start(), facts, NOW).marking


def step_on(definition: Definition, marking: Marking, facts: dict[str, Any]) -> Marking:
    (visit,) = marking.open_visits()
    return plan(definition, marking, triggers.Complete(visit=visit.id, outcome="done"), facts, NOW).marking


def planning() -> None:
    definition = compile_document(row(200))
    marking = started(definition, {})
    times = sorted(seconds(lambda: step_on(definition, marking, {})) for _ in range(500))
    stored = marking.to_json()
    floor = median(seconds(lambda: json.loads(json.dumps(stored))) for _ in range(500))
    print(
        f"one step of a workflow of 200: {median(times) * 1000:.3f} ms (wanted: under 1), {median(times) / floor:.0f} "
        "times a copy of its marking as JSON"
    )


def looping() -> None:
    definition, facts = compile_document(loop()), {"request": {"data": {"more": True}}, "run": {}}
    marking = started(definition, facts)
    times: list[float] = []
    for _ in range(LOOPS):
        begun = perf_counter()
        marking = step_on(definition, Marking.from_json(marking.to_json()), facts)
        times.append(perf_counter() - begun)
    first, last = median(times[:100]), median(times[-100:])
    print(
        f"{LOOPS:,} loops: first hundred {first * 1000:.3f} ms a step, last hundred {last * 1000:.3f}, "
        f"ratio {last / first:.2f} (wanted: 1)"
    )


def answering() -> None:
    """Every instance of a step answered, one after the other: the mean of a trigger must not grow as they do."""
    means = {}
    for count in (100, 1_000):
        definition = compile_document(row_of_instances(count))
        marking = started(definition, {})
        (visit,) = marking.open_visits()
        begun = perf_counter()
        for index in range(count):
            answer = triggers.Complete(visit=visit.id, outcome="done", instance=index)
            marking = plan(definition, marking, answer, {}, NOW).marking
        means[count] = (perf_counter() - begun) / count
    print(
        f"an answer among 100 instances {means[100] * 1000:.3f} ms, among 1,000 {means[1_000] * 1000:.3f}, "
        f"ratio {means[1_000] / means[100]:.1f} (wanted: under 10, one look at each)"
    )


def main() -> None:
    print(f"{'explored':<44} {'steps':>5} {'markings':>9} {'verified':>9} {'seconds':>9} {'wanted <':>8} {'floors':>8}")
    explored("eight parallel branches of three", parallel(branches=8, deep=3), wanted=2)
    explored("nested blocks", large(200), wanted=10)
    explored("eight branches crossed by cancels", parallel(branches=8, deep=5, crossed=True), wanted=60)
    planning()
    looping()
    answering()


if __name__ == "__main__":
    main()
