"""Approvals of a dry run: level after level, whoever would be asked, and their votes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from apps.workflows.engine import guards
from apps.workflows.engine.effects import OpenApproval
from apps.workflows.engine.simulation.state import Place, Round, Run, Walk
from apps.workflows.engine.simulation.world import PENDING, Level, first_vote
from apps.workflows.engine.triggers import Complete

APPROVED = "approved"
VERDICTS = ("approve", "reject", "return")


class Refused(Exception):
    """An entry of the script that cannot be applied."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def open_round(walk: Walk, run: Run, effect: OpenApproval) -> None:
    """Asks the first level that applies; if none does, the approval ends approved at once."""
    step = run.definition.step(effect.step)
    more = {} if effect.instance is None else {"item": effect.item, "index": effect.instance}
    opened = Round(policy=walk.world.policy(step), more=more)
    place = (run.n, effect.visit, effect.instance)
    if opened.policy is None:
        walk.record.ask(run.path_of(effect.step), None, ())
        walk.rounds[place] = opened
    elif not _ask_next(walk, run, place, opened, run.path_of(effect.step)):
        walk.triggers.append((run, Complete(visit=effect.visit, instance=effect.instance, outcome=APPROVED)))


def vote(walk: Walk, run: Run, place: Place, *, path: str, by: str | None, verdict: str) -> str | None:
    """Takes a vote (of the first who is still asked, if nobody is named); the outcome if it ends the approval.

    Raises Refused, and errors.InvalidInput where the tally refuses it; then nothing has changed.
    """
    current = walk.rounds[place]
    by = _voter(current, by)
    _check(current, by, verdict, path)
    votes = (*current.votes, (by, verdict))
    level = current.level
    status = first_vote((by,), votes) if level is None else level.tally(current.people, votes)
    walk.record.tell(walk.clock, path, f"{by or 'somebody'}: {verdict}")
    walk.rounds[place] = replace(current, votes=votes)
    if status == APPROVED and level is not None:
        return None if _ask_next(walk, run, place, current, path) else APPROVED
    return None if status == PENDING else status


def _voter(current: Round, by: str | None) -> str:
    if by is None and current.policy is not None:
        return current.missing[0] if current.missing else ""
    return by or ""


def _check(current: Round, by: str, verdict: str, path: str) -> None:
    allowed = VERDICTS if current.level is None else current.level.verdicts
    if verdict not in allowed:
        raise Refused("unknown_decision", f"At {path} a decision is one of {', '.join(allowed)}, not {verdict!r}.")
    if current.level is None:
        return
    asked = f"asked at level {current.level.id} of {path}"
    if by not in current.people:
        whom = f"{by!r} is not among those {asked}" if by else f"Nobody is {asked}"
        raise Refused("not_asked", f"{whom}: {', '.join(current.people) or 'there is nobody'}.")
    if by not in current.missing:
        raise Refused("already_decided", f"{by!r} has given an answer already at level {current.level.id} of {path}.")


def _ask_next(walk: Walk, run: Run, place: Place, current: Round, path: str) -> bool:
    """Opens the next level that applies and notes which were skipped; False past the last one."""
    levels = current.policy.levels if current.policy else ()
    facts = {**walk.seen(run), **current.more}
    for index in range(current.index + 1, len(levels)):
        level = levels[index]
        if not _applies(walk, level, facts, path):
            walk.record.ask(path, level.id, (), skipped=f"does not apply: {level.when}")
            continue
        people = level.people(facts, walk.clock)
        walk.rounds[place] = replace(current, index=index, people=people, votes=())
        walk.record.ask(path, level.id, people)
        if not people:
            text = f"Nobody can answer at level {level.id} of {path}, nor its fallback."
            walk.record.blame("nobody_asked", text, step=path)
        return True
    walk.rounds.pop(place, None)
    return False


def _applies(walk: Walk, level: Level, facts: Mapping[str, Any], path: str) -> bool:
    """A guard that fails is never a silent no: the level is asked."""
    try:
        return level.when is None or guards.holds(level.when, facts, walk.clock)
    except guards.GuardFailed as failure:
        text = f"Level {level.id} of {path} is asked although its guard failed: {failure}"
        walk.record.blame("guard", text, step=path)
        return True
