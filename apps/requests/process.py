"""What really happened on a workflow: from runs and their visits to figures. Pure: rows in, frozen values out.

A *variant* is a distinct sequence of visits, each with the outcome it was left by, together with the run's outcome.
The *waiting time* at a step is the time from the opening of a visit to its end; visits that are open or were taken back
count as visits, not as waiting times. All times are plain time, not business time, in seconds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from itertools import accumulate, groupby, pairwise
from typing import NamedTuple, Protocol

from apps.requests.stays import ENDED, Spread, Stays, seconds_between
from apps.workflows.engine.definition import Definition
from apps.workflows.engine.kinds import KINDS
from apps.workflows.engine.kinds.working import Working

MOST_VARIANTS = 20
MOST_PARTS = 12
WITHDRAWN = "withdrawn"
MINUTE, HOUR, DAY = 60, 3_600, 86_400


class RunRow(NamedTuple):
    """A run with what is asked of its request: number, `result` ("" while it is open), and its own two times."""

    pk: int
    n: int
    outcome: str
    started_at: datetime
    ended_at: datetime | None
    number: str
    result: str
    submitted_at: datetime
    closed_at: datetime | None


class VisitRow(NamedTuple):
    """A visit as it is stored. A named tuple, because hundreds of thousands of them stream by."""

    run: int
    step: str
    status: str
    outcome: str
    opened_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Totals:
    """The requests: each counted once, however many runs it had. `duration` is from submission to the end."""

    requests: int
    open: int
    completed: int
    rejected: int
    cancelled: int
    reopened: int
    runs: int
    duration: Spread


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some visits in a row to one step that all ended the same way; `outcome` is "" where there is only one way."""

    name: str
    outcome: str
    times: int


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A way through the workflow that `count` runs took. `share` and `cumulative` are parts of 1."""

    parts: tuple[Part, ...]
    hidden: int
    outcome: str
    count: int
    share: float
    cumulative: float
    duration: Spread
    example: str


@dataclass(frozen=True, kw_only=True)
class StepFigures:
    """A working step: how often it was visited, how many are there now, how long they waited there."""

    id: str
    name: str
    kind: str
    visits: int
    now: int
    waiting: Spread


@dataclass(frozen=True, kw_only=True)
class Move:
    """From the opening of one visit to that of the next, or to the run's end (`ends`: the target is its outcome)."""

    source: str
    target: str
    ends: bool
    times: Spread


@dataclass(frozen=True, kw_only=True)
class Study:
    """Everything the page tells. Variants, steps and moves are the most frequent first.

    `passed` counts the tokens that came to each step, `arrows` those that took each arrow (by its index).
    """

    totals: Totals
    variants: tuple[Variant, ...]
    more_variants: int
    more_runs: int
    steps: tuple[StepFigures, ...]
    moves: tuple[Move, ...]
    passed: Mapping[str, int]
    arrows: Mapping[int, int]


def study(
    definition: Definition, runs: Iterable[RunRow], visits: Iterable[VisitRow], choices: Mapping[int, int]
) -> Study:
    """The figures of runs of one definition.

    `visits` come run by run, within each in order; those of other runs are passed over. `choices` says how often each
    arrow out of a choice was taken, by index: a choice has no visits.
    """
    known = {run.pk: run for run in runs}
    paths, arrows = _Paths(definition), _Arrows(definition, known.values())
    steps, moves = _Steps(definition), _Moves(definition)
    countings: tuple[_Counting, ...] = (paths, arrows, steps, moves)
    for run, stays in _with_visits(known, visits):
        for counting in countings:
            counting.add(run, stays)
    arrows.counts.update(choices)
    variants, others, runs_of_others = paths.variants()
    return Study(
        totals=_totals(known.values()),
        variants=variants,
        more_variants=others,
        more_runs=runs_of_others,
        steps=steps.figures(),
        moves=moves.figures(),
        passed=arrows.passed(steps.visits),
        arrows=dict(arrows.counts),
    )


