"""What a case of a pattern is: a document, events in every order that its rules allow, and what must happen.

A case knows nothing of who runs it: the planner alone, or the product with its database.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

HERE = Path(__file__).parent
Order = tuple[str, ...]
Told = list[list[str]]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that a person, a program, the clock or an operator does at a step.

    `visit`: the n-th visit to the step, from 1, over all runs of the request; where it is None the oldest open one is
    meant, else the last there was. `instance` is an index.
    """

    name: str
    verb: str
    step: str = ""
    outcome: str = "done"
    visit: int | None = None
    instance: int | None = None
    item: Any = None
    deadline: str | None = None


def done(step: str, outcome: str = "done", *, visit: int | None = None, instance: int | None = None) -> Event:
    """Somebody completes a task."""
    name = f"{_place(step, visit, instance)}{'' if outcome == 'done' else ' ' + outcome}"
    return Event(name=name, verb="complete", step=step, outcome=outcome, visit=visit, instance=instance)


def begin(step: str, *, visit: int | None = None) -> Event:
    """Somebody takes a task up."""
    return Event(name=f"begin {_place(step, visit, None)}", verb="begin", step=step, visit=visit)


def message(name: str, *, nth: int = 0) -> Event:
    """A message of that name is sent to the run; its name in the order is `go`, `go 2`, ..."""
    return Event(name=f"{name} {nth}" if nth else name, verb="message", step=name)


def timer(step: str, deadline: str | None = None) -> Event:
    """The timer of a wait, or a deadline of a step, falls due."""
    return Event(name=f"{step} due", verb="timer", step=step, deadline=deadline)


def operator(verb: str, step: str = "", *, item: Any = None) -> Event:
    """`cancel`, `cancel_visit`, `add`, `close` or `finish` (instances)."""
    return Event(name=f"{verb} {step}".strip(), verb=verb, step=step, item=item)


def again(event: Event, name: str) -> Event:
    """The same event once more, under another name in the order."""
    return Event(**{**event.__dict__, "name": name})


def _place(step: str, visit: int | None, instance: int | None) -> str:
    nth = "" if visit is None else f"#{visit}"
    return f"{step}{nth}" if instance is None else f"{step}{nth}[{instance}]"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One half-sentence of a pattern's definition, and all its orders.

    `expect` says by hand, for an order of the events' names, what must be told after the start and after each event.
    `rules` such as "A < B" say which event comes before which; `allowed` refuses further orders; `walks` lists orders
    where they are not permutations of all events. `literal` is one order with its whole trace, step by step.
    """

    pattern: int
    shows: str
    events: tuple[Event, ...]
    expect: Callable[[Order], Told]
    rules: tuple[str, ...] = ()
    allowed: Callable[[Order], bool] | None = None
    walks: tuple[Order, ...] = ()
    data: Mapping[str, int] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    literal: tuple[str, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        return load(f"{self.pattern:02}")

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The document and those that its subflows need."""
        return [self.document, *map(load, self.also)]

    @cached_property
    def named(self) -> Mapping[str, Event]:
        return {event.name: event for event in self.events}

    @cached_property
    def orders(self) -> list[Order]:
        """Every order, in the order of the events."""
        found = self.walks or _permutations(tuple(self.named), [tuple(rule.split(" < ")) for rule in self.rules])
        return [order for order in found if self.allowed is None or self.allowed(order)]

    def some_orders(self, most: int) -> list[Order]:
        """At most that many orders, spread evenly, the first and the last among them."""
        if len(self.orders) <= most:
            return self.orders
        last = len(self.orders) - 1
        return [self.orders[round(index * last / (most - 1))] for index in range(most)]

    @property
    def literal_order(self) -> Order:
        return tuple(line.split(": ", 1)[0] for line in self.literal[1:])

    @property
    def literal_trace(self) -> Told:
        return [line.split(": ", 1)[1].split(", ") if ": " in line else [] for line in self.literal]


