"""What people change about an open round besides answering: more approvers, other ones, an end without an answer."""

from __future__ import annotations

from collections.abc import Sequence

from apps.accounts.models import User
from apps.approvals.enums import ApprovalEvent, ApprovalStatus, Why
from apps.approvals.models import Approval, Seat
from apps.approvals.policies import has_answer
from apps.approvals.quorum import Level, Policy
from apps.approvals.selectors import Approver, Concerned, open_seats
from apps.approvals.services.liveness import keep_answerable, unable_seats
from apps.approvals.services.outcome import Outcome, ask_more
from apps.approvals.services.rounds import MOVED, conclude, end_round
from apps.approvals.services.seating import NOT_REQUESTER, Apart, Slate, resolve
from apps.core.errors import AlreadyDecided, InvalidInput, NotPermitted, TransitionNotAllowed
from apps.outbox.models import Note


def add_approver(
    approval: Approval, user: User, *, actor: User, note: Note | None, policy: Policy, people: Concerned
) -> Outcome:
    """Seats one more person at the open level; they count in every sign-off group. Where the level could not be
    approved any more they come in place of those who cannot answer, and the incident is closed if that does.

    Raises AlreadyDecided when the round has ended, InvalidInput for somebody who sits already or is not active,
    NotPermitted where separation of duties keeps them away.
    """
    outcome = _begin(approval, policy, people)
    seats = list(open_seats(approval.pk).select_related("user", "principal"))
    _refuse_person(outcome, user, seats)
    left = unable_seats(outcome.level, seats, people)
    groups = frozenset(group.id for group in outcome.level.rule.groups)
    decides = any(seat.decides for seat in seats)
    more = Approver(user=user, because={"added_by": actor.pk}, groups=groups, decides=decides)
    row = approval.levels.get(index=approval.level)
    ask_more(outcome, row, [more], why=Why.ADDED, actor=actor, note=note, left=left)
    outcome.events += keep_answerable(approval, policy=policy, people=people).events
    return outcome


def reassign(seat: Seat, to: User, *, actor: User, note: Note | None, policy: Policy, people: Concerned) -> Outcome:
    """Gives a seat that has no answer yet to somebody else. A deputy's seat stays one for the same principal.

    Raises as `add_approver`, and AlreadyDecided for a seat that has its answer or was given up.
    """
    outcome = _begin(seat.level.approval, policy, people)
    if has_answer(seat) or seat.left_at is not None:
        raise AlreadyDecided("This seat has its answer, or was given to somebody else.")
    _refuse_person(outcome, to, list(open_seats(outcome.approval.pk)))
    if to.pk == seat.principal_id:
        raise InvalidInput({"user": [f"{to} is away; the seat is held for them."]})
    moved = Approver(
        user=to,
        principal=seat.principal,
        because=seat.because if seat.principal else {"reassigned_from": seat.user_id},
        through=seat.through if seat.principal else None,
        groups=frozenset(seat.sign_offs),
        decides=seat.decides,
        kept_from=seat.user_id if seat.principal else None,
    )
    ask_more(outcome, seat.level, [moved], why=Why.REASSIGNED, actor=actor, note=note, left=[seat])
    outcome.events += keep_answerable(outcome.approval, policy=policy, people=people).events
    return outcome


def close_vote(approval: Approval, *, actor: User, note: Note | None, policy: Policy, people: Concerned) -> Outcome:
    """The chair ends the vote: who has not answered counts as abstaining; a tie is the chair's to decide.

    Raises NotPermitted for anybody but the chair, TransitionNotAllowed before the first answer and once it is tied.
    """
    outcome = _begin(approval, policy, people)
    if not is_chair(actor, outcome.level, people):
        raise NotPermitted("Only the chair of this level may close the vote.")
    seats = list(open_seats(approval.pk))
    if not any(has_answer(seat) for seat in seats):
        raise TransitionNotAllowed("Nobody has answered yet.")
    if any(seat.decides for seat in seats):
        raise TransitionNotAllowed("The vote is over; its tie is yours to decide.")
    row = approval.levels.get(index=approval.level)
    outcome.tell(ApprovalEvent.VOTE_CLOSED, actor=actor, note=note, level=row.key)
    conclude(outcome, row, seats, closed=True)
    return outcome


def is_chair(actor: User, level: Level, people: Concerned) -> bool:
    """Whether the actor is the chair of the level; nobody is where the rule that names them cannot be evaluated."""
    return level.chair is not None and any(one.user == actor for one in resolve(Slate(), [level.chair], people))


def override(
    approval: Approval, *, approve: bool, actor: User, note: Note, policy: Policy, people: Concerned
) -> Outcome:
    """Ends the round over the heads of those who were asked. It is no answer of a seat, and is told as what it is.

    Raises NotPermitted where the policy keeps the actor away as the one the request is for.
    """
    outcome = _begin(approval, policy, people)
    rules = tuple(rule for rule in policy.separation if rule == NOT_REQUESTER)
    if breach := Apart(rules=rules, empties="incident", people=people).why_not(actor):
        raise NotPermitted(f"Separation of duties: you may not override this, for {breach}.")
    status = ApprovalStatus.APPROVED if approve else ApprovalStatus.REJECTED
    outcome.tell(ApprovalEvent.OVERRIDDEN, actor=actor, role="administrator", note=note, result=status)
    end_round(outcome, status)
    approval.save(update_fields=MOVED)
    return outcome


def withdraw_round(approval: Approval, *, actor: User, note: Note | None, policy: Policy, people: Concerned) -> Outcome:
    """The requester takes the round back; it leaves its step as a return does.

    Raises TransitionNotAllowed where the policy never returns: then only the whole request can be cancelled.
    """
    outcome = _begin(approval, policy, people)
    if policy.returns == "never":
        raise TransitionNotAllowed("This approval cannot be taken back; the whole request can be cancelled.")
    end_round(outcome, ApprovalStatus.WITHDRAWN, actor=actor, note=note)
    approval.save(update_fields=MOVED)
    return outcome


def _begin(approval: Approval, policy: Policy, people: Concerned) -> Outcome:
    if approval.status != ApprovalStatus.PENDING:
        raise AlreadyDecided("This approval has already ended.")
    return Outcome(approval=approval, policy=policy, people=people)


def _refuse_person(outcome: Outcome, user: User, seats: Sequence[Seat]) -> None:
    if not user.is_active:
        raise InvalidInput({"user": [f"{user} is not active."]})
    if any(seat.user_id == user.pk for seat in seats):
        raise InvalidInput({"user": [f"{user} is asked already."]})
    breach = Apart.of(outcome.approval, outcome.policy, outcome.people).why_not(user)
    if breach:
        raise NotPermitted(f"Separation of duties: {user} may not answer here, for {breach}.")