def _with_visits(
    runs: Mapping[int, RunRow], visits: Iterable[VisitRow]
) -> Iterator[tuple[RunRow, tuple[VisitRow, ...]]]:
    """Each run once, with its visits; a run may have none."""
    seen = set()
    for pk, stays in groupby(visits, key=lambda visit: visit.run):
        if pk in runs:
            seen.add(pk)
            yield runs[pk], tuple(stays)
    yield from ((run, ()) for pk, run in runs.items() if pk not in seen)


def _totals(runs: Iterable[RunRow]) -> Totals:
    runs = list(runs)
    requests = {run.number: run for run in runs}.values()
    results = Counter(run.result for run in requests)
    lengths = [seconds_between(run.submitted_at, run.closed_at) for run in requests if run.closed_at]
    return Totals(
        requests=len(requests),
        open=results[""],
        completed=results["completed"],
        rejected=results["rejected"],
        cancelled=results["cancelled"],
        reopened=len({run.number for run in runs if run.n > 1}),
        runs=len(runs),
        duration=Spread.of(lengths),
    )


class _Counting(Protocol):
    def add(self, run: RunRow, visits: Sequence[VisitRow]) -> None:
        """Counts one run with its visits."""


class _Paths:
    """Counts the variants."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.counts: Counter[_Path] = Counter()
        self.lengths: dict[_Path, list[float]] = defaultdict(list)
        self.examples: dict[_Path, str] = {}
        self.stays: dict[_Stay, _Stay] = {}
        self.ways_of = lru_cache(maxsize=None)(self._ways_of)

    def add(self, run: RunRow, visits: Sequence[VisitRow]) -> None:
        path = (tuple(self._stay(visit) for visit in visits), run.outcome)
        self.counts[path] += 1
        self.examples[path] = max(run.number, self.examples.get(path, ""))
        if run.ended_at:
            self.lengths[path].append(seconds_between(run.started_at, run.ended_at))

    def _stay(self, visit: VisitRow) -> _Stay:
        """One tuple for all equal stays: a long history has few kinds of them."""
        stay = (visit.step, visit.outcome if visit.status == ENDED else _still(visit.status), visit.status == ENDED)
        return self.stays.setdefault(stay, stay)

    def variants(self) -> tuple[tuple[Variant, ...], int, int]:
        """The most frequent ones; how many others there are, and how many runs took them."""
        runs = self.counts.total()
        ordered = sorted(self.counts, key=lambda path: (-self.counts[path], len(path[0]), path))
        shown = ordered[:MOST_VARIANTS]
        sums = list(accumulate(self.counts[path] for path in shown))
        variants = tuple(self._variant(path, runs, upto) for path, upto in zip(shown, sums, strict=True))
        return variants, len(ordered) - len(shown), runs - (sums[-1] if sums else 0)

    def _variant(self, path: _Path, runs: int, upto: int) -> Variant:
        parts = tuple(self._parts(path))
        return Variant(
            parts=parts[:MOST_PARTS],
            hidden=sum(part.times for part in parts[MOST_PARTS:]),
            outcome=path[1],
            count=self.counts[path],
            share=self.counts[path] / runs,
            cumulative=upto / runs,
            duration=Spread.of(self.lengths[path]),
            example=self.examples[path],
        )

    def _parts(self, path: _Path) -> Iterator[Part]:
        for (step_id, how, ended), same in groupby(path[0]):
            step = self.definition.step(step_id)
            outcome = step.outcome(how) if ended else None
            label = outcome.label if outcome else how
            said = label if not ended or self.ways_of(step_id) > 1 else ""
            yield Part(name=step.name or step.id, outcome=said, times=len(list(same)))

    def _ways_of(self, step_id: str) -> int:
        """How many outcomes lead on from a step."""
        outcomes = self.definition.step(step_id).outcomes
        return sum(_arrow_of(self.definition, step_id, outcome.id) is not None for outcome in outcomes)


class _Arrows:
    """Counts the arrows that were taken. A run after a completed one begins at the step to reopen at, if any."""

    def __init__(self, definition: Definition, runs: Iterable[RunRow]) -> None:
        self.definition = definition
        self.completed = {(run.number, run.n) for run in runs if run.outcome == "completed"}
        self.counts: Counter[int] = Counter()
        self.starts = 0
        self.arrow_of = lru_cache(maxsize=None)(partial(_arrow_of, definition))

    def add(self, run: RunRow, visits: Sequence[VisitRow]) -> None:
        if self.definition.reopen is None or (run.number, run.n - 1) not in self.completed:
            self.starts += 1
            self.counts.update(arrow.index for arrow in self.definition.arrows_from(self.definition.start.id))
        for visit in visits:
            if visit.status == ENDED and (arrow := self.arrow_of(visit.step, visit.outcome)) is not None:
                self.counts[arrow] += 1

    def passed(self, visits: Mapping[str, int]) -> dict[str, int]:
        """How many tokens came to each step: its visits, or for steps that do no work what their arrows brought."""
        passed = {}
        for step in self.definition.steps:
            came = sum(self.counts[arrow.index] for arrow in self.definition.arrows_to(step.id))
            passed[step.id] = visits.get(step.id, 0) if KINDS[step.kind].working else came
        return passed | {self.definition.start.id: self.starts}


class _Steps:
    """Counts the visits of each working step."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.stays: dict[str, Stays] = defaultdict(Stays)

    def add(self, run: RunRow, visits: Sequence[VisitRow]) -> None:
        for visit in visits:
            self.stays[visit.step].add(visit.status, visit.opened_at, visit.ended_at)

    @property
    def visits(self) -> Mapping[str, int]:
        return {step: stays.visits for step, stays in self.stays.items()}

    def figures(self) -> tuple[StepFigures, ...]:
        working = [step for step in self.definition.steps if KINDS[step.kind].working]
        figures = (
            StepFigures(
                id=step.id,
                name=step.name or step.id,
                kind=step.kind,
                visits=stays.visits,
                now=stays.now,
                waiting=Spread.of(stays.waits),
            )
            for step, stays in ((step, self.stays[step.id]) for step in working)
        )
        return tuple(sorted(figures, key=lambda step: -step.visits))


