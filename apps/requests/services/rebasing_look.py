"""What a rebase would change, before it is applied. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from celery.exceptions import SoftTimeLimitExceeded
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError

from apps.core import clock as time
from apps.core.errors import DomainError
from apps.outbox.models import Event
from apps.requests.enums import RequestEvent
from apps.requests.models import Request
from apps.requests.services.rebasing import Rebase, affected, done_of
from apps.requests.services.rebasing_timers import OpenTimers
from apps.requests.services.writing import context_of, newest_of, untold_holder
from apps.sla import clock
from apps.sla.anew import begins_clocks, measured_anew, newly_begun
from apps.sla.clock import ClockEvent, ClockState, Context, Target
from apps.sla.models import SlaClock
from apps.sla.selectors import CALENDARS, policy_of, target_of, unstopped
from apps.sla.stored import state_of
from apps.sla.words import name_of

CHUNK = 200
OF_THE_MOMENT = (SoftTimeLimitExceeded, DatabaseError)


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A clock that the rebase would move, with what its target is called; without a `status` one that would begin."""

    number: str
    target: str
    name: str
    status: str | None
    due_at: datetime | None
    new_status: str
    new_due_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Unmeasured:
    """A request that the new versions cannot measure, so that it would be left out."""

    number: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a rebase would change: how many clocks it looks at, those that it moves, those that would begin, which would
    be breached now or no longer, and how many timers of waits and deadlines fall due at another time.
    """

    clocks: int = 0
    moved: tuple[Moved, ...] = ()
    begun: tuple[Moved, ...] = ()
    timers: int = 0
    unmeasured: tuple[Unmeasured, ...] = ()

    @property
    def breached(self) -> int:
        """How many would now be breached."""
        return sum(one.status != "breached" == one.new_status for one in (*self.moved, *self.begun))

    @property
    def no_longer_breached(self) -> int:
        return sum(one.status == "breached" != one.new_status for one in self.moved)

    def __add__(self, other: Preview) -> Preview:
        return Preview(
            clocks=self.clocks + other.clocks,
            moved=self.moved + other.moved,
            begun=self.begun + other.begun,
            timers=self.timers + other.timers,
            unmeasured=self.unmeasured + other.unmeasured,
        )


def preview(rebase: Rebase, *, now: datetime | None = None) -> Preview:
    """What `apply` would change if it ran now."""
    return sum((preview_of(chunk, rebase, now or time.now()) for chunk in chunks(rebase)), Preview())


def chunks(rebase: Rebase, *, after: int = 0) -> Iterator[list[Request]]:
    """The requests concerned behind an id, some hundred at a time: memory does not grow with their number."""
    while found := list(affected(rebase).filter(pk__gt=after).select_related("team", "assignee")[:CHUNK]):
        yield found
        after = found[-1].pk


def preview_of(requests: Sequence[Request], rebase: Rebase, now: datetime) -> Preview:
    """What becomes of these requests; the number of statements does not depend on how many they are.

    One that cannot be measured is named with the reason, and the others go on.
    """
    known = _Known.of(requests, rebase, now)
    return sum((known.preview(request) for request in requests), Preview())


def reason_of(error: Exception) -> str:
    """Why a request cannot be measured, as people may read it: other messages may hold whole rows."""
    if isinstance(error, DomainError):
        return error.detail
    return str(error) if isinstance(error, ObjectDoesNotExist) else type(error).__name__


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What is read of some requests at once: their clocks, what was told, and their open timers."""

    rebase: Rebase
    now: datetime
    timers: OpenTimers
    rows: Mapping[int, Sequence[SlaClock]] = field(default_factory=dict)
    told: Mapping[int, Sequence[ClockEvent]] = field(default_factory=dict)
    version_of: Callable[[str], int | None]

    @classmethod
    def of(cls, requests: Sequence[Request], rebase: Rebase, now: datetime) -> _Known:
        ids = [request.pk for request in requests]
        is_whole = rebase.retroactive and rebase.policy is not None
        rows = SlaClock.objects.filter(stream_id__in=ids).order_by("id") if is_whole else unstopped(ids)
        by_stream: defaultdict[int, list[SlaClock]] = defaultdict(list)
        for row in rows:
            by_stream[row.stream_id].append(row)
        told = _told(ids) if rebase.retroactive else {}
        timers = OpenTimers.of(requests) if rebase.replaced else OpenTimers()
        return cls(rebase=rebase, now=now, timers=timers, rows=by_stream, told=told, version_of=cache(newest_of))

    def preview(self, request: Request) -> Preview:
        rows = self.rows.get(request.pk, ())
        live = [row for row in rows if row.stopped_at is None]
        try:
            moved, begun = self._clocks(request, rows, live)
            timers = self.timers.moved(request, self.rebase.replaced, self.now, retroactive=self.rebase.retroactive)
        except OF_THE_MOMENT:
            raise
        except Exception as error:
            return Preview(clocks=len(live), unmeasured=(Unmeasured(number=request.number, reason=reason_of(error)),))
        return Preview(clocks=len(live), moved=moved, begun=begun, timers=len(timers))

    def _clocks(
        self, request: Request, rows: Sequence[SlaClock], live: Sequence[SlaClock]
    ) -> tuple[tuple[Moved, ...], tuple[Moved, ...]]:
        """Those that move, and those that would begin."""
        context = context_of(request)
        if context.policy is None:
            return (), ()
        told = self.told.get(request.pk)
        event = self.rebase.event(request, max(self.now, told[-1].at) if told else self.now, done_of(live))
        past, after = [*told, event] if told is not None else None, context.rebased(event)
        then = self._then(request, after, event.at)
        moved = []
        for row in live:
            before, _ = clock.check(state_of(row), target_of(row), CALENDARS, event.at)
            state = then(row.target, measured_anew(row, after, event, past)[0])
            if (before.status, before.due_at) != (state.status, state.due_at):
                moved.append(_line(request, target_of(row), before, state))
        begun = newly_begun(after, event, past, rows) if past is not None and begins_clocks(event) else ()
        started = [_line(request, target, None, then(target.id, state)) for target, state in begun]
        return tuple(moved), tuple(started)

    def _then(self, request: Request, after: Context, at: datetime) -> Callable[[str, ClockState], ClockState]:
        """What becomes of a clock that was measured anew when it is told who holds the request, if its policy is the
        first to ask.
        """
        assert after.policy is not None
        policy = policy_of(after.policy)
        holder = untold_holder(request, policy, version_of=self.version_of)
        told = ClockEvent(type=RequestEvent.OWNER_CHANGED, at=at, data=holder or {})

        def then(target_id: str, state: ClockState) -> ClockState:
            target = policy.target(target_id)
            if holder is None or target is None:
                return state
            return clock.advance(state, target, after.after(told), CALENDARS, told)[0]

        return then


def _line(request: Request, target: Target, before: ClockState | None, after: ClockState) -> Moved:
    return Moved(
        number=request.number,
        target=target.id,
        name=name_of(target),
        status=before.status if before else None,
        due_at=before.due_at if before else None,
        new_status=after.status,
        new_due_at=after.due_at,
    )


def _told(ids: Sequence[int]) -> Mapping[int, list[ClockEvent]]:
    found: defaultdict[int, list[ClockEvent]] = defaultdict(list)
    stored = Event.objects.filter(stream__in=ids).order_by("stream", "seq").values_list("stream", "type", "at", "data")
    for stream, kind, at, data in stored.iterator(chunk_size=2000):
        found[stream].append(ClockEvent(type=kind, at=at, data=data))
    return found
