"""Every pending level has people who can decide it; where that stops being true others are asked, or an operator."""

from __future__ import annotations

from collections.abc import Sequence

from apps.accounts.stand_ins import stand_ins
from apps.approvals.enums import ApprovalStatus, Why
from apps.approvals.models import Approval, ApprovalLevel, Seat
from apps.approvals.policies import has_answer
from apps.approvals.quorum import Level, Policy
from apps.approvals.selectors import Approver, Concerned, Rule, open_seats
from apps.approvals.services.outcome import NOBODY, Outcome, ask_more
from apps.approvals.services.seating import (
    Apart,
    Slate,
    deciders_of,
    fallback_of,
    slate_of,
    still_can_be_approved,
    would_do,
)
from apps.outbox.incidents import resolve_incidents
from apps.outbox.publish import SYSTEM


def unable_seats(level: Level, seats: Sequence[Seat], people: Concerned) -> list[Seat]:
    """The seats that nobody can answer, where the level cannot be approved for that; none where it can."""
    able = able_seats(seats, people)
    if still_can_be_approved(level, seats, able):
        return []
    return [seat for seat in seats if seat not in able and not has_answer(seat)]


def able_seats(seats: Sequence[Seat], people: Concerned) -> list[Seat]:
    """The seats whose people can answer now: active, still in what they were asked as, not away in a circle."""
    standing = [seat for seat in seats if seat.user.is_active and seat.stands]  # type: ignore[attr-defined]
    named = {seat.named: seat.principal or seat.user for seat in standing if not has_answer(seat)}
    found = stand_ins(named.values(), scope=people.scope, at=people.at) if named else {}
    lost = {pk for pk, stand_in in found.items() if stand_in.deputy is None}
    return [seat for seat in standing if has_answer(seat) or seat.named not in lost]


def keep_answerable(approval: Approval, *, policy: Policy, people: Concerned) -> Outcome:
    """Where a pending level cannot be approved by those who can answer, asks whom its rules name today in place of
    those who cannot, else the fallback; if that does not help an incident opens. Otherwise it changes nothing.

    The incident of an earlier time is closed once somebody can answer.
    """
    outcome = Outcome(approval=approval, policy=policy, people=people)
    if approval.status != ApprovalStatus.PENDING:
        return outcome
    level, row = outcome.level, approval.levels.get(index=approval.level)
    seats = list(open_seats(approval.pk).select_related("user", "principal"))
    able = able_seats(seats, people)
    enough = still_can_be_approved(level, seats, able)
    if not enough:
        unable = [seat for seat in seats if seat not in able and not has_answer(seat)]
        enough = _replace(outcome, row, seats, unable)
    _mark(outcome, seats, able)
    if enough:
        outcome.events += resolve_incidents(
            approval.stream, kind=NOBODY, key=f"approval:{approval.pk}:{level.id}", actor=SYSTEM, at=outcome.at
        )
    return outcome


def _mark(outcome: Outcome, seats: Sequence[Seat], able: Sequence[Seat]) -> None:
    """Notes which seats cannot be answered, so that the sweep need not look at them again and again."""
    for seat in seats:
        if has_answer(seat) or seat.left_at is not None or (seat in able) == (seat.unable_at is None):
            continue
        seat.unable_at = None if seat in able else outcome.at
        seat.save(update_fields=["unable_at"])


def _replace(outcome: Outcome, row: ApprovalLevel, seats: Sequence[Seat], unable: Sequence[Seat]) -> bool:
    """Asks others in place of those who cannot answer; whether the level can be approved then. A seat is given up only
    where somebody new is asked: nothing is approved because somebody left.
    """
    level, policy, people = outcome.level, outcome.policy, outcome.people
    apart = Apart.of(outcome.approval, policy, people)
    kept = [seat for seat in seats if seat not in unable]
    if any(seat.decides for seat in seats):
        slate = Slate()
        slate.people = deciders_of(slate, _deciders(outcome), policy, level, apart, people)
        kept = [seat for seat in kept if seat.decides]
    else:
        slate = slate_of(outcome.approval, level, policy, people)
    more = _not_sitting(kept, [one for one in slate.people if one.named.pk not in slate.lost])
    enough = bool(more) and would_do(level, kept, more)
    if not enough and not slate.falls_back:
        more += _not_sitting(kept, fallback_of(policy, level, apart, people, seated=more))
        slate.falls_back, enough = True, bool(more) and would_do(level, kept, more)
    if more:
        ask_more(outcome, row, more, why=Why.FALLBACK if slate.falls_back else Why.REPLACED, left=unable)
    if not enough:
        detail = f"Too few people can answer at level {level.id} of step {outcome.approval.step}, nor its fallback."
        outcome.call_operator(level.id, detail)
    return enough


def _deciders(outcome: Outcome) -> tuple[Rule, ...]:
    deadline, chair = outcome.level.deadline, outcome.level.chair
    return (*((chair,) if chair else ()), *(deadline.to if deadline else ()))


def _not_sitting(seats: Sequence[Seat], people: Sequence[Approver]) -> list[Approver]:
    """Those who neither sit at one of these seats nor are sat for."""
    sitting = {pk for seat in seats for pk in (seat.user_id, seat.named)}
    return [one for one in people if sitting.isdisjoint((one.user.pk, one.named.pk))]
