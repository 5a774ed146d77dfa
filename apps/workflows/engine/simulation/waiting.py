"""What is open when the script is over, and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.workflows.engine.marking import Token
from apps.workflows.engine.simulation.state import Alarm, Run, Spot, Walk
from apps.workflows.engine.simulation.trial import Json, shown


def waiting(walk: Walk) -> Iterator[Json]:
    """Open visits in the order of their opening, then deadlines, then tokens that wait for others."""
    for spot in walk.spots():
        yield _entry(spot.run, spot.visit.step, spot.visit.id, spot.instance, _whom(walk, spot))
    for alarm in sorted(walk.alarms, key=lambda one: one.number):
        if alarm.deadline is not None:
            whom = {"deadline": alarm.deadline, "due": _due(alarm)}
            yield _entry(alarm.run, alarm.step, alarm.visit, alarm.instance, whom)
    for run in walk.runs:
        for token in run.marking.tokens:
            if not token.visits:
                yield _entry(run, token.step, None, None, _others(run, token))


def _entry(run: Run, step_id: str, visit: int | None, instance: int | None, whom: Json) -> Json:
    name = run.definition.step(step_id).name
    return {"step": run.path_of(step_id), "visit": visit, "instance": instance, "name": name, "for": whom}


def _whom(walk: Walk, spot: Spot) -> Json:
    if spot.in_incident:
        return {"incident": walk.reasons.get(spot.place, "")}
    told = {"task": _task, "approval": _approval, "wait": _wait, "subflow": _child}
    return told[spot.step.kind](walk, spot) if spot.step.kind in told else {}


def _task(walk: Walk, spot: Spot) -> Json:
    return {"assign": spot.step.settings["assign"], "people": list(walk.tasks.get(spot.place, ()))}


def _approval(walk: Walk, spot: Spot) -> Json:
    current = walk.rounds.get(spot.place)
    level = current.level if current else None
    return {"level": level.id if level else None, "people": list(current.missing) if current else []}


def _wait(walk: Walk, spot: Spot) -> Json:
    spec: Any = spot.step.settings["for"]
    if "message" in spec:
        return {"message": spec["message"], "key": (spot.visit.key if spot.part is None else spot.part.key) or ""}
    mine = (a for a in walk.alarms if (a.run.n, a.visit, a.instance) == spot.place and a.deadline is None)
    alarm = next(mine, None)
    return {"due": _due(alarm) if alarm else None}


def _child(walk: Walk, spot: Spot) -> Json:
    return {"workflow": spot.step.settings["workflow"]}


def _due(alarm: Alarm) -> str | None:
    return None if alarm.due is None else shown(alarm.due)


def _others(run: Run, token: Token) -> Json:
    """What a token without work waits for: the branches of its join that have none, or the step it depends on."""
    step = run.definition.step(token.step)
    if "only_while" in step.settings:
        return {"only_while": step.settings["only_while"]}
    arrived = {other.came_from for other in run.marking.tokens if other.step == token.step}
    return {"branches": [branch for branch in run.definition.branches(token.step) if branch not in arrived]}
