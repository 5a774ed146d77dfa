"""Clocks measured anew when an SLA policy or a calendar has changed: first what would change, then the change.

Only this moves a pin, and only of SLA policy and calendar; open business-time timers move with it. It is told as
`sla.rebased` in each request's own stream, so that a replay of the events stays true. A target that is new in the
policy starts with the next event that starts it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.fields.json import KeyTransform

from apps.accounts.models import User
from apps.calendars.models import CalendarVersion
from apps.calendars.selectors import current_version
from apps.core import clock as time
from apps.core.errors import InvalidInput
from apps.outbox.models import Event
from apps.requests.enums import IMPORT, OPEN_STATES
from apps.requests.models import Request
from apps.requests.services.pins import default_calendar
from apps.requests.services.rebasing_timers import MovedTimer, moved_timers
from apps.requests.services.writing import begin_write, context_of
from apps.sla import clock
from apps.sla.clock import ClockEvent, ClockState
from apps.sla.enums import SlaEvent
from apps.sla.models import SlaClock, SlaPolicyVersion
from apps.sla.selectors import CALENDARS, policy_of, target_of, unstopped
from apps.sla.services import measured_anew, state_of
from apps.workflows.models import Timer

CHUNK = 200


@dataclass(frozen=True, kw_only=True)
class Rebase:
    """The versions to measure by: of an SLA policy (None leaves it), and of calendars by those they replace, as ids.

    `retroactive`: as if they had been in force from the beginning, not from now on.
    """

    policy: SlaPolicyVersion | None = None
    replaces: Mapping[int, int] | None = None
    retroactive: bool = False

    @cached_property
    def replaced(self) -> Mapping[int, int]:
        return dict(self.replaces or {})

    @cached_property
    def former(self) -> frozenset[int]:
        """The ids of the earlier versions of the policy."""
        if self.policy is None:
            return frozenset()
        earlier = SlaPolicyVersion.objects.filter(key=self.policy.key, n__lt=self.policy.n)
        return frozenset(earlier.values_list("pk", flat=True))

    @cached_property
    def calendars(self) -> Mapping[str, int]:
        """The newest versions of the calendars that the policy names, for requests that are not pinned to them yet."""
        found = {key: current_version(key) for key in (policy_of(self.policy.pk).calendars() if self.policy else ())}
        return {key: version.pk for key, version in sorted(found.items()) if version}

    def event(self, at: datetime, done: Mapping[str, Any]) -> ClockEvent:
        """What is told of it in a request's stream."""
        return ClockEvent(type=SlaEvent.REBASED, at=at, data=self.data(done))

    def data(self, done: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "policy": self.policy.pk if self.policy else None,
            "replaces": {str(old): new for old, new in self.replaced.items()},
            "calendars": dict(self.calendars),
            "retroactive": self.retroactive,
            "done": dict(done),
        }

    def concerns(self, request: Request) -> bool:
        """Whether the request is open and runs on a version that is replaced."""
        pins, holder = request.pins, request.pins.get("holder") or {}
        named = {*pins.get("calendars", {}).values(), pins.get("requester_calendar")}
        named |= {holder.get("team_calendar"), holder.get("calendar")}
        replaced = pins.get("sla") in self.former or not named.isdisjoint(self.replaced)
        return request.is_open and request.origin != IMPORT and replaced


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
    """What a rebase would change: how many clocks it looks at and moves, which would be breached now or no longer, and
    how many timers of waits and deadlines fall due at another time.
    """

    clocks: int
    moved: tuple[Moved, ...]
    timers: int = 0

    @property
    def breached(self) -> int:
        """How many would now be breached."""
        return sum(one.status != "breached" == one.new_status for one in self.moved)

    @property
    def no_longer_breached(self) -> int:
        return sum(one.status == "breached" != one.new_status for one in self.moved)


