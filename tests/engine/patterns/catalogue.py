"""The 43 control-flow patterns: their names and definitions, the construct for each, and all cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.engine.patterns import basic, branching, cancellation, instances, iteration, joins, state, trigger
from tests.engine.patterns.case import Case

SHORT = 9  # orders of a pattern in `make test`
MORE = 30  # further orders of a case in `make test-all`


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A pattern. `uses`: what its documents use besides starts, ends, tasks and plain arrows.

    `shown` is `yes` where the cases show the whole definition, else `part` or `no`, and `lacks` says what is missing
    and why.
    """

    number: int
    name: str
    definition: str
    construct: str
    uses: frozenset[str]
    shown: str = "yes"
    lacks: str = ""

    @property
    def cases(self) -> list[Case]:
        return [case for case in CASES if case.pattern == self.number]

    @property
    def orders(self) -> int:
        """How many orders its cases have."""
        return sum(len(case.orders) for case in self.cases)

    @property
    def short_orders(self) -> int:
        """How many of them `make test` runs through the database."""
        return sum(len(some_orders(case)) for case in self.cases)

    @property
    def long_orders(self) -> int:
        """How many of them `make test-all` runs on top."""
        return sum(len(more_orders(case)) for case in self.cases)


CASES: tuple[Case, ...] = (
    *basic.CASES,
    *branching.CASES,
    *joins.CASES,
    *instances.CASES,
    *state.CASES,
    *cancellation.CASES,
    *iteration.CASES,
    *trigger.CASES,
)


def some_orders(case: Case) -> list[tuple[str, ...]]:
    """What `make test` runs: together about 9 orders of a pattern, at least two of each case, the literal's too."""
    of_pattern = [other for other in CASES if other.pattern == case.pattern]
    together = sum(len(other.orders) for other in of_pattern)
    share = len(case.orders) if together <= SHORT else max(2, round(SHORT * len(case.orders) / together))
    chosen = case.some_orders(share)
    by_hand = [case.literal_order] if case.literal and case.literal_order not in chosen else []
    return [*chosen, *by_hand]


def more_orders(case: Case) -> list[tuple[str, ...]]:
    """What `make test-all` runs besides: at most 30 of the orders that are left, drawn by lot, the same ones always."""
    left = [order for order in case.orders if order not in some_orders(case)]
    return left if len(left) <= MORE else Random(case.shows).sample(left, MORE)


def used_in(document: dict[str, Any]) -> Iterator[str]:
    """What a document uses besides starts, ends, tasks and plain arrows."""
    for step in document["steps"]:
        kind = step["kind"]
        waits = step.get("wait")
        counted = "n" if isinstance(waits, int) else waits
        yield kind if waits is None else f"{kind} {counted}"
        yield from (f"of {step['of']}" for _ in range("of" in step))
        yield from step.keys() & ATTRIBUTES
        yield from (key for key in ("keep",) if step.get("for", {}).get(key))
    arrows = [tuple(sorted(arrow.items())) for arrow in document["transitions"]]
    yield from ("equal arrows" for _ in range(len(set(arrows)) < len(arrows)))
    yield from ("when" for arrow in document["transitions"] if "when" in arrow)


ATTRIBUTES = {
    "count",
    "for_each",
    "done_when",
    "open_ended",
    "cancel_rest",
    "cancels",
    "deadlines",
    "exclusive",
    "merge",
    "mode",
    "only_while",
    "terminate",
}
PLAIN = {"start", "end", "task"}


def _pattern(number: int, name: str, definition: str, construct: str, uses: str = "") -> Pattern:
    words = frozenset(filter(None, uses.split(", ")))
    return Pattern(number=number, name=name, definition=definition, construct=construct, uses=words)


