"""Approvals of a dry run: level after level, whoever would be asked, and their votes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from apps.workflows.engine import guards
from apps.workflows.engine.effects import OpenApproval
from apps.workflows.engine.simulation.state import Alarm, Place, Round, Run, Walk
from apps.workflows.engine.simulation.world import PENDING, TIE, Level, People, first_vote
from apps.workflows.engine.triggers import Complete

APPROVED = "approved"
VERDICTS = ("approve", "reject", "return")
ENDS = {"reject": "rejected", "return": "returned", "expire": "expired"}


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
    by_one = current.slate is None or current.deciding
    status = first_vote((by,), votes) if by_one or current.slate is None else current.slate.tally(votes)
    walk.record.tell(walk.clock, path, f"{by or 'somebody'}: {verdict}")
    walk.rounds[place] = current = replace(current, votes=votes)
    if status == APPROVED and current.level is not None:
        return None if _ask_next(walk, run, place, current, path) else APPROVED
    if status == TIE and current.level and current.level.chair:
        _ask_deciders(walk, run, place, current, path, current.level.chair)
    return None if status in (PENDING, TIE) else status


def fire(walk: Walk, alarm: Alarm) -> None:
    """Reminds, or ends the time of the level; nothing where the level is over."""
    walk.record.count()
    current, path = walk.rounds.get(alarm.place), alarm.run.path_of(alarm.step)
    level = current.level if current else None
    is_open = alarm.run.is_open(alarm.visit, alarm.instance)
    if current is None or level is None or level.deadline is None or level.id != alarm.level or not is_open:
        return
    if alarm.percent is not None:
        walk.record.tell(
            walk.clock, path, f"reminded, {alarm.percent} % of the time is over: {_named(current.missing)}"
        )
        return
    then = level.deadline.then
    walk.record.tell(walk.clock, path, f"level {level.id} is not decided in time: {then}")
    if then == "escalate" and level.escalate:
        _ask_deciders(walk, alarm.run, alarm.place, current, path, level.escalate)
    elif then != "approve" or not _ask_next(walk, alarm.run, alarm.place, current, path):
        walk.rounds.pop(alarm.place, None)
        ended = Complete(visit=alarm.visit, instance=alarm.instance, outcome=ENDS.get(then, APPROVED))
        walk.triggers.append((alarm.run, ended))


def _voter(current: Round, by: str | None) -> str:
    if by is None and current.policy is not None:
        return current.missing[0] if current.missing else ""
    return by or ""


def _check(current: Round, by: str, verdict: str, path: str) -> None:
    allowed = VERDICTS if current.level is None else current.level.verdicts
    if current.deciding:
        allowed = tuple(one for one in allowed if one in VERDICTS)
    if verdict not in allowed:
        raise Refused("unknown_decision", f"At {path} a decision is one of {', '.join(allowed)}, not {verdict!r}.")
    if current.level is None:
        return
    asked = f"asked at level {current.level.id} of {path}"
    if by not in current.people:
        whom = f"{by!r} is not among those {asked}" if by else f"Nobody is {asked}"
        raise Refused("not_asked", f"{whom}: {_named(current.people)}.")
    if by not in current.missing:
        raise Refused("already_decided", f"{by!r} has given an answer already at level {current.level.id} of {path}.")


def _ask_next(walk: Walk, run: Run, place: Place, current: Round, path: str) -> bool:
    """Opens the next level that applies and notes which were skipped; False past the last one."""
    levels = current.policy.levels if current.policy else ()
    facts, earlier = {**walk.seen(run), **current.more}, (*current.earlier, *dict(current.votes))
    for index in range(current.index + 1, len(levels)):
        level = levels[index]
        if not _applies(walk, level, facts, path):
            walk.record.ask(path, level.id, (), skipped=f"does not apply: {level.when}")
            continue
        slate = level.slate(facts, walk.clock, earlier)
        walk.rounds[place] = replace(
            current, index=index, people=slate.people, votes=(), slate=slate, deciding=False, earlier=earlier
        )
        walk.record.ask(path, level.id, slate.people)
        for code, text in slate.warnings:
            walk.record.blame(code, f"Level {level.id} of {path}: {text}", step=path)
        if not slate.people:
            text = f"Nobody can answer at level {level.id} of {path}, nor its fallback."
            walk.record.blame("nobody_asked", text, step=path)
        _set_alarms(walk, run, place, level, path)
        return True
    walk.rounds.pop(place, None)
    return False


def _ask_deciders(
    walk: Walk,
    run: Run,
    place: Place,
    current: Round,
    path: str,
    whom: Callable[[Mapping[str, Any], datetime, People], People],
) -> None:
    """Asks those of whom one decides alone; the others are not asked any more. Without anybody all stays as it is."""
    level = current.level.id if current.level else None
    people = whom({**walk.seen(run), **current.more}, walk.clock, current.earlier)
    if people:
        answered = (*current.earlier, *dict(current.votes))
        walk.rounds[place] = replace(current, people=people, votes=(), deciding=True, earlier=answered)
        walk.record.ask(path, level, people)
    else:
        walk.record.blame("nobody_asked", f"Nobody is there to decide level {level} of {path}.", step=path)


def _set_alarms(walk: Walk, run: Run, place: Place, level: Level, path: str) -> None:
    """The deadline of a level that opens, and its reminders."""
    if level.deadline is None:
        return
    due = level.deadline.due(walk.clock)
    points = ((None, due), *(level.deadline.reminders(due) if due else ()))
    step = path.removeprefix(run.prefix)
    for percent, at in points:
        walk.record.note_due(path, level.id if percent is None else f"{level.id} {percent} %", at)
        alarm = Alarm(
            number=walk.number(),
            run=run,
            visit=place[1],
            step=step,
            instance=place[2],
            deadline=None,
            due=at,
            level=level.id,
            percent=percent,
        )
        walk.alarms.append(alarm)
    if due is None:
        text = f"Nobody knows when level {level.id} of {path} is due: there is no such calendar."
        walk.record.blame("unknown_calendar", text, step=path)


def _named(people: People) -> str:
    return ", ".join(people) or "there is nobody"


def _applies(walk: Walk, level: Level, facts: Mapping[str, Any], path: str) -> bool:
    """A guard that fails is never a silent no: the level is asked."""
    try:
        return level.when is None or guards.holds(level.when, facts, walk.clock)
    except guards.GuardFailed as failure:
        text = f"Level {level.id} of {path} is asked although its guard failed: {failure}"
        walk.record.blame("guard", text, step=path)
        return True
