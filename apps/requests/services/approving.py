"""Approvals within a write: opened for a step under its policy, and what becomes of them taken over into the run."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from apps.approvals import services as approvals
from apps.approvals.models import Approval
from apps.approvals.quorum import Deadline, Level, Policy
from apps.approvals.selectors import Concerned
from apps.approvals.services.seating import chairs_of
from apps.calendars.business_time import add
from apps.calendars.selectors import calendar_of
from apps.requests.enums import Relation
from apps.requests.models import Request
from apps.requests.selectors.rounds import policy_at
from apps.requests.services.pins import default_calendar
from apps.requests.services.work_items import concerned, row_of, seen_at
from apps.requests.services.writing import Write
from apps.workflows.engine import effects
from apps.workflows.engine.definition import Step
from apps.workflows.engine.triggers import Complete
from apps.workflows.enums import TimerKind
from apps.workflows.models import Timer
from apps.workflows.services.running import Passage


def open_approval(write: Write, run: Passage, effect: effects.OpenApproval) -> None:
    step = run.definition.step(effect.step)
    policy = policy_for(write, step, run=run)
    outcome = approvals.open_approval(
        row_of(run, effect.visit),
        instance=effect.instance,
        name=step.name,
        policy=policy,
        people=concerned(write, lambda: seen_at(write, run, visit=effect.visit, instance=effect.instance)),
        matters=_digest(write.request, policy),
    )
    take_over(write, outcome, visit=effect.visit, run=run)


def terms_of(write: Write, approval: Approval) -> tuple[Policy, Concerned]:
    """The policy an approval runs under, and whom its rules start from, as the request is now."""
    visit = approval.visit
    run = write.passage_of(visit.run_id)
    policy = policy_for(write, run.definition.step(approval.step), run=run)
    return policy, concerned(write, lambda: seen_at(write, run, visit=visit.number, instance=approval.instance))


def take_over(write: Write, outcome: approvals.Outcome, *, visit: int, run: Passage | None = None) -> None:
    """What an approval's service did, into the write: events, who may now see the request (those who were asked, and
    the chair, who may close the vote), the timer of a level that opened, the run's next trigger.
    """
    write.events += outcome.events
    for approver in outcome.asked:
        write.concerns(f"user:{approver.user.pk}", Relation.APPROVER)
    for chair in chairs_of(outcome.opened, outcome.people) if outcome.opened else ():
        write.concerns(f"user:{chair.pk}", Relation.WATCHER)
    moving = run or write.run
    if outcome.result:
        ended = Complete(visit=visit, instance=outcome.approval.instance, outcome=outcome.result)
        write.triggers.append((moving, ended))
    elif outcome.opened and outcome.opened.deadline:
        _open_timer(write, moving, outcome.approval, outcome.opened, visit)


def policy_for(write: Write, step: Step, *, run: Passage | None = None) -> Policy:
    """The approval policy of a step: inline in the document, or the pinned version it names."""
    return policy_at(step, version=(run or write.run).run.version_id, pins=write.request.pins)


def _digest(request: Request, policy: Policy) -> str:
    """A digest of the fields that must be unchanged for a round to go on where the last one was sent back."""
    if policy.returns != "resume":
        return ""
    values = {name: request.data.get(name) for name in policy.matters}
    return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


# ------------------------------------------------------------------------------------ deadlines


def _open_timer(write: Write, run: Passage, approval: Approval, level: Level, visit: int) -> None:
    assert level.deadline is not None
    due_at = counted(write.request, level.deadline, write.at, level.deadline.business_seconds)
    Timer.objects.create(
        stream=write.request.stream,
        run=run.run,
        visit=visit,
        instance=approval.instance,
        deadline=level.id,
        kind=TimerKind.APPROVAL,
        due_at=due_at,
        check_at=min([at for _, at in reminders(write.request, level.deadline, due_at)] + [due_at]),
    )


def counted(request: Request, deadline: Deadline, since: datetime, seconds: int) -> datetime:
    """The moment that many business seconds after (or, negative, before) another, by the deadline's calendar."""
    key = deadline.calendar or default_calendar(request.pins)
    if key is None:
        return since + timedelta(seconds=seconds)
    return add(calendar_of(request.pins["calendars"][key]), since, seconds)


def reminders(request: Request, deadline: Deadline, due_at: datetime) -> list[tuple[int, datetime]]:
    """The reminders of a deadline, as per cent and moment, counted back from when it is due."""
    left = [(percent, deadline.business_seconds * (100 - percent) // 100) for percent in deadline.remind_at]
    return [(percent, counted(request, deadline, due_at, -seconds)) for percent, seconds in left]


def deadline_of_level(write: Write, run: Passage, step: str, level: str) -> dict[str, Any]:
    """How the deadline of a level counts, in the words of the deadlines of steps; empty if it has none."""
    levels = policy_for(write, run.definition.step(step), run=run).levels
    deadline = next((one.deadline for one in levels if one.id == level), None)
    if deadline is None:
        return {}
    key = deadline.calendar or default_calendar(write.request.pins)
    if key is None:
        return {"seconds": deadline.business_seconds}
    return {"business_seconds": deadline.business_seconds, "calendar": key}


def fire_deadline(write: Write, timer: Timer) -> None:
    """Reminds, or ends the level's time. A timer whose level is decided only closes."""
    run = write.passage_of(timer.run_id)
    found = Approval.objects.filter(visit__run=timer.run_id, visit__number=timer.visit, instance=timer.instance)
    approval = found.select_related("visit", "stream").first()
    policy, people = terms_of(write, approval) if approval else (None, None)
    if approval is None or policy is None or people is None or not _waits_at(approval, policy, timer.deadline):
        _close(write, timer)
        return
    level = policy.levels[approval.level]
    assert level.deadline is not None
    if write.at < timer.due_at:
        percent = _remind_next(write, timer, level.deadline)
        if percent is None:
            return
        outcome = approvals.remind(approval, percent=percent, policy=policy, people=people)
    else:
        _close(write, timer)
        outcome = approvals.time_out(approval, policy=policy, people=people)
    take_over(write, outcome, visit=timer.visit, run=run)


def _waits_at(approval: Approval, policy: Policy, level: str) -> bool:
    return approval.status == "pending" and policy.levels[approval.level].id == level


def _close(write: Write, timer: Timer) -> None:
    timer.fired, timer.closed_at = True, write.at
    timer.save(update_fields=["fired", "closed_at"])


def _remind_next(write: Write, timer: Timer, deadline: Deadline) -> int | None:
    """Puts the timer on to what comes next; the per cent that are over, the last of several that fell due at once. None
    where none is: a hold moved the points to a moment that the calendar counts as none.
    """
    points = reminders(write.request, deadline, timer.due_at)
    timer.check_at = min([at for _, at in points if at > write.at] + [timer.due_at])
    timer.save(update_fields=["check_at"])
    return max((percent for percent, at in points if at <= write.at), default=None)