def require_sound(rebase: Rebase) -> None:
    """Raises InvalidInput, by `policy` and `calendar`, unless it goes from earlier versions to the newest of a key."""
    problems: dict[str, list[str]] = {}
    if rebase.policy is None and not rebase.replaced:
        problems["policy"] = ["There is nothing to replace: name an SLA policy or a calendar."]
    if rebase.policy is not None and rebase.policy != SlaPolicyVersion.objects.current(rebase.policy.key):
        problems["policy"] = [f"{rebase.policy} is not the newest version."]
    elif rebase.policy is not None and not rebase.former:
        problems["policy"] = [f"{rebase.policy} is the only version: there is nothing to replace."]
    calendars = _calendar_problems(rebase.replaced)
    if calendars:
        problems["calendar"] = calendars
    if problems:
        raise InvalidInput(problems)


def _calendar_problems(replaced: Mapping[int, int]) -> list[str]:
    known = CalendarVersion.objects.in_bulk([*replaced, *replaced.values()])
    problems = [f"There is no calendar version {pk}." for pk in sorted({*replaced, *replaced.values()} - known.keys())]
    pairs = [(known[old], known[new]) for old, new in replaced.items() if old in known and new in known]
    problems += [f"{old} cannot replace itself." for old, new in pairs if old == new]
    problems += [f"{new} is another calendar than {old}." for old, new in pairs if old.key != new.key]
    newest = {key: current_version(key) for key in {new.key for _, new in pairs}}
    outdated = {new.pk: new for _, new in pairs if newest[new.key] != new}
    return problems + [f"{new} is not the newest version." for _, new in sorted(outdated.items())]


def affected(rebase: Rebase) -> QuerySet[Request]:
    """The open requests that run on a version the rebase replaces, by id."""
    concerned = Q(pk__in=[])
    if rebase.former:
        concerned |= Q(pins__sla__in=sorted(rebase.former))
    old = sorted(rebase.replaced)
    if old:
        keys = CalendarVersion.objects.filter(pk__in=old).values_list("key", flat=True).distinct().order_by("key")
        paths = [KeyTransform(key, KeyTransform("calendars", "pins")) for key in keys]
        paths += [KeyTransform("requester_calendar", "pins")]
        paths += [KeyTransform(name, KeyTransform("holder", "pins")) for name in ("team_calendar", "calendar")]
        named = {f"named_{n}": path for n, path in enumerate(paths)}
        for name in named:
            concerned |= Q(**{f"{name}__in": old})
        found = Request.objects.alias(**named)
    else:
        found = Request.objects.all()
    return found.filter(concerned, status__in=OPEN_STATES).exclude(origin=IMPORT).order_by("pk")


def preview(rebase: Rebase, *, now: datetime | None = None) -> Preview:
    """What `apply` would change if it ran now. Reads only."""
    parts = [preview_of(chunk, rebase, now or time.now()) for chunk in chunks(rebase)]
    moved = tuple(one for part in parts for one in part.moved)
    return Preview(clocks=sum(one.clocks for one in parts), moved=moved, timers=sum(one.timers for one in parts))


def chunks(rebase: Rebase, *, after: int = 0) -> Iterator[list[Request]]:
    """The requests concerned behind an id, some hundred at a time: memory does not grow with their number."""
    while found := list(affected(rebase).filter(pk__gt=after)[:CHUNK]):
        yield found
        after = found[-1].pk


def preview_of(requests: Sequence[Request], rebase: Rebase, now: datetime) -> Preview:
    """What becomes of these requests; the number of statements does not depend on how many they are."""
    ids = [request.pk for request in requests]
    rows = defaultdict[int, list[SlaClock]](list)
    for row in unstopped(ids):
        rows[row.stream_id].append(row)
    told = _told(ids) if rebase.retroactive else {}
    moved: list[Moved] = []
    looked_at = 0
    for request in requests:
        looked_at += len(rows[request.pk])
        moved += _moved(request, rows[request.pk], told.get(request.pk), rebase, now)
    timers = moved_timers(requests, rebase.replaced, now, retroactive=rebase.retroactive)
    return Preview(clocks=looked_at, moved=tuple(moved), timers=len(timers))


