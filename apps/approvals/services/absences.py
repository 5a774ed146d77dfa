"""Open seats follow the absences of their people: to the deputy when one begins, back when it is over."""

from __future__ import annotations

from apps.accounts.models import User
from apps.accounts.stand_ins import StandIn, stand_ins
from apps.approvals.enums import ApprovalStatus, Why
from apps.approvals.models import Approval, Seat
from apps.approvals.policies import has_answer
from apps.approvals.quorum import Policy
from apps.approvals.selectors import Approver, Concerned, open_seats
from apps.approvals.services.outcome import Outcome, ask_more
from apps.approvals.services.seating import Apart


def follow_absences(approval: Approval, *, policy: Policy, people: Concerned) -> Outcome:
    """Moves every open seat to whoever should hold it now: the deputy of somebody who is away, else the person named.

    A seat stays where it is if the deputy sits at the level already, may not answer for reasons of separation (which
    is noted at the seat), had it taken from them, or if the deputies run in a circle. It does not go back to somebody
    who is not active. Nothing is told where nothing moves.
    """
    outcome = Outcome(approval=approval, policy=policy, people=people)
    if approval.status != ApprovalStatus.PENDING:
        return outcome
    seats = list(open_seats(approval.pk).select_related("user", "principal", "level"))
    waiting = [seat for seat in seats if not has_answer(seat)]
    named = {seat.named: seat.principal or seat.user for seat in waiting}
    found = stand_ins(named.values(), scope=people.scope, at=people.at) if named else {}
    apart = Apart.of(approval, policy, people)
    taken = {(seat.user_id, seat.decides) for seat in seats}
    for seat in waiting:
        holder = holder_of(seat, found.get(seat.named))
        if holder is None or holder.pk in (seat.user_id, seat.kept_from_id) or (holder.pk, seat.decides) in taken:
            continue
        if apart.why_not(holder):
            seat.kept_from = holder
            seat.save(update_fields=["kept_from"])
            continue
        taken.add((holder.pk, seat.decides))
        hand_over(outcome, seat, holder, why=Why.RETURNED if holder.pk == seat.named else Why.DELEGATION)
    return outcome


def holder_of(seat: Seat, stand_in: StandIn | None) -> User | None:
    """Who should hold the seat; None if it stays where it is: the deputies run in a circle, or its person has left."""
    if stand_in is not None:
        return stand_in.deputy
    person = seat.principal or seat.user
    return person if person.is_active else None


def hand_over(outcome: Outcome, seat: Seat, holder: User, *, why: Why) -> None:
    """Gives the seat up and seats the holder in its place, for the person it is named for."""
    person = seat.principal or seat.user
    moved = Approver(
        user=holder,
        principal=None if holder.pk == person.pk else person,
        because=seat.because,
        through=seat.through,
        groups=frozenset(seat.sign_offs),
        decides=seat.decides,
    )
    ask_more(outcome, seat.level, [moved], why=why, left=[seat])
