"""Somebody who works on a request gives it another priority; its clocks follow. First what they would do, then it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import InvalidInput, TransitionNotAllowed
from apps.requests import policies
from apps.requests.enums import Level, Priority, RequestEvent, priority_of
from apps.requests.models import Request
from apps.requests.policies import Act
from apps.requests.selectors.clocks import explained
from apps.requests.services.escalations import change_priority
from apps.requests.services.lifecycle import checked_comment
from apps.requests.services.writing import begin_write
from apps.sla.clock import ClockEvent, ClockReading, Target
from apps.sla.enums import ClockStatus
from apps.sla.models import SlaClock
from apps.sla.selectors import events_told

NOT_OPEN = "The request is not open; its priority cannot be changed."
UNCHANGED = "Impact and urgency are like this already; choose another of either."


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """A live clock as it reads now, and as it would once the priority is another one."""

    clock: SlaClock
    target: Target
    before: ClockReading
    after: ClockReading

    @property
    def is_missed_at_once(self) -> bool:
        """Whether what it has counted already is more than it would be allowed."""
        return self.before.status != ClockStatus.BREACHED == self.after.status

    @property
    def escalates_at_once(self) -> bool:
        """Whether an escalation of its policy would fall due that does not now."""
        return set(self.after.state.escalated) > set(self.before.state.escalated)

    @property
    def moves(self) -> bool:
        """Whether it would be due at another time, or would be allowed more or less."""
        before, after = self.before, self.after
        return (before.status, before.due_at, before.state.allowed) != (after.status, after.due_at, after.state.allowed)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What another impact and urgency would give at `at`: the priority, and every live clock, oldest first."""

    at: datetime
    was: Priority
    priority: Priority
    clocks: Sequence[Foreseen]


def preview(request: Request, *, impact: Any, urgency: Any, actor: User) -> Preview:
    """What `set_priority` would do if it ran now: a replay of the events and of the one that would be told. Reads only.

    Raises what that raises, but for the reason, and for levels that change nothing: then nothing moves. Two statements,
    and one for each version of a policy or calendar that this process has not read yet.
    """
    _check_levels(impact, urgency)
    policies.require(actor, Act.PRIORITISE, request)
    _demand_open(request)
    told, rows = events_told(request.pk), list(_live_clocks(request))
    at = max(clock.now(), told[-1].at)
    priority = priority_of(impact, urgency)
    event = ClockEvent(type=RequestEvent.PRIORITY_CHANGED, at=at, data={"priority": str(priority)})
    before = explained(request, rows, until=at, events=told)
    after = explained(request, rows, until=at, events=[*told, event])
    return Preview(
        at=at,
        was=Priority(request.priority),
        priority=priority,
        clocks=[
            Foreseen(clock=one.clock, target=one.target, before=one.reading, after=then.reading)
            for one, then in zip(before, after, strict=True)
        ],
    )


@transaction.atomic(savepoint=False)
def set_priority(request: Request, *, impact: Any, urgency: Any, reason: Any, actor: User) -> Request:
    """Sets impact and urgency, from which the priority follows; what the clocks have counted stays counted.

    Raises InvalidInput by field (an unknown level, no reason, nothing that changes), NotPermitted unless the actor
    works on the request, leads the team or is an administrator, TransitionNotAllowed unless the request is open.
    """
    _check_levels(impact, urgency)
    text = checked_comment(reason, required=True, field="reason")
    write = begin_write(request.pk, actor=actor)
    policies.require(actor, Act.PRIORITISE, write.request)
    _demand_open(write.request)
    if (write.request.impact, write.request.urgency) == (impact, urgency):
        raise InvalidInput({"impact": [UNCHANGED]})
    change_priority(write, impact=impact, urgency=urgency, note=write.note(text))
    return write.finish()


def _check_levels(impact: Any, urgency: Any) -> None:
    wrong = [name for name, value in (("impact", impact), ("urgency", urgency)) if value not in Level.values]
    if wrong:
        raise InvalidInput({name: [f"This must be one of {', '.join(Level.values)}."] for name in wrong})


def _demand_open(request: Request) -> None:
    if not request.is_open:
        raise TransitionNotAllowed(NOT_OPEN)


def _live_clocks(request: Request) -> QuerySet[SlaClock]:
    return SlaClock.objects.filter(stream_id=request.pk, stopped_at__isnull=True).order_by("id")
