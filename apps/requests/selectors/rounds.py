"""Rounds of approvals as people and programs read them: each level with what its policy asks, who is missing, when it
is due, and why somebody left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import Prefetch, prefetch_related_objects

from apps.approvals.enums import ApprovalEvent, ApprovalStatus
from apps.approvals.models import Approval, ApprovalLevel, Seat
from apps.approvals.quorum import Level, Policy, parse_policy, tally
from apps.approvals.selectors import places_of, policy_of, votes_of
from apps.outbox.models import Event
from apps.workflows.engine.definition import Step
from apps.workflows.enums import TimerKind
from apps.workflows.models import Timer
from apps.workflows.selectors import definition_of


def policy_at(step: Step, *, version: int, pins: Mapping[str, Any]) -> Policy:
    """The approval policy of a step: inline in the document (`version` is its id), or the pinned version it names."""
    if "policy_ref" in step.settings:
        return policy_of(pins["policies"][step.settings["policy_ref"]])
    return inline_policy(version, step.id)


@lru_cache(maxsize=1024)
def inline_policy(version_id: int, step_id: str) -> Policy:
    """The parsed policy in the document of a version: immutable, so cached for ever."""
    return parse_policy(definition_of(version_id).step(step_id).settings["policy"])


def policy_of_round(approval: Approval) -> Policy:
    """The policy that a round runs under; reads its visit's run and its request, if they are not loaded."""
    version = approval.visit.run.version_id
    return policy_at(definition_of(version).step(approval.step), version=version, pins=approval.stream.request.pins)


def round_parts(prefix: str = "") -> tuple[Prefetch[str], ...]:
    """What `levels_of` reads of approvals (behind `prefix`), with people and comments: four statements."""
    people = ("user", "principal", "decision__note", "decision__by")
    timers = Timer.objects.filter(kind=TimerKind.APPROVAL, closed_at__isnull=True)
    return (
        Prefetch(f"{prefix}levels__seats", queryset=Seat.objects.select_related(*people)),
        Prefetch(f"{prefix}stream__timers", queryset=timers, to_attr="approval_timers"),
        Prefetch(f"{prefix}stream__events", queryset=Event.objects.filter(type=ApprovalEvent.ASKED), to_attr="askings"),
    )


def with_round_parts(approval: Approval) -> Approval:
    """The approval with what `levels_of` reads, once."""
    if not hasattr(approval.stream, "approval_timers"):
        prefetch_related_objects([approval], *round_parts())
    return approval


@dataclass(frozen=True, kw_only=True)
class LevelOfRound:
    """A level that was opened or skipped, with what its policy asks.

    `missing` are the seats whose answers it waits for, by id; `left` says why (a value of `Why`) a seat was given up,
    by the seat's id. `due_at` is None where nothing is due (no deadline, or it is over).
    """

    row: ApprovalLevel
    level: Level
    policy: Policy
    seats: tuple[Seat, ...]
    missing: tuple[Seat, ...]
    due_at: datetime | None
    left: Mapping[int, str]

    @property
    def is_open(self) -> bool:
        """Whether it waits for answers."""
        return self.row.approval.status == ApprovalStatus.PENDING and self.row.approval.level == self.row.index

    @property
    def can_return(self) -> bool:
        return self.policy.returns != "never"


def levels_of(approval: Approval) -> list[LevelOfRound]:
    """The levels of a round in order; without a statement where `round_parts` were prefetched, and `visit__run`."""
    policy = policy_of_round(approval)
    rows = sorted(approval.levels.all(), key=lambda row: row.index)
    return [_level(approval, row, policy) for row in rows]


def _level(approval: Approval, row: ApprovalLevel, policy: Policy) -> LevelOfRound:
    row.approval = approval
    level = policy.levels[row.index]
    seats = tuple(sorted(row.seats.all(), key=lambda seat: seat.pk))
    is_open = approval.status == ApprovalStatus.PENDING and approval.level == row.index
    return LevelOfRound(
        row=row,
        level=level,
        policy=policy,
        seats=seats,
        missing=_missing(level, seats) if is_open else (),
        due_at=_due_at(approval, level) if is_open else None,
        left=_reasons(approval),
    )


def _missing(level: Level, seats: tuple[Seat, ...]) -> tuple[Seat, ...]:
    kept = [seat for seat in seats if seat.left_at is None]
    wanted = set(tally(level, places_of(kept), votes_of(kept), waits=True).missing)
    return tuple(seat for seat in kept if seat.pk in wanted)


def _due_at(approval: Approval, level: Level) -> datetime | None:
    timers: list[Timer] = approval.stream.approval_timers  # type: ignore[attr-defined] # prefetched by round_parts
    return next((timer.due_at for timer in timers if _is_for(timer, approval, level)), None)


def _is_for(timer: Timer, approval: Approval, level: Level) -> bool:
    at = (approval.visit.run_id, approval.visit.number, approval.instance, level.id)
    return (timer.run_id, timer.visit, timer.instance, timer.deadline) == at


def _reasons(approval: Approval) -> dict[int, str]:
    events: list[Event] = approval.stream.askings  # type: ignore[attr-defined] # prefetched by round_parts
    return {gone["seat"]: event.data["why"] for event in events for gone in event.data.get("left", ())}
