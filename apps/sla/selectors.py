"""SLA policy versions and the clocks of a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import Q, QuerySet

from apps.calendars.business_time import Calendar
from apps.calendars.selectors import calendar_of
from apps.outbox.models import Event
from apps.sla.clock import CONTEXT_EVENTS, ClockEvent, ClockState, latest
from apps.sla.clock.context import REBASED, SUBMITTED
from apps.sla.enums import ClockStatus
from apps.sla.models import SlaClock, SlaPolicyVersion
from apps.sla.targets import SlaPolicy, Target, parse_policy


class Versions(Mapping[int, Calendar]):
    """Every calendar version by id, read when it is asked for."""

    def __getitem__(self, version_id: int) -> Calendar:
        return calendar_of(version_id)

    def __iter__(self) -> Iterator[int]:
        raise NotImplementedError("Calendar versions are looked up, not listed.")

    def __len__(self) -> int:
        raise NotImplementedError("Calendar versions are looked up, not counted.")


CALENDARS = Versions()
UNSTOPPED = Q(status__in=[ClockStatus.RUNNING, ClockStatus.PAUSED]) | Q(status=ClockStatus.BREACHED, stopped_at=None)


@lru_cache(maxsize=1024)
def policy_of(version_id: int) -> SlaPolicy:
    """The parsed policy of a version: immutable, so cached for ever."""
    return parse_policy(SlaPolicyVersion.objects.get(pk=version_id).document)


@lru_cache(maxsize=1024)
def events_of(version_id: int) -> frozenset[str]:
    """The types of the events that may move a clock of the policy version."""
    read = frozenset(kind for target in policy_of(version_id).targets for kind in target.events())
    return read | CONTEXT_EVENTS


def target_of(clock: SlaClock) -> Target:
    """The target a clock measures, from the policy version it runs under."""
    found = policy_of(clock.policy_id).target(clock.target)
    assert found is not None
    return found


def targets_told(target_id: str, events: Iterable[ClockEvent]) -> dict[int, Target | None]:
    """The target as each policy version states it that the events name, by version id; None where it is not there."""
    named = {
        (event.data.get("pins") or {}).get("sla") if event.type == SUBMITTED else event.data.get("policy")
        for event in events
        if event.type in (SUBMITTED, REBASED)
    }
    return {version: policy_of(version).target(target_id) for version in named if version}


def events_told(stream_id: int) -> list[ClockEvent]:
    """Everything that was told in a stream, in order, as a clock reads it."""
    stored = Event.objects.filter(stream_id=stream_id).order_by("seq").values_list("type", "at", "data")
    return [ClockEvent(type=kind, at=at, data=data) for kind, at, data in stored]


def state_told(target: Target, events: Sequence[ClockEvent], until: datetime) -> ClockState | None:
    """The target's latest clock as the events tell it, each under the policy version in force then.

    None where no event starts one: by the rules that a retroactive rebase brought there was never such a clock. Raises
    InvalidInput if an event is earlier than the one before it.
    """
    return latest(target, CALENDARS, events, until, targets=targets_told(target.id, events))


def current_policy(key: str) -> SlaPolicyVersion | None:
    """The newest version of the SLA policy with this key."""
    version: SlaPolicyVersion | None = SlaPolicyVersion.objects.current(key)
    return version


def calendar_keys(document: dict[str, Any]) -> set[str]:
    """The calendars a policy document names."""
    return parse_policy(document).calendars()


def unstopped(stream_ids: list[int]) -> QuerySet[SlaClock]:
    """The clocks that events can still move: live ones, and breached ones until their target is reached."""
    return SlaClock.objects.filter(UNSTOPPED, stream_id__in=stream_ids).order_by("id")
