"""Clocks measured anew when an SLA policy or a calendar has changed; `rebasing_look.py` says first what would change.

Only this moves a pin, and only of SLA policy and calendar; open business-time timers move with it. It is told as
`sla.rebased` in each request's own stream, so that a replay of the events stays true.

A target that is new in the policy starts with the next event that starts it. Where the rebase is retroactive its clock
begins at once, as the events tell it: since when it would have run, live, met or breached by now; of several in the
past the latest. What was told of nobody (who held the request, and its stage, before a target read that) is not known.
A clock that had stopped is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.calendars.models import CalendarVersion
from apps.calendars.selectors import current_version
from apps.core.errors import InvalidInput
from apps.core.json_keys import NamedKey
from apps.requests.enums import IMPORT, OPEN_STATES
from apps.requests.models import Request
from apps.requests.services.pins import default_calendar
from apps.requests.services.rebasing_timers import MovedTimer, moved_timers
from apps.requests.services.writing import begin_write
from apps.sla.clock import ClockEvent
from apps.sla.enums import SlaEvent
from apps.sla.models import SlaClock, SlaPolicyVersion
from apps.sla.selectors import policy_of
from apps.workflows.models import Timer


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
        """The newest versions of the calendars that the policy names."""
        found = {key: current_version(key) for key in (policy_of(self.policy.pk).calendars() if self.policy else ())}
        return {key: version.pk for key, version in sorted(found.items()) if version}

    def calendars_of(self, request: Request) -> dict[str, int]:
        """The versions of the calendars that the policy names which the request has by it: what is pinned stays pinned,
        also by a child workflow, of which clocks have heard nothing.
        """
        pinned = request.pins.get("calendars") or {}
        found = {key: pinned.get(key, newest) for key, newest in self.calendars.items()}
        return {key: self.replaced.get(version, version) for key, version in found.items()}

    def event(self, request: Request, at: datetime, done: Mapping[str, Any]) -> ClockEvent:
        """What is told of it in the request's stream."""
        return ClockEvent(type=SlaEvent.REBASED, at=at, data=self.data(request, done))

    def data(self, request: Request, done: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "policy": self.policy.pk if self.policy else None,
            "replaces": {str(old): new for old, new in self.replaced.items()},
            "calendars": self.calendars_of(request),
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
        paths = [NamedKey(key, NamedKey("calendars", "pins")) for key in keys]
        paths += [NamedKey("requester_calendar", "pins")]
        paths += [NamedKey(name, NamedKey("holder", "pins")) for name in ("team_calendar", "calendar")]
        named = {f"named_{n}": path for n, path in enumerate(paths)}
        for name in named:
            concerned |= Q(**{f"{name}__in": old})
        found = Request.objects.alias(**named)
    else:
        found = Request.objects.all()
    return found.filter(concerned, status__in=OPEN_STATES).exclude(origin=IMPORT).order_by("pk")


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
    timers = moved_timers(write.request, rebase.replaced, write.at, retroactive=rebase.retroactive)
    _save_timers(timers)
    data = rebase.data(write.request, done_of(write.clocks.moving()))
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
