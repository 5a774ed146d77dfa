"""How long requests were at the stages of their workflows: from a stream of visits to stays. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from apps.requests.stays import Stays

Key = tuple[int, str, str]
StageOf = Callable[[int, str], tuple[str, str] | None]


class Visit(NamedTuple):
    """A visit with the version of its run and the item of its request. A named tuple, because millions of them stream
    by.
    """

    run: int
    item: int
    version: int
    step: str
    status: str
    opened_at: datetime
    ended_at: datetime | None


class StaysAt(Stays):
    """The stays at a stage, and the newest version in which it was met."""

    version = 0


class _Stay:
    """A run at a stage, as far as its visits have come by; `status` is that of the one that ends last."""

    __slots__ = ("ended_at", "item", "opened_at", "status", "version")

    def __init__(self, visit: Visit) -> None:
        self.item, self.version = visit.item, visit.version
        self.opened_at, self.ended_at, self.status = visit.opened_at, visit.ended_at, visit.status

    def takes(self, visit: Visit) -> bool:
        """Whether the visit goes on with the stay; it is longer then."""
        if self.ended_at is not None:
            if visit.opened_at > self.ended_at:
                return False
            if visit.ended_at is None or visit.ended_at >= self.ended_at:
                self.ended_at, self.status = visit.ended_at, visit.status
        return True


def count_stages(
    visits: Iterable[Visit], stage_of: StageOf, *, since: datetime | None = None, until: datetime | None = None
) -> Mapping[Key, StaysAt]:
    """The stays at stages that began in a period, by item, workflow and stage, of whole runs one after the other, their
    visits in the order in which they opened.

    A run is at a stage from the opening of a visit to one of its steps to the end of the last that followed without a
    gap; how that one ended is how the stay ended. `stage_of` gives the workflow and the stage of a version's step, None
    for a step without stage.
    """
    counted = defaultdict[Key, StaysAt](StaysAt)
    for (workflow, stage), stay in _stays(visits, stage_of):
        if (since and stay.opened_at < since) or (until and stay.opened_at >= until):
            continue
        stays = counted[stay.item, workflow, stage]
        stays.add(stay.status, stay.opened_at, stay.ended_at)
        stays.version = max(stays.version, stay.version)
    return counted


def _stays(visits: Iterable[Visit], stage_of: StageOf) -> Iterator[tuple[tuple[str, str], _Stay]]:
    run, there = 0, dict[tuple[str, str], _Stay]()
    for visit in visits:
        if visit.run != run:
            yield from there.items()
            run, there = visit.run, {}
        stage = stage_of(visit.version, visit.step)
        if stage is None or (stage in there and there[stage].takes(visit)):
            continue
        if stage in there:
            yield stage, there[stage]
        there[stage] = _Stay(visit)
    yield from there.items()
