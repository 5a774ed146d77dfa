"""What a document's parts ask of each other: one start, arrows that lead somewhere, outcomes that have arrows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from apps.workflows.engine.attributes import instances
from apps.workflows.engine.attributes.check import check_attributes, expressions_of_attributes
from apps.workflows.engine.definition import Definition, Step, Transition
from apps.workflows.engine.graph import reached, turned
from apps.workflows.engine.guards import check_expression
from apps.workflows.engine.kinds import KINDS
from apps.workflows.engine.kinds.base import Kind, Policies, step_problem
from apps.workflows.engine.problems import Problem, Severity

MOST_CONDITIONS = 200  # out of one step; exploring asks at most 250 in a row
OF_THE_VISIT = frozenset({"for_each", "count", "done_when", "exclusive"})  # read once for all instances


def check(definition: Definition, policies: Policies) -> Iterator[Problem]:
    """Every problem of structure."""
    places = {step.id: f"steps/{index}" for index, step in enumerate(definition.steps)}
    for problem in _problems(definition, policies):
        if problem.step is None:
            yield problem
        else:
            yield replace(problem, path=f"{places[problem.step]}/{problem.path}".removesuffix("/"))


def _problems(definition: Definition, policies: Policies) -> Iterator[Problem]:
    yield from _check_start(definition)
    yield from _check_references(definition)
    for arrow in definition.transitions:
        yield from _check_arrow(arrow, definition)
    for step in definition.steps:
        yield from _check_step(step, definition, policies)
    yield from _check_graph(definition)
    yield from _check_ends(definition)


def _check_start(definition: Definition) -> Iterator[Problem]:
    starts = sum(step.kind == "start" for step in definition.steps)
    if starts != 1:
        yield Problem(
            code="one_start", message=f"A workflow has exactly one start, this one has {starts}.", path="steps"
        )


def _check_references(definition: Definition) -> Iterator[Problem]:
    stages = {stage.id for stage in definition.stages}
    for step in definition.steps:
        if step.stage is not None and step.stage not in stages:
            yield step_problem("unknown_stage", step, f"there is no stage {step.stage!r}.", path="stage")
    if definition.reopen is not None and not definition.has_step(definition.reopen):
        text = f"The step to reopen at, {definition.reopen!r}, does not exist."
        yield Problem(code="unknown_step", message=text, path="reopen")


# arrows


def _check_arrow(arrow: Transition, definition: Definition) -> Iterator[Problem]:
    for step_id in dict.fromkeys((arrow.source, arrow.target)):
        if not definition.has_step(step_id):
            yield _arrow_problem("unknown_step", arrow, f"there is no step {step_id!r}.")
    if definition.has_step(arrow.source):
        kind = KINDS[definition.step(arrow.source).kind]
        for condition in sorted(_conditions(arrow) - kind.conditions):
            text = f"an arrow out of a step of kind {kind.name!r} cannot carry {condition!r}."
            yield _arrow_problem("arrow_condition", arrow, text)
    if arrow.deadline is not None and arrow.outcome is not None:
        yield _arrow_problem("arrow_condition", arrow, "an arrow says 'outcome' or 'deadline', not both.")
    if arrow.when is not None:
        problem = check_expression(arrow.when, boolean=True)
        if problem:
            yield _arrow_problem("expression", arrow, f"'when': {problem}")


def _conditions(arrow: Transition) -> set[str]:
    carried = {
        "outcome": arrow.outcome is not None,
        "when": arrow.when is not None,
        "otherwise": arrow.otherwise,
        "deadline": arrow.deadline is not None,
    }
    return {name for name, is_carried in carried.items() if is_carried}


def _arrow_problem(code: str, arrow: Transition, text: str) -> Problem:
    message = f"Transition {arrow.index} ({arrow.source} → {arrow.target}): {text}"
    return Problem(code=code, transition=arrow.index, message=message, path=f"transitions/{arrow.index}")


# steps


def _check_step(step: Step, definition: Definition, policies: Policies) -> Iterator[Problem]:
    kind = KINDS[step.kind]
    yield from kind.check(step, definition, policies)
    yield from _check_expressions(step, kind)
    if sum(arrow.when is not None for arrow in definition.arrows_from(step.id)) > MOST_CONDITIONS:
        text = f"more than {MOST_CONDITIONS} arrows with a condition lead out of it; decide in several steps."
        yield step_problem("too_large", step, text)
    if kind.working:
        yield from _check_outcomes(step, kind, definition, policies)
        yield from check_attributes(step, definition)
    elif not kind.several_threads:
        yield from _check_equal_arrows(step, definition)


def _check_equal_arrows(step: Step, definition: Definition) -> Iterator[Problem]:
    counts = Counter((arrow.target, arrow.when, arrow.otherwise) for arrow in definition.arrows_from(step.id))
    for (target, _, _), count in counts.items():
        if count > 1:
            yield step_problem("equal_arrows", step, f"{count} equal arrows lead to {target!r}; only one can be taken.")


def _check_expressions(step: Step, kind: Kind) -> Iterator[Problem]:
    for path, source, is_condition in (*kind.expressions(step), *expressions_of_attributes(step)):
        problem = check_expression(source, boolean=is_condition)
        if problem:
            yield step_problem("expression", step, f"{path!r}: {problem}", path=path)


def _check_outcomes(step: Step, kind: Kind, definition: Definition, policies: Policies) -> Iterator[Problem]:
    """Every outcome has an arrow, every arrow an outcome, and of equal arrows only one could be taken."""
    arrows = [arrow for arrow in definition.arrows_from(step.id) if arrow.deadline is None]
    counts = Counter(arrow.outcome for arrow in arrows)
    known = [outcome.id for outcome in step.outcomes]
    for arrow in arrows:
        if arrow.outcome is not None and arrow.outcome not in known:
            text = f"step {step.id!r} has no outcome {arrow.outcome!r}, only {', '.join(known)}."
            yield _arrow_problem("unknown_outcome", arrow, text)
    for outcome, count in counts.items():
        if count > 1:
            which = "without an outcome" if outcome is None else f"for {outcome!r}"
            yield step_problem("equal_arrows", step, f"{count} arrows {which}; only one can be taken.")
    yield from _check_taken(step, counts, kind.optional(step, policies))


def _check_taken(step: Step, counts: Counter[str | None], optional: frozenset[str]) -> Iterator[Problem]:
    without = [outcome.id for outcome in step.outcomes if outcome.id not in optional and not counts[outcome.id]]
    if not counts[None]:
        for outcome in without:
            yield step_problem("outcome_without_arrow", step, f"no arrow for the outcome {outcome!r}.")
    elif not without and not optional:
        text = "the arrow without an outcome is never taken: each outcome has its own."
        yield step_problem("does_nothing", step, text)


# the graph


def _check_graph(definition: Definition) -> Iterator[Problem]:
    starts = [step.id for step in definition.steps if step.kind == "start"]
    ends = [step.id for step in definition.steps if step.kind == "end"]
    forward = reached(definition.graph, starts)
    backward = reached(turned(definition.graph), ends)
    for step in definition.steps:
        if step.id not in forward and starts:
            yield step_problem("unreachable", step, "no way leads here from the start.")
        if step.id not in backward:
            yield step_problem("no_way_out", step, "no way leads from here to an end.")
    yield from _check_endless(definition)


def _check_endless(definition: Definition) -> Iterator[Problem]:
    """Loops in which nothing waits and nothing decides: of steps that only pass tokens on, and of actions alone."""
    passing = {step.id for step in definition.steps if not KINDS[step.kind].working}
    acting = {step.id for step in definition.steps if step.kind == "action"}
    choosing = {step.id for step in definition.steps if step.kind == "choice"}
    found = [
        *_loops(passing, definition, guarded=False),
        *_loops(acting, definition, guarded=False),
        *_loops(choosing, definition, guarded=True),
    ]
    for step_id in dict.fromkeys(found):
        text = "is in a loop of automatic steps in which nothing changes that could end it."
        yield step_problem("endless_loop", definition.step(step_id), text)


def _loops(group: set[str], definition: Definition, *, guarded: bool) -> Iterator[str]:
    """The steps of the group that lead back to themselves within it; over arrows with a guard only if `guarded`."""

    def following(name: str) -> list[str]:
        arrows = definition.arrows_from(name)
        return [arrow.target for arrow in arrows if arrow.target in group and (guarded or arrow.when is None)]

    graph = {name: following(name) for name in group}
    for step in definition.steps:
        if step.id in group and step.id in reached(graph, graph[step.id]):
            yield step.id


def _check_ends(definition: Definition) -> Iterator[Problem]:
    ends = [step for step in definition.steps if step.kind == "end"]
    if ends and not any("outcome" in step.settings for step in ends):
        text = "No end has an outcome, so every run of this workflow ends as cancelled."
        yield Problem(code="no_outcome", severity=Severity.WARNING, message=text, path="steps")


# expressions


@dataclass(frozen=True, kw_only=True)
class FoundExpression:
    """An expression of a document: where it stands (for people, and as a path), and what it may see.

    `in_instance`: `item` and `index` exist for it.
    """

    source: str
    is_condition: bool
    where: str
    path: str
    step: str | None = None
    transition: int | None = None
    in_instance: bool = False


def expressions_of(definition: Definition) -> Iterator[FoundExpression]:
    """Every expression of a document whose structure holds, steps first."""
    for index, step in enumerate(definition.steps):
        for path, source, is_condition in (*KINDS[step.kind].expressions(step), *expressions_of_attributes(step)):
            yield FoundExpression(
                source=source,
                is_condition=is_condition,
                where=f"Step {step.id!r}, {path}",
                path=f"steps/{index}/{path}",
                step=step.id,
                in_instance=instances.expected(step) and path not in OF_THE_VISIT,
            )
    for arrow in definition.transitions:
        if arrow.when is not None:
            yield FoundExpression(
                source=arrow.when,
                is_condition=True,
                where=f"Transition {arrow.index} ({arrow.source} → {arrow.target})",
                path=f"transitions/{arrow.index}/when",
                transition=arrow.index,
            )
