"""Clocks measured anew when an SLA policy or a calendar has changed: first what would change, then the change.

Only this moves a pin, and only of SLA policy and calendar. It is told as `sla.rebased` in each request's own stream,
so that a replay of the events stays true.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.core import clock as time
from apps.requests.enums import IMPORT, OPEN_STATES
from apps.requests.models import Request
from apps.requests.services.writing import begin_write
from apps.sla import clock
from apps.sla.clock import ClockEvent, ClockReading, Target
from apps.sla.enums import SlaEvent
from apps.sla.models import SlaClock, SlaPolicyVersion
from apps.sla.selectors import CALENDARS, events_told, policy_of, target_of

MOST_SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class Rebase:
    """The versions to measure by: of an SLA policy (None leaves it), and of calendars by those they replace, as ids.

    `retroactive`: as if they had been in force from the beginning, not from now on.
    """

    policy: SlaPolicyVersion | None = None
    replaces: Mapping[int, int] | None = None
    retroactive: bool = False

    def event(self, at: datetime, done: Mapping[str, Any]) -> ClockEvent:
        """What is told of it in a request's stream."""
        return ClockEvent(type=SlaEvent.REBASED, at=at, data=self.data(done))

    def data(self, done: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "policy": self.policy.pk if self.policy else None,
            "replaces": {str(old): new for old, new in (self.replaces or {}).items()},
            "retroactive": self.retroactive,
            "done": dict(done),
        }


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A clock that the rebase would move."""

    number: str
    target: str
    status: str
    due_at: datetime | None
    new_status: str
    new_due_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a rebase would change: how many clocks it looks at and moves, which would be breached now or no longer."""

    clocks: int
    moved: tuple[Moved, ...]

    @property
    def breached(self) -> int:
        """How many would now be breached."""
        return sum(one.status != "breached" == one.new_status for one in self.moved)

    @property
    def no_longer_breached(self) -> int:
        return sum(one.status == "breached" != one.new_status for one in self.moved)


def affected(rebase: Rebase) -> QuerySet[Request]:
    """The open requests with a clock that the rebase concerns, by id."""
    concerned = Q(pk__in=[])
    if rebase.policy is not None:
        versions = SlaPolicyVersion.objects.filter(key=rebase.policy.key).exclude(pk=rebase.policy.pk)
        concerned |= Q(stream__clocks__policy__in=versions)
    if rebase.replaces:
        concerned |= Q(stream__clocks__calendar__in=list(rebase.replaces))
    live = Q(stream__clocks__stopped_at__isnull=True)
    found = Request.objects.filter(concerned & live, status__in=OPEN_STATES).exclude(origin=IMPORT)
    return found.distinct().order_by("pk")


def preview(rebase: Rebase, *, now: datetime | None = None) -> Preview:
    """What `apply` would change if it ran now. Reads only."""
    moment, looked_at, moved = now or time.now(), 0, []
    for request in affected(rebase).iterator(chunk_size=500):
        for row, reading in _readings(request, rebase, moment):
            looked_at += 1
            status, due = (reading.status, reading.due_at) if reading else ("void", None)
            if (status, due) != (row.status, row.due_at):
                moved.append(
                    Moved(
                        number=request.number,
                        target=row.target,
                        status=row.status,
                        due_at=row.due_at,
                        new_status=status,
                        new_due_at=due,
                    )
                )
    return Preview(clocks=looked_at, moved=tuple(moved))


def apply(rebase: Rebase, *, actor: User | None) -> int:
    """Measures the clocks of every request concerned anew, each in a transaction of its own; how many there were.

    Killed half-way it is simply run again: a request that was rebased is not concerned any more.
    """
    done = 0
    for pk in list(affected(rebase).values_list("pk", flat=True)):
        done += _apply_to(pk, rebase, actor)
    return done


@transaction.atomic
def _apply_to(pk: int, rebase: Rebase, actor: User | None) -> bool:
    write = begin_write(pk, actor=actor)
    if not affected(rebase).filter(pk=pk).exists():
        return False
    data = rebase.data(_done(write.request))
    write.tell(SlaEvent.REBASED, **data)
    write.let_clocks_follow()
    context = write.clocks.context
    holder = write.request.pins.get("holder")
    pins = {**write.request.pins, "sla": context.policy, "calendars": dict(context.calendars)}
    if context.requester:
        pins["requester_calendar"] = context.requester
    if holder:
        pins["holder"] = {**holder, "team_calendar": context.team_calendar, "calendar": context.owner}
    write.request.pins = pins
    write.finish()
    return True


def _done(request: Request) -> dict[str, Any]:
    """What was told of the live clocks already, so that it is not told again."""
    rows = SlaClock.objects.filter(stream_id=request.pk, stopped_at__isnull=True)
    return {
        row.target: {"warned": row.warned, "escalated": row.escalated} for row in rows if row.warned or row.escalated
    }


def _readings(request: Request, rebase: Rebase, now: datetime) -> Iterator[tuple[SlaClock, ClockReading | None]]:
    """Every live clock of the request and how it would read; None where its target would not be measured any more."""
    rows = list(SlaClock.objects.filter(stream_id=request.pk, stopped_at__isnull=True).order_by("id"))
    events = events_told(request.pk)
    told = [*events, rebase.event(max(now, events[-1].at), _done(request))]
    for row in rows:
        target = _target(row, rebase)
        targets = None if rebase.retroactive else {row.policy_id: target_of(row)}
        yield row, clock.replay(target, CALENDARS, told, told[-1].at, targets=targets) if target else None


def _target(row: SlaClock, rebase: Rebase) -> Target | None:
    return policy_of(rebase.policy.pk).target(row.target) if rebase.policy else target_of(row)
