"""How long requests were at steps and at stages: from a stream of visits to stays. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from apps.requests.process import Stays

Key = tuple[int, int, str]
StageOf = Callable[[int, str], str | None]


class Visit(NamedTuple):
    """A visit with the item, workflow and version of its run. A named tuple, because millions of them stream by."""

    item: int
    workflow: int
    version: int
    run: int
    step: str
    status: str
    opened_at: datetime
    ended_at: datetime | None


class StaysAt(Stays):
    """The stays at a place, and the newest version in which it was met."""

    version = 0


class _Stay(NamedTuple):
    status: str
    opened_at: datetime
    ended_at: datetime | None


Counted = Mapping[Key, StaysAt]


def count_places(visits: Iterable[Visit], stage_of: StageOf) -> tuple[Counted, Counted]:
    """The stays at steps and those at stages, by item, workflow and place, of visits that come run by run, within each
    in the order of their opening.

    A run is at a stage from the opening of a visit to one of its steps to the end of the last that followed without a
    gap; how that one ended is how the stay ended. `stage_of` gives the stage of a version's step, None for none.
    """
    steps, stages = defaultdict[Key, StaysAt](StaysAt), defaultdict[Key, StaysAt](StaysAt)
    for _, own in groupby(visits, key=attrgetter("run")):
        by_stage = defaultdict[str, list[Visit]](list)
        for visit in own:
            _add(steps[visit.item, visit.workflow, visit.step], visit.version, visit)
            if (stage := stage_of(visit.version, visit.step)) is not None:
                by_stage[stage].append(visit)
        for stage, there in by_stage.items():
            first = there[0]
            for stay in _stays(there):
                _add(stages[first.item, first.workflow, stage], first.version, stay)
    return steps, stages


def _add(place: StaysAt, version: int, stay: Visit | _Stay) -> None:
    place.add(stay.status, stay.opened_at, stay.ended_at)
    place.version = max(place.version, version)


def _stays(visits: Sequence[Visit]) -> Iterator[_Stay]:
    """The visits of a run to the steps of one stage, those that touch or overlap as one."""
    current: _Stay | None = None
    for visit in visits:
        stay = _Stay(visit.status, visit.opened_at, visit.ended_at)
        if current is None:
            current = stay
        elif current.ended_at is not None and visit.opened_at > current.ended_at:
            yield current
            current = stay
        else:
            last = stay if _ends_later(stay, current) else current
            current = last._replace(opened_at=current.opened_at)
    if current is not None:
        yield current


def _ends_later(one: _Stay, other: _Stay) -> bool:
    if one.ended_at is None or other.ended_at is None:
        return one.ended_at is None
    return one.ended_at >= other.ended_at
