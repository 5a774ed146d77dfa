"""Another priority for a request: the form of its page, and what it would make of the clocks, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.portal.forms import IMPACTS, URGENCIES
from apps.portal.lines import clock_name
from apps.requests.enums import Level, Priority
from apps.requests.models import Request
from apps.requests.services.priority import Foreseen, Preview
from apps.sla.enums import ClockStatus
from apps.sla.words import length_words
from apps.workflows.engine.definition import Definition

Choices = Sequence[tuple[str, str]]


def _with_level(choices: Choices) -> Choices:
    """The requester's words behind the level they stand for: "High: many people cannot work"."""
    return tuple((level, f"{Level(level).label}: {words[0].lower()}{words[1:]}") for level, words in choices)


@dataclass(frozen=True, kw_only=True)
class PriorityForm:
    """What the form shows as chosen: what the request has, or what was entered and refused."""

    impact: str
    urgency: str
    impacts = _with_level(IMPACTS)
    urgencies = _with_level(URGENCIES)


@dataclass(frozen=True, kw_only=True)
class ForeseenLine:
    """A clock: when it is due now and then (None where it stands still or is late), and what else there is to say."""

    name: str
    before: datetime | None
    after: datetime | None
    said: str
    bad: bool


@dataclass(frozen=True, kw_only=True)
class PreviewLines:
    """A preview in words; `changes` is false where the priority stays what it is."""

    was: Priority
    priority: Priority
    clocks: Sequence[ForeseenLine]

    @property
    def changes(self) -> bool:
        return self.was != self.priority


def priority_form(request: Request, entered: Mapping[str, str]) -> PriorityForm:
    return PriorityForm(impact=entered.get("impact", request.impact), urgency=entered.get("urgency", request.urgency))


def preview_lines(found: Preview, workflow: Definition | None) -> PreviewLines:
    lines = [_line(one, workflow) for one in found.clocks]
    return PreviewLines(was=found.was, priority=found.priority, clocks=lines)


def _line(one: Foreseen, workflow: Definition | None) -> ForeseenLine:
    is_late = one.after.status == ClockStatus.BREACHED
    return ForeseenLine(
        name=clock_name(one.clock, one.target, workflow),
        before=None if one.before.status == ClockStatus.BREACHED else one.before.due_at,
        after=None if is_late else one.after.due_at,
        said=" ".join(filter(None, (_said(one), "It is escalated at once." if one.escalates_at_once else ""))),
        bad=one.is_missed_at_once or one.escalates_at_once,
    )


def _said(one: Foreseen) -> str:
    before, after = one.before, one.after
    if one.is_missed_at_once:
        used, allowed = _length(one, after.elapsed), _length(one, after.state.allowed)
        return f"Late at once: {used} of {allowed} are used up."
    if after.status == ClockStatus.BREACHED:
        return "Is late already, and stays so."
    if after.due_at is None:
        left = [_length(one, reading.state.allowed - reading.elapsed) for reading in (before, after)]
        return "Stands still, with " + (
            f"{left[0]} left." if left[0] == left[1] else f"{left[0]} left now, {left[1]} then."
        )
    return ""


def _length(one: Foreseen, seconds: float) -> str:
    return length_words(seconds, business=one.target.durations[one.after.state.priority].by_calendar)