PATTERNS: tuple[Pattern, ...] = (
    _pattern(1, "Sequence", "B becomes available only after A of the same run is complete", "an arrow"),
    _pattern(2, "Parallel Split", "one thread becomes two or more that run at the same time", "`split`", "split"),
    _pattern(
        3,
        "Synchronization",
        "the next step starts once, only after every incoming branch has completed",
        "`join` all",
        "split, join all",
    ),
    _pattern(4, "Exclusive Choice", "exactly one outgoing branch is taken, chosen by data", "`choice`", "choice, when"),
    _pattern(
        5,
        "Simple Merge",
        "alternative branches meet; each arrival continues at once",
        "several arrows into one step",
        "choice, when",
    ),
    _pattern(
        6,
        "Multi-Choice",
        "one or more outgoing branches are taken, each by its own condition",
        "`split` with `when`",
        "split, when",
    ),
    _pattern(
        7,
        "Structured Synchronizing Merge",
        "waits for exactly the branches that the matching multi-choice activated",
        "`join` all of active",
        "split, when, join all, of active",
    ),
    _pattern(
        8, "Multi-Merge", "every arrival on any branch triggers the next step once", "`merge: each`", "split, merge"
    ),
    _pattern(
        9,
        "Structured Discriminator",
        "first arrival continues; the others are absorbed; resets after all have arrived",
        "`join` first",
        "split, merge, join first",
    ),
    _pattern(
        10,
        "Arbitrary Cycles",
        "a loop with more than one entry or exit",
        "arrows back, any entries and exits",
        "choice, when",
    ),
    _pattern(
        11,
        "Implicit Termination",
        "the run ends when nothing is left to do",
        "the run ends with its last token",
        "split",
    ),
    _pattern(
        12,
        "Multiple Instances without Synchronization",
        "n independent copies; the flow goes on without waiting",
        '`for_each`, `done_when: "true"`',
        "for_each, done_when",
    ),
    _pattern(
        13,
        "Multiple Instances with Design-Time Knowledge",
        "n fixed in the model; continue when all n are complete",
        "`count`",
        "count",
    ),
    _pattern(
        14,
        "Multiple Instances with Run-Time Knowledge",
        "n known from data when the step starts; continue when all n are complete",
        "`for_each`",
        "for_each, mode",
    ),
    _pattern(
        15,
        "Multiple Instances without a Priori Knowledge",
        "copies can be added while others run; continue when all complete and none can be added",
        "`open_ended`, AddInstance, CloseInstances",
        "for_each, open_ended",
    ),
    _pattern(
        16,
        "Deferred Choice",
        "several steps are offered; the first one that is started wins and withdraws the others",
        "`race`; Begin decides",
        "race, wait",
    ),
    _pattern(
        17,
        "Interleaved Parallel Routing",
        "a partial order of steps, never two at the same time",
        "`split` of sequences, one `exclusive` key",
        "split, exclusive, join all",
    ),
    _pattern(
        18,
        "Milestone",
        "a step is enabled only while the case is in a given state; when the state passes the step is withdrawn",
        "`only_while`",
        "split, only_while",
    ),
    _pattern(
        19,
        "Cancel Task",
        "an enabled or running step is withdrawn and leaves no work item",
        "`cancels`, or CancelVisit",
        "split, cancels",
    ),
    _pattern(
        20,
        "Cancel Case",
        "the whole run is withdrawn, including all open work items; recorded as cancelled, not complete",
        "Cancel, or a terminating `end`",
        "split, count, wait, terminate",
    ),
    _pattern(
        21,
        "Structured Loop",
        "repeat with a test before or after the body, one entry, one exit",
        "`choice` before or after the body",
        "choice, when, action",
    ),
    _pattern(
        22,
        "Recursion",
        "a step can call the process it is part of",
        "`subflow` of itself behind a choice",
        "choice, when, subflow",
    ),
    _pattern(
        23,
        "Transient Trigger",
        "a signal works only if something waits at that moment, otherwise it is lost",
        "`wait` for a message",
        "split, wait",
    ),
    _pattern(
        24,
        "Persistent Trigger",
        "a signal is kept until a step can use it",
        "`wait` for a message with `keep`",
        "wait, keep",
    ),
    _pattern(
        25,
        "Cancel Region",
        "a chosen set of steps is withdrawn together",
        "`cancels` with several steps",
        "split, cancels",
    ),
    _pattern(
        26,
        "Cancel Multiple Instance Activity",
        "all unfinished copies are withdrawn, finished ones stay",
        "`cancels` naming the step with instances",
        "split, count, cancels",
    ),
    _pattern(
        27,
        "Complete Multiple Instance Activity",
        "unfinished copies are withdrawn and the flow goes on",
        "FinishInstances, or an interrupting deadline",
        "count, deadlines",
    ),
    _pattern(
        28,
        "Blocking Discriminator",
        "as 9, but new arrivals wait until the reset",
        "`join` first (second arrivals wait)",
        "split, equal arrows, merge, join first",
    ),
    _pattern(
        29,
        "Cancelling Discriminator",
        "first arrival continues and the other branches are cancelled",
        "`join` first, `cancel_rest`",
        "split, join first, cancel_rest",
    ),
    _pattern(
        30,
        "Structured Partial Join",
        "continue after n of m branches; the rest are absorbed",
        "`join` n",
        "split, merge, join n",
    ),
    _pattern(
        31,
        "Blocking Partial Join",
        "as 30, later arrivals wait until the reset",
        "`join` n (second arrivals wait)",
        "split, equal arrows, merge, join n",
    ),
    _pattern(
        32,
        "Cancelling Partial Join",
        "after n of m the others are cancelled",
        "`join` n, `cancel_rest`",
        "split, join n, cancel_rest",
    ),
    _pattern(
        33,
        "Generalised AND-Join",
        "as 3, several tokens for each branch are paired up",
        "`join` all (each branch is a queue)",
        "split, equal arrows, merge, join all",
    ),
    _pattern(
        34,
        "Static Partial Join for Multiple Instances",
        "n of m copies (m fixed at the start) let the flow continue; the rest may finish",
        "`done_when` on the number completed",
        "count, done_when",
    ),
    _pattern(
        35,
        "Cancelling Partial Join for Multiple Instances",
        "after n of m copies the rest are cancelled",
        "`done_when`, `cancel_rest`",
        "count, done_when, cancel_rest",
    ),
    _pattern(
        36,
        "Dynamic Partial Join for Multiple Instances",
        "a condition tested after every completion decides when to continue",
        "`done_when`, any expression",
        "for_each, open_ended, done_when",
    ),
    _pattern(
        37,
        "Acyclic Synchronizing Merge",
        "waits for the branches that can still arrive, by local knowledge",
        "`join` all of active (block)",
        "split, when, join all, of active",
    ),
    _pattern(
        38,
        "General Synchronizing Merge",
        "waits as long as any token can still arrive, also in unstructured graphs",
        "`join` all of active (block)",
        "split, merge, join all, of active",
    ),
    _pattern(
        39,
        "Critical Section",
        "two groups of steps never run at the same time",
        "two `subflow` steps, one `exclusive` key",
        "split, subflow, exclusive, join all",
    ),
    _pattern(
        40,
        "Interleaved Routing",
        "each step of a set once, any order, never two at the same time",
        "`split`, one `exclusive` key, `join` all",
        "split, exclusive, join all",
    ),
    _pattern(
        41,
        "Thread Merge",
        "a stated number of threads in one branch become one",
        "`join` n with one arrow in",
        "split, equal arrows, merge, join n",
    ),
    _pattern(
        42,
        "Thread Split",
        "one thread in a branch becomes a stated number",
        "equal arrows out of a `split`, `merge: each`",
        "split, equal arrows, merge",
    ),
    _pattern(
        43,
        "Explicit Termination",
        "reaching a named end stops all remaining work",
        "`end` with `terminate`",
        "split, count, wait, terminate",
    ),
)
