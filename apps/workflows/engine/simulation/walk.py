"""The dry run itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any

from apps.workflows.engine.definition import Definition
from apps.workflows.engine.simulation.carrying import advance, settle
from apps.workflows.engine.simulation.entries import take
from apps.workflows.engine.simulation.script import MOST_ENTRIES, Entry
from apps.workflows.engine.simulation.state import Run, Walk
from apps.workflows.engine.simulation.trial import Json, TooMuch, Trial, TrialProblem
from apps.workflows.engine.simulation.waiting import waiting
from apps.workflows.engine.simulation.world import World
from apps.workflows.engine.triggers import Start


def simulate(
    definition: Definition, facts: Mapping[str, Any], script: Sequence[Entry], world: World, *, now: datetime
) -> Trial:
    """Walks a definition with sample data and a script. Pure: nothing is written, nothing is sent; never raises for
    what a document or a script says.

    `facts` are `{"request": {..., "data": {...}}}` as guards see them, `now` (aware) is when the run starts. Actions
    count as done at once unless the script lets them fail, keys as granted. Timers fire when an entry's time passes
    them; when the script is over nothing fires any more. Child runs are walked inside, up to 20 deep, their steps named
    `child/step`. At most 1,000 entries are applied, and the walk stops at 10,000 events.
    """
    run = Run(n=1, definition=definition, facts={"n": 1, "input": {}, "outcome": "", **facts.get("run", {})})
    request = facts.get("request", {})
    walk = Walk(world=world, request=request, data=request.get("data", {}), clock=now, runs=[run])
    stopped: list[TrialProblem] = []
    open_at_the_end: list[Json] = []
    try:
        _follow(walk, run, script)
    except TooMuch as stop:
        stopped.append(TrialProblem(code=stop.code, message=str(stop)))
    try:
        for told in waiting(walk):
            walk.record.weigh(told)
            open_at_the_end.append(told)
    except TooMuch as stop:
        stopped = stopped or [TrialProblem(code=stop.code, message=str(stop))]
    record = walk.record
    return Trial(
        path=tuple(record.path),
        asked=tuple(record.asked),
        due=tuple(record.due),
        actions=tuple(record.actions),
        ended=walk.ended,
        waiting=tuple(open_at_the_end),
        problems=(*record.problems, *stopped),
    )


def _follow(walk: Walk, run: Run, script: Sequence[Entry]) -> None:
    entries = list(enumerate(script[:MOST_ENTRIES]))
    first = list(takewhile(lambda one: one[1].fail is not None and one[1].at in (None, walk.clock), entries))
    for index, entry in first:
        take(walk, index, entry)
    walk.triggers.append((run, Start()))
    settle(walk)
    advance(walk, walk.clock)
    for index, entry in entries[len(first) :]:
        take(walk, index, entry)
    if len(script) > MOST_ENTRIES:
        raise TooMuch("too_many_entries", f"Only the first {MOST_ENTRIES:,} entries of the script were applied.")