class _Moves:
    """Measures the way from each visit to the next of its run."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.times: dict[tuple[str, str, bool], list[float]] = defaultdict(list)

    def add(self, run: RunRow, visits: Sequence[VisitRow]) -> None:
        for one, next_one in pairwise(visits):
            self.times[one.step, next_one.step, False].append(seconds_between(one.opened_at, next_one.opened_at))
        if visits and run.ended_at:
            self.times[visits[-1].step, run.outcome, True].append(seconds_between(visits[-1].opened_at, run.ended_at))

    def figures(self) -> tuple[Move, ...]:
        moves = (
            Move(
                source=self._name(source),
                target=target if ends else self._name(target),
                ends=ends,
                times=Spread.of(seconds),
            )
            for (source, target, ends), seconds in self.times.items()
        )
        return tuple(sorted(moves, key=lambda move: (-move.times.count, move.source, move.target)))

    def _name(self, step_id: str) -> str:
        return self.definition.step(step_id).name or step_id


_Stay = tuple[str, str, bool]
_Path = tuple[tuple[_Stay, ...], str]


def _arrow_of(definition: Definition, step_id: str, outcome: str) -> int | None:
    """The index of the arrow by which the outcome leaves the step."""
    kind = KINDS[definition.step(step_id).kind]
    arrow = kind.arrow(definition.arrows_from(step_id), outcome) if isinstance(kind, Working) else None
    return arrow.index if arrow else None


def _still(status: str) -> str:
    return "taken back" if status == WITHDRAWN else "there now"


def duration(seconds: float | None) -> str:
    """A length as people say it: `at once`, `42 s`, `25 min`, `2 h 5 min`, `3.2 days`; `–` for nothing measured."""
    if seconds is None:
        return "–"
    whole = int(seconds)
    if whole < 1:
        return "at once"
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        hours, minutes = whole // HOUR, whole % HOUR // MINUTE
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days = f"{whole / DAY:,.1f}".removesuffix(".0")
    return f"{days} day" if days == "1" else f"{days} days"
