"""SLA policies as values, made from their documents. Pure; `policy_check.py` says what a document may not say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from apps.core.errors import InvalidInput
from apps.sla.conditions import Change, Condition, defaults
from apps.sla.policy_check import PRIORITIES, UNITS, check_policy

Json = Mapping[str, Any]
Rules = tuple[Json, ...]


@dataclass(frozen=True, kw_only=True)
class Duration:
    """`n` of a unit: `business` or `elapsed` seconds, `business_days` or `calendar_days`; units are never mixed."""

    n: int
    unit: str

    @property
    def by_calendar(self) -> bool:
        """Whether the clock counts the open seconds of a calendar, not all of them."""
        return self.unit in ("business", "business_days")


def part_of(allowed: float, percent: int) -> float:
    """So many per cent of the seconds that are allowed; 100 are all of them to the last bit."""
    return allowed if percent == 100 else allowed * percent / 100


@dataclass(frozen=True, kw_only=True)
class Escalation:
    """What happens at a per cent of the time, or `after_breach` seconds (as the clock counts them).

    `do` is `notify`, `reassign`, `raise_priority` or `run_action`; `to` are the people or the team it names.
    """

    id: str
    do: str
    at: int | None = None
    after_breach: int | None = None
    to: Rules = ()
    settings: Json = field(default_factory=dict, hash=False)

    def threshold(self, allowed: float) -> float:
        """The counted seconds at which it is due."""
        return part_of(allowed, self.at) if self.at is not None else allowed + (self.after_breach or 0)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A time to keep: a duration for each priority, with warnings at percentages of it, ascending.

    `calendar` is the key of its calendar ("" if none is needed); `follows` is empty or whose calendar counts instead:
    the `requester`'s, the `team`'s, or the `owner`'s (whoever holds the request at each moment). `of` names the stage
    or step it measures. With a `team` it counts only while that team holds the request (an OLA).
    """

    id: str
    metric: str
    durations: Mapping[str, Duration] = field(hash=False)
    name: str = ""
    of: str = ""
    calendar: str = ""
    follows: str = ""
    team: str = ""
    warn_at: tuple[int, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    changes: Mapping[Change, tuple[Condition, ...]] = field(default_factory=dict, hash=False)

    @property
    def repeats(self) -> bool:
        """Whether it is measured anew each time it starts; a first response is measured once."""
        return self.metric != "response"

    @property
    def counts_items(self) -> bool:
        """Whether several things may be open at once, all of which must end."""
        return self.metric in ("step", "approval")

    def events(self) -> frozenset[str]:
        """The types of the events that its conditions read."""
        return frozenset(condition.event for conditions in self.changes.values() for condition in conditions)


@dataclass(frozen=True, kw_only=True)
class SlaPolicy:
    """Targets in order. `retroactive`: a new version of it or of a calendar counts from the start of a clock."""

    targets: tuple[Target, ...]
    retroactive: bool = False

    def target(self, target_id: str) -> Target | None:
        return next((target for target in self.targets if target.id == target_id), None)

    def reads(self, event: str) -> bool:
        """Whether a condition of some target reads events of this type."""
        return any(event in target.events() for target in self.targets)

    @property
    def watches_stage(self) -> bool:
        """Whether it matters to some target which stage the request is in."""
        return self.reads("request.stage_entered")

    @property
    def watches_owner(self) -> bool:
        """Whether it matters to some target who holds the request."""
        follows = any(target.team or target.follows in ("team", "owner") for target in self.targets)
        return follows or self.reads("request.owner_changed")

    def calendars(self) -> set[str]:
        """The keys of the calendars it names."""
        return {target.calendar for target in self.targets if target.calendar}


def parse_policy(document: object) -> SlaPolicy:
    """The policy that a document states; raises `InvalidInput` with what `check_policy` finds."""
    problems = check_policy(document)
    if problems:
        raise InvalidInput(problems)
    assert isinstance(document, Mapping)
    pauses = document.get("pause_on_hold", True)
    targets = tuple(_target(source, pauses=pauses) for source in document["targets"])
    return SlaPolicy(targets=targets, retroactive=document.get("retroactive", False))


def _target(source: Json, *, pauses: bool) -> Target:
    calendar = source.get("calendar", "")
    follows = calendar["of"] if isinstance(calendar, Mapping) else ""
    key = calendar.get("else", "") if isinstance(calendar, Mapping) else calendar
    of = source.get("of", "")
    return Target(
        id=source["id"],
        name=source.get("name", ""),
        metric=source["metric"],
        of=of,
        durations=MappingProxyType({name: _duration(source["durations"][name]) for name in PRIORITIES}),
        calendar=key,
        follows=follows,
        team=source.get("team", ""),
        warn_at=tuple(sorted(source.get("warn_at", ()))),
        escalations=tuple(_escalations(source.get("escalations", ()))),
        changes=MappingProxyType(defaults(source["metric"], of, pauses=pauses) | _changes(source.get("on", {}))),
    )


def _duration(source: Json) -> Duration:
    ((key, n),) = source.items()
    return Duration(n=n, unit=UNITS[key])


def _escalations(sources: Sequence[Json]) -> Iterable[Escalation]:
    for source in sources:
        yield Escalation(
            id=source["id"],
            do=source["do"],
            at=source.get("at"),
            after_breach=source.get("after_breach"),
            to=tuple(MappingProxyType({**rule}) for rule in source.get("to", ())),
            settings=MappingProxyType({key: source[key] for key in ("text", "action", "with") if key in source}),
        )


def _changes(source: Json) -> dict[Change, tuple[Condition, ...]]:
    return {
        Change(change): tuple(Condition(event=one["event"], where=one.get("where")) for one in conditions)
        for change, conditions in source.items()
    }
