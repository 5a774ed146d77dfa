"""What people change about a round of an approval besides answering it; each has a reason that the history shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.approvals import services as approvals
from apps.approvals.models import Approval, Seat
from apps.core import clock
from apps.core.errors import InvalidInput, NotVisible
from apps.outbox.models import Note
from apps.requests import policies
from apps.requests.models import Request
from apps.requests.policies import Act
from apps.requests.services.approving import take_over, terms_of
from apps.requests.services.effects import go_on
from apps.requests.services.lifecycle import checked_comment
from apps.requests.services.writing import Write, begin_write

OVERRIDES = {"approve": True, "reject": False}
Change = Callable[..., approvals.Outcome]


@transaction.atomic(savepoint=False)
def add_approver(approval: Approval, user: User, *, reason: Any, actor: User) -> Approval:
    """Asks one more person at the open level. For administrators, and the lead of the team that has the request.

    Raises NotPermitted, InvalidInput (no reason, a person who cannot be asked), AlreadyDecided after its end.
    """
    return _change(approval, approvals.add_approver, user, act=Act.CHANGE_APPROVERS, reason=reason, actor=actor)


@transaction.atomic(savepoint=False)
def reassign(approval: Approval, seat_id: Any, user: User, *, reason: Any, actor: User) -> Approval:
    """Gives a seat that waits for its answer to somebody else: one's own, or anybody's for those who may add approvers.

    Raises as `add_approver`, and NotVisible for a seat that is not one of this approval.
    """
    write, current, note = _begin(approval, reason, actor)
    seat = Seat.objects.select_related("level__approval", "principal", "decision", "user")
    found = seat.filter(pk=seat_id, level__approval=current, level__index=current.level).first()
    if found is None:
        raise NotVisible("This approval has no such seat.")
    if found.user_id != actor.pk:
        policies.require(actor, Act.CHANGE_APPROVERS, write.request)
    found.level.approval = current
    return _finish(write, current, lambda **terms: approvals.reassign(found, user, actor=actor, note=note, **terms))


@transaction.atomic(savepoint=False)
def close_vote(approval: Approval, *, reason: Any = "", actor: User) -> Approval:
    """The chair of the open level ends the vote with the answers given. Raises NotPermitted for everybody else."""
    return _change(approval, approvals.close_vote, act=None, reason=reason, actor=actor, needs_reason=False)


@transaction.atomic(savepoint=False)
def override(approval: Approval, *, verdict: Any, reason: Any, actor: User) -> Approval:
    """An administrator ends the round over the heads of those who were asked, never as an ordinary answer.

    `verdict` is `approve` or `reject`. Raises NotPermitted, InvalidInput by field, AlreadyDecided after its end.
    """
    if verdict not in OVERRIDES:
        raise InvalidInput({"decision": [f"This must be one of {', '.join(OVERRIDES)}."]})
    approve = OVERRIDES[verdict]
    return _change(approval, approvals.override, act=Act.OVERRIDE, reason=reason, actor=actor, approve=approve)


@transaction.atomic(savepoint=False)
def withdraw_round(approval: Approval, *, reason: Any = "", actor: User) -> Approval:
    """The requester takes the round back; the run goes on as after a return.

    Raises NotPermitted for others, TransitionNotAllowed where the policy never returns, AlreadyDecided after its end.
    """
    act = Act.WITHDRAW_APPROVAL
    return _change(approval, approvals.withdraw_round, act=act, reason=reason, actor=actor, needs_reason=False)


def may_close_vote(approval: Approval, request: Request, *, actor: User) -> bool:
    """Whether the actor is the chair of the open level, as things are; for pages, it changes nothing."""
    policy, people = terms_of(Write(request=request, actor=actor, at=clock.now()), approval)
    return approvals.is_chair(actor, policy.levels[approval.level], people)


def _change(
    approval: Approval,
    change: Change,
    *given: Any,
    act: Act | None,
    reason: Any,
    actor: User,
    needs_reason: bool = True,
    **more: Any,
) -> Approval:
    write, current, note = _begin(approval, reason, actor, needs_reason=needs_reason)
    if act is not None:
        policies.require(actor, act, write.request)
    return _finish(write, current, lambda **terms: change(current, *given, actor=actor, note=note, **more, **terms))


def _begin(
    approval: Approval, reason: Any, actor: User, *, needs_reason: bool = True
) -> tuple[Write, Approval, Note | None]:
    text = checked_comment(reason, required=needs_reason, field="reason")
    write = begin_write(approval.stream_id, actor=actor)
    current = Approval.objects.select_related("visit", "stream").get(pk=approval.pk)
    current.stream = write.request.stream
    return write, current, write.note(text)


def _finish(write: Write, current: Approval, change: Change) -> Approval:
    policy, people = terms_of(write, current)
    outcome = change(policy=policy, people=people)
    take_over(write, outcome, visit=current.visit.number, run=write.passage_of(current.visit.run_id))
    go_on(write)
    write.finish()
    return current
