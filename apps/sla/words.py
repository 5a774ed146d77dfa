"""Targets, durations and escalations as people say them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from apps.sla.conditions import Change, Condition, defaults
from apps.sla.targets import Duration, Escalation, Target

SPANS = (("day", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
PERCENT = "\N{NO-BREAK SPACE}%"
METRICS: Mapping[str, str] = MappingProxyType(
    {
        "response": "first response",
        "resolution": "resolution",
        "stage": "time in the stage “{}”",
        "step": "time at the step “{}”",
        "approval": "time of the approval “{}”",
    }
)
UNITS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {"business": ("business ", 1), "elapsed": ("", 1), "business_days": ("business ", 0), "calendar_days": ("", 0)}
)
FOLLOWED: Mapping[str, str] = MappingProxyType(
    {
        "requester": "the requester's calendar",
        "team": "the calendar of the team that has the request",
        "owner": "the calendar of whoever has the request",
    }
)
CHANGES: Mapping[Change, str] = MappingProxyType(
    {
        Change.START: "starts",
        Change.PAUSE: "pauses",
        Change.RESUME: "goes on",
        Change.STOP: "stops",
        Change.CANCEL: "is cancelled",
        Change.RESET: "begins anew",
    }
)
PEOPLE: Mapping[str, str] = MappingProxyType(
    {
        "person": "{}",
        "team": "the team {}",
        "role": "everybody with the role {}",
        "manager_of": "the manager of the {}",
        "requester": "the requester",
        "assignee": "whoever works on it",
        "lead": "the lead of the team that has it",
    }
)


def measured_by(target: Target) -> str:
    """What a target measures: "first response", "time in the stage “work”"."""
    return METRICS[target.metric].format(target.of)


def name_of(target: Target) -> str:
    """The target's own name, else what it measures."""
    return target.name or measured_by(target)


def changes_words(target: Target) -> tuple[str, ...]:
    """What other events than the metric's do to its clock: "begins anew at comment.added if event.internal"."""
    usual = defaults(target.metric, target.of, pauses=True)
    stated = {change: found for change, found in target.changes.items() if found != usual.get(change)}
    return tuple(f"{CHANGES[change]} at {_events(stated[change])}" for change in CHANGES if change in stated)


def _events(conditions: Sequence[Condition]) -> str:
    return " or ".join(one.event + (f" if {one.where}" if one.where else "") for one in conditions) or "no event"


def duration_words(duration: Duration) -> str:
    """ "8 business hours", "90 minutes", "2 business days", "1 calendar day"."""
    kind, in_seconds = UNITS[duration.unit]
    if not in_seconds:
        return _some(duration.n, f"{kind or 'calendar '}day")
    for unit, seconds in (("hour", 3600), ("minute", 60), ("second", 1)):
        if duration.n % seconds == 0:
            return _some(duration.n // seconds, f"{kind}{unit}")
    raise AssertionError(duration)


def length_words(seconds: float, *, business: bool = False) -> str:
    """To the second: "1 day 3 h 5 min", "6 min 40 s", "0 s"; `business` time in hours ("27 h 5 min"), as a business day
    has fewer than 24 of them.
    """
    return " ".join(_in_units(round(seconds), SPANS[1:] if business else SPANS)) or "0 s"


def span(length: timedelta) -> str:
    """A length in its two largest units: `3 days 4 h`, `25 min`, `less than a minute`."""
    return " ".join(_in_units(int(abs(length).total_seconds()), SPANS[:-1])[:2]) or "less than a minute"


def _in_units(seconds: int, spans: Sequence[tuple[str, int]]) -> list[str]:
    """How many of each unit, from the largest on, without those of which there are none."""
    parts = []
    for unit, length in spans:
        count, seconds = divmod(seconds, length)
        if count:
            parts.append(f"{count:,} {unit}{'s' if unit == 'day' and count > 1 else ''}")
    return parts


def time_left(due_at: datetime, now: datetime) -> str:
    """`2 h 10 min left`, or `late by 1 day 2 h`; an open page says the same (static/portal/js/time_left.js)."""
    return f"{span(due_at - now)} left" if due_at > now else f"late by {span(now - due_at)}"


def calendar_words(target: Target) -> str:
    """By which calendar a target counts; "" where none is named."""
    if not target.follows:
        return target.calendar
    otherwise = f", else {target.calendar}" if target.calendar else ""
    return f"{FOLLOWED[target.follows]}{otherwise}"


def warnings_words(target: Target) -> str:
    """ "at 50 %, 75 %"; "" without any."""
    percentages = ", ".join(f"{percent}{PERCENT}" for percent in target.warn_at)
    return f"at {percentages}" if percentages else ""


def escalation_words(escalation: Escalation) -> str:
    """ "1 h after the breach: tell the lead of the team that has it"."""
    when = f"at {escalation.at}{PERCENT}"
    if escalation.at is None:
        after = escalation.after_breach or 0
        when = f"{length_words(after)} after the breach" if after else "at the breach"
    return f"{when}: {done_words(escalation)}"


def done_words(escalation: Escalation) -> str:
    """ "tell the lead of the team that has it", "raise the priority by one step"."""
    return _DOES[escalation.do](escalation)


def rule_words(rule: Mapping[str, Any]) -> str:
    """Whom a rule of an escalation names."""
    ((kind, name),) = rule.items()
    return PEOPLE[kind].format(str(name).replace("_", " "))


def _some(n: int, unit: str) -> str:
    return f"{n:,} {unit}" + ("" if n == 1 else "s")


def _to(escalation: Escalation) -> str:
    return ", ".join(rule_words(rule) for rule in escalation.to)


def _notify(escalation: Escalation) -> str:
    text = escalation.settings.get("text")
    return f"tell {_to(escalation)}" + (f" “{text}”" if text else "")


_DOES: Mapping[str, Callable[[Escalation], str]] = MappingProxyType(
    {
        "notify": _notify,
        "reassign": lambda one: f"give the request to {_to(one)}",
        "raise_priority": lambda one: "raise the priority by one step",
        "run_action": lambda one: {"comment": "write a comment", "set_fields": "fill in fields"}[
            one.settings["action"]
        ],
    }
)
