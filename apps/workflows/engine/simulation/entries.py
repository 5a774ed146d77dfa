"""One entry of the script: at whose step it happens, and whether it can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.core.errors import InvalidInput, TransitionNotAllowed
from apps.workflows.engine import guards
from apps.workflows.engine.definition import Step
from apps.workflows.engine.simulation.carrying import advance, move, settle
from apps.workflows.engine.simulation.rounds import Refused, vote
from apps.workflows.engine.simulation.script import Entry
from apps.workflows.engine.simulation.state import Run, Spot, Walk
from apps.workflows.engine.trace import TraceKind
from apps.workflows.engine.triggers import Complete, Message


def take(walk: Walk, index: int, entry: Entry) -> None:
    """Lets time pass up to the entry and applies it; one that cannot be applied is a problem, and that is all.

    Raises TooMuch.
    """
    try:
        _pass_time(walk, entry)
        if entry.step is not None:
            _apply(walk, entry.step, entry)
    except Refused as refusal:
        walk.record.blame(refusal.code, str(refusal), step=entry.step, entry=index)
    except TransitionNotAllowed as refusal:
        walk.record.blame("not_possible", refusal.detail, step=entry.step, entry=index)
    except InvalidInput as refusal:
        walk.record.blame("data_refused", str(refusal), step=entry.step, entry=index)
    settle(walk)
    advance(walk, walk.clock)


def _pass_time(walk: Walk, entry: Entry) -> None:
    if entry.at is None:
        return
    if entry.at < walk.clock:
        raise Refused("in_the_past", "Its time is before what has happened already: entries are in order of time.")
    advance(walk, entry.at)


def _apply(walk: Walk, path: str, entry: Entry) -> None:
    step = _step_at(walk, path)
    if step is None:
        raise Refused("unknown_step", f"There is no step {path!r}.")
    if entry.message is not None:
        _send(walk, path, step, entry)
    elif entry.decision is not None:
        _decide(walk, _spot(walk, path, entry), entry)
    elif entry.fail is not None:
        _let_fail(walk, path, step, entry)
    else:
        _complete(walk, _spot(walk, path, entry), entry)


def _step_at(walk: Walk, path: str) -> Step | None:
    """The step that a path names; through subflows into the definitions they would run."""
    definition = walk.runs[0].definition
    *through, last = path.split("/")
    for step_id in through:
        step = definition.step(step_id) if definition.has_step(step_id) else None
        child = walk.world.child(step.settings["workflow"]) if step and step.kind == "subflow" else None
        if child is None:
            return None
        definition = child
    return definition.step(last) if definition.has_step(last) else None


def _spot(walk: Walk, path: str, entry: Entry) -> Spot:
    """The oldest that is open, or the instance that is meant. Raises Refused."""
    found = walk.spots(path)
    if not found:
        raise Refused("not_open", f"Step {path!r} is not open.")
    if entry.instance is None:
        return found[0]
    if any(spot.part is not None for spot in found):
        wanted = [spot for spot in found if spot.instance == entry.instance]
    else:
        wanted = found[entry.instance : entry.instance + 1]
    if not wanted:
        raise Refused("not_open", f"Instance {entry.instance} of step {path!r} is not open.")
    return wanted[0]


def _let_fail(walk: Walk, path: str, step: Step, entry: Entry) -> None:
    if step.kind != "action":
        raise Refused("not_possible", f"A step of kind {step.kind!r} runs no action that could fail.")
    walk.failing[path, entry.instance] += entry.fail or 0


# what a person does


def _complete(walk: Walk, spot: Spot, entry: Entry) -> None:
    outcome = entry.outcome or ""
    _check_outcome(spot, outcome)
    _check_person(walk, spot, entry.by, outcome)
    before = walk.data
    try:
        if entry.data:
            walk.fill(_form_of(spot), entry.data)
        move(walk, spot.run, Complete(visit=spot.visit.id, instance=spot.instance, outcome=outcome))
    except (TransitionNotAllowed, InvalidInput):
        walk.data = before
        raise
    walk.rounds.pop(spot.place, None)


def _check_outcome(spot: Spot, outcome: str) -> None:
    known = [one.id for one in spot.step.work_outcomes]
    if spot.step.kind not in ("task", "approval"):
        raise Refused("not_possible", f"A step of kind {spot.step.kind!r} is not ended by anybody.")
    if outcome not in known:
        text = f"Step {spot.path!r} has no outcome {outcome!r}, only {', '.join(known)}."
        raise Refused("unknown_outcome", text)


def _check_person(walk: Walk, spot: Spot, by: str | None, outcome: str) -> None:
    """Whoever is named must be one of those whom the task is for, and for whom its outcome is kept."""
    if by is None or spot.step.kind != "task":
        return
    people = walk.tasks.get(spot.place, ())
    if by not in people:
        text = f"{by!r} is not among those whom {spot.path!r} is for: {', '.join(people) or 'there is nobody'}."
        raise Refused("not_asked", text)
    kept_for = next((one.by for one in spot.step.work_outcomes if one.id == outcome), None)
    if kept_for and by not in walk.world.people(kept_for, _seen_at(walk, spot), walk.clock):
        raise Refused("not_asked", f"The outcome {outcome!r} of {spot.path!r} is not for {by!r}.")


def _form_of(spot: Spot) -> str:
    form: str | None = spot.step.settings.get("form")
    if form is None:
        raise Refused("no_form", f"Step {spot.path!r} asks for no values.")
    return form


def _seen_at(walk: Walk, spot: Spot) -> Mapping[str, Any]:
    seen = walk.seen(spot.run)
    return seen if spot.part is None else {**seen, "item": spot.part.item, "index": spot.part.index}


def _decide(walk: Walk, spot: Spot, entry: Entry) -> None:
    before = walk.rounds.get(spot.place)
    if before is None or spot.in_incident:
        raise Refused("not_possible", f"Step {spot.path!r} asks for no decision.")
    verdict = entry.decision or ""
    outcome = vote(walk, spot.run, spot.place, path=spot.path, by=entry.by, verdict=verdict)
    if outcome is None:
        return
    try:
        move(walk, spot.run, Complete(visit=spot.visit.id, instance=spot.instance, outcome=outcome))
    except TransitionNotAllowed:
        walk.rounds[spot.place] = before
        raise
    walk.rounds.pop(spot.place, None)


# messages


def _send(walk: Walk, path: str, step: Step, entry: Entry) -> None:
    """Sends a message to the run of the wait; one that comes early is kept where the wait says so."""
    spec = step.settings.get("for", {}) if step.kind == "wait" else {}
    if spec.get("message") != entry.message:
        raise Refused("unknown_message", f"Step {path!r} does not wait for a message {entry.message!r}.")
    run, key = _addressed(walk, path, spec, entry)
    planned = move(walk, run, Message(name=entry.message or "", key=key, payload=entry.data))
    kinds = {told.kind for told in planned.trace}
    if TraceKind.KEPT in kinds:
        walk.record.tell(walk.clock, path, "message kept")
    if TraceKind.LOST in kinds:
        raise Refused("lost", f"Nobody waits for a message {entry.message!r} with the key {key!r}: it is lost.")


def _addressed(walk: Walk, path: str, spec: Mapping[str, Any], entry: Entry) -> tuple[Run, str]:
    """The run and the key of a message: those of the wait that is open, else what the wait would ask for."""
    if walk.spots(path):
        spot = _spot(walk, path, entry)
        waits_for = spot.visit.key if spot.part is None else spot.part.key
        return spot.run, entry.key if entry.key is not None else waits_for or ""
    prefix = path.rpartition("/")[0]
    run = next((run for run in walk.runs if (run.named(None) or "") == prefix and run.marking.tokens), None)
    if run is None or not spec.get("keep"):
        raise Refused("not_open", f"Step {path!r} is not open, and keeps no message that comes early.")
    return run, entry.key if entry.key is not None else _key_of(walk, run, spec)


def _key_of(walk: Walk, run: Run, spec: Mapping[str, Any]) -> str:
    if "key" not in spec:
        return ""
    try:
        return str(guards.evaluate(spec["key"], walk.seen(run), walk.clock))
    except guards.GuardFailed as failure:
        raise Refused("guard", f"The key of the message is not known: {failure}") from failure
