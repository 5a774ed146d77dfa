"""Clocks and approvals of a request in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from apps.approvals.enums import ApprovalStatus, Verdict
from apps.approvals.models import Approval, Decision, Seat
from apps.portal.phrases import because, time_left
from apps.sla.enums import ClockStatus
from apps.sla.models import SlaClock

METRICS: Mapping[str, str] = {"response": "First response", "resolution": "Solution"}


@dataclass(frozen=True, kw_only=True)
class ClockLine:
    """A clock in words; `used` is the part of its time that has gone by, 0 to 100."""

    name: str
    state: str
    tone: str
    due_at: datetime | None
    left: str
    used: int


@dataclass(frozen=True, kw_only=True)
class SeatLine:
    """A person who was asked, why, and what they said."""

    who: str
    why: str
    answer: str
    tone: str
    at: datetime | None
    note: str


@dataclass(frozen=True, kw_only=True)
class LevelLine:
    name: str
    skipped: str
    open: bool
    seats: list[SeatLine]


@dataclass(frozen=True, kw_only=True)
class ApprovalLine:
    """A round of asking with its levels."""

    approval: Approval
    state: str
    tone: str
    levels: list[LevelLine]


def clock_line(one: SlaClock, moment: datetime) -> ClockLine:
    """A live clock shows the time left; a settled one what became of it."""
    live = one.status == ClockStatus.RUNNING and one.due_at is not None
    left = time_left(one.due_at, moment) if live and one.due_at else ""
    used = _used(one, moment)
    tones = {ClockStatus.MET: "good", ClockStatus.BREACHED: "bad", ClockStatus.PAUSED: "quiet"}
    tone = tones.get(ClockStatus(one.status), "warn" if used >= 80 else "info")
    return ClockLine(
        name=METRICS.get(one.metric, one.target),
        state=ClockStatus(one.status).label,
        tone=tone,
        due_at=one.due_at if live else None,
        left=left,
        used=used,
    )


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


def approval_line(one: Approval) -> ApprovalLine:
    pending = one.status == ApprovalStatus.PENDING
    levels = [
        LevelLine(
            name=level.name,
            skipped=level.skipped,
            open=pending and level.index == one.level,
            seats=[_seat_line(seat, waiting=pending and level.index == one.level) for seat in level.seats.all()],
        )
        for level in sorted(one.levels.all(), key=lambda level: level.index)
    ]
    tone = APPROVAL_TONES.get(one.status, "quiet")
    return ApprovalLine(approval=one, state=ApprovalStatus(one.status).label, tone=tone, levels=levels)


def _seat_line(seat: Seat, *, waiting: bool) -> SeatLine:
    decision = decision_of(seat)
    who, why = str(seat.user), because(seat.because)
    if decision is None:
        answer = "is asked" if waiting else "was not needed"
        return SeatLine(who=who, why=why, answer=answer, tone="info" if waiting else "quiet", at=None, note="")
    note = decision.note.text if decision.note else ""
    verdict = Verdict(decision.verdict)
    tone = VERDICT_TONES.get(verdict, "quiet")
    return SeatLine(who=who, why=why, answer=str(verdict.label), tone=tone, at=decision.at, note=note)


def decision_of(seat: Seat) -> Decision | None:
    return getattr(seat, "decision", None)
