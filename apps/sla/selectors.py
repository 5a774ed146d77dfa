"""SLA policy versions and the clocks of a stream."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.db.models import Q, QuerySet

from apps.sla.enums import ClockStatus
from apps.sla.models import SlaClock, SlaPolicyVersion
from apps.sla.targets import Target, targets_for


@lru_cache(maxsize=1024)
def targets_of(version_id: int, priority: str) -> tuple[Target, ...]:
    """The targets a policy version sets for a priority: immutable, so cached for ever."""
    return targets_for(SlaPolicyVersion.objects.get(pk=version_id).document, priority)


def current_policy(key: str) -> SlaPolicyVersion | None:
    """The newest version of the SLA policy with this key."""
    version: SlaPolicyVersion | None = SlaPolicyVersion.objects.current(key)
    return version


def calendar_keys(document: dict[str, Any]) -> set[str]:
    """The calendars a policy document names."""
    return {target["calendar"] for target in document["targets"] if target.get("calendar")}


def unstopped(stream_ids: list[int]) -> QuerySet[SlaClock]:
    """The clocks that events can still move: live ones, and breached ones until their target is reached."""
    moving = Q(status__in=[ClockStatus.RUNNING, ClockStatus.PAUSED]) | Q(status=ClockStatus.BREACHED, stopped_at=None)
    return SlaClock.objects.filter(moving, stream_id__in=stream_ids).order_by("id")