def load(name: str) -> dict[str, Any]:
    """The document of that name in this folder."""
    document: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return document


def _permutations(names: Order, rules: list[tuple[str, ...]], before: Order = ()) -> Iterator[Order]:
    if not names:
        yield before
    for name in names:
        if not any(first in names for first, then in rules if then == name):
            yield from _permutations(tuple(other for other in names if other != name), rules, (*before, name))


class World(Protocol):
    """Who runs a case: everything is stored and loaded again between all events."""

    def start(self) -> list[str]:
        """Starts the run; what happened."""

    def send(self, event: Event) -> list[str]:
        """What happened by the event; `refused` and `not offered` are told too, and then nothing changed."""

    def offered(self) -> list[str]:
        """The open work items, such as `A` or `check[1]`, in order of their names."""

    def holds_nothing(self) -> bool:
        """Whether nothing is left of the run: no token, no open round, no early message, no timer, key or child."""


def run(world: World, case: Case, order: Order) -> None:
    """Runs one order of a case and compares everything that is told with what its expectation says."""
    expected = case.expect(order)
    told = [canonical(world.start())]
    _compare(world, case, order, told, expected)
    for name in order:
        told.append(canonical(world.send(case.named[name])))
        _compare(world, case, order, told, expected)
    assert len(expected) == len(told), f"{order}: the expectation has {len(expected)} parts"


def _compare(world: World, case: Case, order: Order, told: Told, expected: Told) -> None:
    wanted = [canonical(lines) for lines in expected[: len(told)]]
    assert told == wanted, f"{case.shows}: {order}"
    assert world.offered() == still_offered(told, case.documents), f"{case.shows}: {order}"
    if any(line.startswith("run ") for line in told[-1]):
        assert world.holds_nothing(), f"{case.shows}: {order}"


def told_already(told: Told, line: str) -> bool:
    """Whether something has happened by now."""
    return any(line in lines for lines in told)


def canonical(lines: Iterable[str]) -> list[str]:
    """What one event did: answers, then what closed, then what opened, then the end; each part by name."""
    return sorted(lines, key=lambda line: (_part(line), line))


def _part(line: str) -> int:
    words = line.split()
    if words[0] == "run":
        return 3
    return 1 if words[1].rstrip(":") in ("ended", "withdrawn") else 2 if words[1] in ("opened", "begun", "in") else 0


def still_offered(told: Told, documents: list[dict[str, Any]]) -> list[str]:
    """The work items that are open by what was told: what opened and has not ended or been withdrawn since."""
    steps = [step for document in documents for step in document["steps"]]
    plain = {step["id"] for step in steps if step["kind"] == "task" and not {"count", "for_each"} & step.keys()}
    open_ones: Counter[str] = Counter()
    for line in (line for lines in told for line in lines):
        place, what = line.split()[:2]
        if place in plain or "[" in place:
            open_ones[place] += {"opened": 1, "ended": -1, "ended:": -1, "withdrawn": -1}.get(what, 0)
    return sorted(open_ones.elements())


# what drivers share


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A visit or a work item as it is stored. `status` is open, begun, ended or withdrawn; `in_line` is for a key."""

    place: str
    status: str
    outcome: str = ""
    in_line: bool = False
    with_instances: bool = False


def told_between(before: Mapping[Any, Seen], after: Mapping[Any, Seen]) -> list[str]:
    """What happened to visits and instances, from how they were and are."""
    return [line for key, now in after.items() for line in _happened(before.get(key), now)]


def _happened(was: Seen | None, now: Seen) -> Iterator[str]:
    over = now.status in ("ended", "withdrawn")
    if was is None:
        yield f"{now.place} in line" if now.in_line else f"{now.place} opened"
    elif was.status == "open" and now.status == "begun" and not now.with_instances:
        yield f"{now.place} begun"
    if over and (was is None or was.status != now.status):
        yield f"{now.place} {now.status}" + (f": {now.outcome}" if now.outcome not in ("", "done") else "")
