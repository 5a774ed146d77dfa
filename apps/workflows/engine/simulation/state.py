"""Where a dry run is: its runs, its clock, what is open in them, and what is still to be done."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.workflows.engine.definition import Definition, Step
from apps.workflows.engine.effects import Effect
from apps.workflows.engine.marking import LIVE, Instance, Marking, Visit
from apps.workflows.engine.simulation.trial import Record
from apps.workflows.engine.simulation.world import Level, People, Policy, Slate, Vote, World
from apps.workflows.engine.triggers import Trigger

Place = tuple[int, int, int | None]


@dataclass(kw_only=True, eq=False)
class Run:
    """The document's own run, or a child's. `prefix` stands before its steps' ids: empty, or `child/`."""

    n: int
    definition: Definition
    prefix: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    marking: Marking = field(default_factory=Marking.empty)
    parent: Run | None = None
    parent_visit: int = 0
    parent_instance: int | None = None
    depth: int = 0

    def named(self, step_id: str | None) -> str | None:
        """The step as the script and the answer name it; the run itself for None."""
        return f"{self.prefix}{step_id}" if step_id is not None else self.prefix.removesuffix("/") or None

    def path_of(self, step_id: str) -> str:
        return f"{self.prefix}{step_id}"

    def is_open(self, visit_id: int, instance: int | None) -> bool:
        """Whether the visit is open (and the instance, where one is meant)."""
        visit = self.marking.visit(visit_id)
        parts = (visit.instances or ()) if visit else ()
        return visit is not None and (instance is None or (instance < len(parts) and parts[instance].status in LIVE))


@dataclass(frozen=True, kw_only=True)
class Spot:
    """An open visit, and one live instance of it where the step has instances."""

    run: Run
    visit: Visit
    part: Instance | None = None

    @property
    def instance(self) -> int | None:
        return None if self.part is None else self.part.index

    @property
    def place(self) -> Place:
        return self.run.n, self.visit.id, self.instance

    @property
    def step(self) -> Step:
        return self.run.definition.step(self.visit.step)

    @property
    def path(self) -> str:
        return self.run.path_of(self.visit.step)

    @property
    def in_incident(self) -> bool:
        return self.visit.incident if self.part is None else self.part.incident


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A timer that is set: that of a wait, or of the deadline it names. `due` None: nobody knows when.

    That of an approval names the `level` that must be decided by then; a reminder, the `percent` of the time over.
    """

    number: int
    run: Run
    visit: int
    step: str
    instance: int | None
    deadline: str | None
    due: datetime | None
    level: str | None = None
    percent: int | None = None

    @property
    def place(self) -> Place:
        return self.run.n, self.visit, self.instance


@dataclass(frozen=True, kw_only=True)
class Round:
    """An open approval. Without a policy the first vote ends it. `more` are the facts of an instance.

    `deciding`: those who are asked are the chair or people it was escalated to, one of whom decides alone. `earlier`
    have answered at the levels before.
    """

    policy: Policy | None
    more: Mapping[str, Any]
    index: int = -1
    people: People = ()
    votes: tuple[Vote, ...] = ()
    slate: Slate | None = None
    deciding: bool = False
    earlier: People = ()

    @property
    def level(self) -> Level | None:
        return None if self.policy is None else self.policy.levels[self.index]

    @property
    def missing(self) -> People:
        """Those who were asked and have not answered."""
        return tuple(person for person in self.people if person not in dict(self.votes))


@dataclass(kw_only=True)
class Walk:
    """A dry run on its way. `request` is what guards see of the sample request, `data` its data as it is now."""

    world: World
    request: Mapping[str, Any]
    data: Mapping[str, Any]
    clock: datetime
    runs: list[Run]
    record: Record = field(default_factory=Record)
    triggers: deque[tuple[Run, Trigger]] = field(default_factory=deque)
    openings: deque[tuple[Run, Effect]] = field(default_factory=deque)
    alarms: list[Alarm] = field(default_factory=list)
    tasks: dict[Place, People] = field(default_factory=dict)
    rounds: dict[Place, Round] = field(default_factory=dict)
    reasons: dict[Place, str] = field(default_factory=dict)
    failing: Counter[tuple[str, int | None]] = field(default_factory=Counter)
    order: dict[tuple[int, int], int] = field(default_factory=dict)
    numbers: int = 1
    ended: str | None = None

    def number(self) -> int:
        """The next number, of a run or an alarm."""
        self.numbers += 1
        return self.numbers

    def seen(self, run: Run) -> dict[str, Any]:
        """The facts of a run as they are now."""
        return {"request": {**self.request, "data": self.data}, "run": run.facts}

    def fill(self, form: str | None, values: Mapping[str, Any]) -> None:
        """Values go into the sample data. Raises errors.InvalidInput by field."""
        self.data = {**self.data, **self.world.fields(form, values)}

    def spots(self, path: str | None = None) -> list[Spot]:
        """What is open (at the step of that path), in the order in which it was opened."""
        found = [
            spot
            for run in self.runs
            for visit in run.marking.open_visits()
            if path is None or run.path_of(visit.step) == path
            for spot in _spots_of(run, visit)
        ]
        return sorted(found, key=lambda spot: self.order.get((spot.run.n, spot.visit.id), 0))


def _spots_of(run: Run, visit: Visit) -> Iterator[Spot]:
    if visit.instances is None or visit.incident:
        yield Spot(run=run, visit=visit)
        return
    for part in visit.instances:
        if part.status in LIVE:
            yield Spot(run=run, visit=visit, part=part)
