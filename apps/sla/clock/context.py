"""What the events have said so far about everything a clock depends on besides its own conditions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from apps.sla.conditions import ClockEvent
from apps.sla.targets import Target

SUBMITTED, PRIORITY_CHANGED = "request.submitted", "request.priority_changed"
OWNER_CHANGED, REBASED = "request.owner_changed", "sla.rebased"
CONTEXT_EVENTS = frozenset({SUBMITTED, PRIORITY_CHANGED, OWNER_CHANGED, REBASED})


def is_retroactive(event: ClockEvent) -> bool:
    """Whether it tells of a rebase that counts from the beginning."""
    return event.type == REBASED and bool(event.data.get("retroactive"))


@dataclass(frozen=True, kw_only=True)
class Context:
    """Priority, calendars and who holds the request, as the events tell.

    `policy` is the id of the policy version; `calendars` are version ids by key, as pinned; `requester`,
    `team_calendar` and `owner` are the ids of the calendar versions of those whose calendar a target may follow; `team`
    is the key of the team that holds the request.
    """

    priority: str = "medium"
    policy: int | None = None
    calendars: Mapping[str, int] = field(default_factory=dict, hash=False)
    requester: int | None = None
    team: str = ""
    team_calendar: int | None = None
    owner: int | None = None

    def after(self, event: ClockEvent) -> Context:
        """The context once the event has happened."""
        data = event.data
        if event.type == SUBMITTED:
            pins: Mapping[str, Any] = data.get("pins") or {}
            return Context(
                priority=data.get("priority", self.priority),
                policy=pins.get("sla"),
                calendars=pins.get("calendars") or {},
                requester=pins.get("requester_calendar"),
            )
        if event.type == PRIORITY_CHANGED:
            return replace(self, priority=data["priority"])
        if event.type == OWNER_CHANGED:
            owner, team = data.get("calendar"), data.get("team_calendar")
            return replace(self, team=data.get("team") or "", team_calendar=team, owner=owner)
        return self.rebased(event) if event.type == REBASED else self

    def rebased(self, event: ClockEvent) -> Context:
        """The context on the versions a rebase names: `policy`, `replaces` from calendar version to version, and
        `calendars` by key, for those that were not pinned yet.
        """
        replaces = {int(old): new for old, new in (event.data.get("replaces") or {}).items()}

        def moved(version: int | None) -> int | None:
            return version if version is None else replaces.get(version, version)

        return replace(
            self,
            policy=event.data.get("policy") or self.policy,
            calendars={
                **(event.data.get("calendars") or {}),
                **{key: replaces.get(version, version) for key, version in self.calendars.items()},
            },
            requester=moved(self.requester),
            team_calendar=moved(self.team_calendar),
            owner=moved(self.owner),
        )

    def calendar_of(self, target: Target) -> int | None:
        """The version id of the calendar a target counts by now."""
        fixed = self.calendars.get(target.calendar)
        if target.follows == "requester":
            return self.requester or fixed
        if target.follows == "team":
            return self.team_calendar or fixed
        if target.follows == "owner":
            return self.owner or self.team_calendar or fixed
        return fixed