def _told(ids: Sequence[int]) -> Mapping[int, list[ClockEvent]]:
    found: defaultdict[int, list[ClockEvent]] = defaultdict(list)
    stored = Event.objects.filter(stream__in=ids).order_by("stream", "seq").values_list("stream", "type", "at", "data")
    for stream, kind, at, data in stored.iterator(chunk_size=2000):
        found[stream].append(ClockEvent(type=kind, at=at, data=data))
    return found


def _moved(
    request: Request, rows: Sequence[SlaClock], told: list[ClockEvent] | None, rebase: Rebase, now: datetime
) -> Iterator[Moved]:
    context = context_of(request)
    if context.policy is None:
        return
    event = rebase.event(max(now, told[-1].at) if told else now, done_of(rows))
    past, after = [*told, event] if told is not None else None, context.rebased(event)
    for row in rows:
        before, _ = clock.check(state_of(row), target_of(row), CALENDARS, event.at)
        state, _, _ = measured_anew(row, after, event, past)
        if _shown(before) != _shown(state):
            yield Moved(
                number=request.number,
                target=row.target,
                status=before.status,
                due_at=before.due_at,
                new_status=state.status,
                new_due_at=state.due_at,
            )


def _shown(state: ClockState) -> tuple[str, datetime | None]:
    return state.status, state.due_at


def apply(rebase: Rebase, *, actor: User | None) -> int:
    """Measures the clocks of every request concerned anew, each in a transaction of its own; how many there were.

    Killed half-way it is simply run again: a request that was rebased is not concerned any more.
    """
    done = 0
    for pk in list(affected(rebase).values_list("pk", flat=True)):
        with transaction.atomic():
            done += apply_to(pk, rebase, actor=actor)
    return done


def apply_to(pk: int, rebase: Rebase, *, actor: User | None) -> bool:
    """Measures the clocks and timers of one request anew, in the caller's transaction; False if it is not concerned.

    Asked under the lock: it may have ended meanwhile, or been rebased by somebody else.
    """
    write = begin_write(pk, actor=actor)
    if not rebase.concerns(write.request):
        return False
    timers = moved_timers([write.request], rebase.replaced, write.at, retroactive=rebase.retroactive)
    _save_timers(timers)
    data = rebase.data(done_of(unstopped([pk])))
    if timers:
        data["timers"] = [{"timer": one.timer.pk, "due_at": one.due_at.isoformat()} for one in timers]
    write.tell(SlaEvent.REBASED, **data)
    write.let_clocks_follow()
    context = write.clocks.context
    holder = write.request.pins.get("holder")
    by_default = default_calendar(write.request.pins)  # a policy that names more calendars changes no deadline
    pins = {**write.request.pins, "sla": context.policy, "calendars": dict(context.calendars)}
    pins["default_calendar"] = by_default
    if context.requester:
        pins["requester_calendar"] = context.requester
    if holder:
        pins["holder"] = {**holder, "team_calendar": context.team_calendar, "calendar": context.owner}
    write.request.pins = pins
    write.finish()
    return True


def _save_timers(moved: Sequence[MovedTimer]) -> None:
    for one in moved:
        one.timer.due_at, one.timer.check_at = one.due_at, one.check_at
    if moved:
        Timer.objects.bulk_update([one.timer for one in moved], ["due_at", "check_at"])


def done_of(rows: Sequence[SlaClock] | QuerySet[SlaClock]) -> dict[str, Any]:
    """What was told of the live clocks already, so that it is not told again."""
    return {
        row.target: {"warned": row.warned, "escalated": row.escalated} for row in rows if row.warned or row.escalated
    }


def retroactively(rebase: Rebase, *, retroactive: bool) -> Rebase:
    """The same rebase, from the beginning or from now on."""
    return replace(rebase, retroactive=retroactive)
