"""Clocks and approvals of a request in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.approvals.enums import ApprovalEvent, ApprovalStatus, Verdict
from apps.approvals.models import Approval, Decision, Seat
from apps.portal.phrases import because
from apps.portal.rounds import RoundBox, name_of_seat, sitting, words_of
from apps.requests.selectors import HistoryLine
from apps.requests.selectors.rounds import LevelOfRound
from apps.sla.enums import ClockStatus
from apps.sla.models import SlaClock
from apps.sla.selectors import target_of
from apps.sla.targets import Target
from apps.sla.words import length_words
from apps.workflows.engine.definition import Definition

METRICS: Mapping[str, str] = {"response": "First response", "resolution": "Solution"}
PLACES: Mapping[str, str] = {"stage": "Stage “{}”", "step": "Step “{}”", "approval": "Approval “{}”"}


@dataclass(frozen=True, kw_only=True)
class ClockLine:
    """A clock in words; `used` is the part of its time that has gone by, 0 to 100. `due_at` is None unless it still
    counts: then there is time left, or it is late. `missed_at` is when one that was stopped too late was due; `rest`
    how much a clock that stands still has left when it goes on."""

    name: str
    state: str
    tone: str
    started_at: datetime
    due_at: datetime | None
    late: bool
    used: int
    missed_at: datetime | None = None
    rest: str = ""


@dataclass(frozen=True, kw_only=True)
class SeatLine:
    """A person who was asked, why, and what they said; a signed answer with what it means and the printed name."""

    who: str
    why: str
    answer: str
    tone: str
    at: datetime | None = None
    note: str = ""
    meaning: str = ""
    signed_as: str = ""


@dataclass(frozen=True, kw_only=True)
class LevelLine:
    """A level: its rule in words, when it is due, and who was asked."""

    name: str
    rule: str
    due_at: datetime | None
    skipped: str
    open: bool
    seats: list[SeatLine]


@dataclass(frozen=True, kw_only=True)
class ApprovalLine:
    """A round of asking with its levels; what the reader may change, and who ended it over everybody's heads."""

    approval: Approval
    state: str
    tone: str
    levels: list[LevelLine]
    box: RoundBox | None
    overridden: HistoryLine | None


def clock_line(one: SlaClock, moment: datetime, workflow: Definition | None) -> ClockLine:
    """A clock that counts shows the time left, also below nothing; one that stands or has stopped what became of it."""
    counts = one.stopped_at is None and one.status in (ClockStatus.RUNNING, ClockStatus.BREACHED)
    due_at = one.due_at if counts else None
    used = _used(one, moment)
    tones = {ClockStatus.MET: "good", ClockStatus.BREACHED: "bad", ClockStatus.PAUSED: "quiet"}
    tone = tones.get(ClockStatus(one.status), "warn" if used >= 80 else "info")
    is_paused, target = one.status == ClockStatus.PAUSED, target_of(one)
    return ClockLine(
        name=clock_name(one, target, workflow),
        state=ClockStatus(one.status).label,
        tone=tone,
        started_at=one.started_at,
        due_at=due_at,
        late=due_at is not None and due_at <= moment,
        used=used,
        missed_at=one.due_at if one.status == ClockStatus.BREACHED and not counts else None,
        rest=length_words(one.allowed - one.elapsed, business=target.durations[one.priority].by_calendar)
        if is_paused
        else "",
    )


def clock_name(one: SlaClock, target: Target, workflow: Definition | None) -> str:
    """What a clock measures, as people say it: the target's own name, else what the workflow calls its place."""
    named = target.name or METRICS.get(one.metric)
    if named or workflow is None:
        return named or one.target
    step = workflow.step(target.of) if workflow.has_step(target.of) else None
    place = workflow.stage(target.of) if one.metric == "stage" else step
    return PLACES[one.metric].format(place.name if place else target.of)


def _used(one: SlaClock, moment: datetime) -> int:
    if one.status == ClockStatus.BREACHED:
        return 100
    if one.due_at is None or one.due_at <= one.started_at:
        return 0
    passed = ((one.stopped_at or moment) - one.started_at) / (one.due_at - one.started_at)
    return max(0, min(100, round(100 * passed)))


APPROVAL_TONES: Mapping[str, str] = {
    ApprovalStatus.APPROVED: "good",
    ApprovalStatus.REJECTED: "bad",
    ApprovalStatus.PENDING: "info",
}
VERDICT_TONES: Mapping[str, str] = {Verdict.APPROVE: "good", Verdict.REJECT: "bad"}


def approval_line(
    one: Approval, levels: Sequence[LevelOfRound], box: RoundBox | None, history: Sequence[HistoryLine]
) -> ApprovalLine:
    """A round in words. `history` is the request's, which tells of an override."""
    overridden = next(
        (line for line in history if line.type == ApprovalEvent.OVERRIDDEN and line.about == one.pk), None
    )
    tone = "warn" if overridden else APPROVAL_TONES.get(one.status, "quiet")
    return ApprovalLine(
        approval=one,
        state=ApprovalStatus(one.status).label,
        tone=tone,
        levels=[_level_line(level) for level in levels],
        box=box,
        overridden=overridden,
    )


def _level_line(one: LevelOfRound) -> LevelLine:
    return LevelLine(
        name=one.row.name,
        rule="" if one.row.skipped else words_of(one),
        due_at=one.due_at,
        skipped=one.row.skipped,
        open=one.is_open,
        seats=[_seat_line(seat, waiting=one.is_open) for seat in sitting(one)],
    )


def _seat_line(seat: Seat, *, waiting: bool) -> SeatLine:
    decision = decision_of(seat)
    who, why = name_of_seat(seat), because(seat.because)
    if decision is None:
        return SeatLine(
            who=who, why=why, answer="is asked" if waiting else "was not needed", tone="info" if waiting else "quiet"
        )
    verdict = Verdict(decision.verdict)
    return SeatLine(
        who=who,
        why=why,
        answer=str(verdict.label) + (", said earlier" if decision.counted_id else ""),
        tone=VERDICT_TONES.get(verdict, "quiet"),
        at=decision.at,
        note=decision.note.text if decision.note else "",
        meaning=decision.meaning,
        signed_as=decision.signed_as,
    )


def decision_of(seat: Seat) -> Decision | None:
    return getattr(seat, "decision", None)
