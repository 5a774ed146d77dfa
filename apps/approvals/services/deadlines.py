"""What happens to a level that is not decided in time: reminders on the way, then what its policy says."""

from __future__ import annotations

from collections.abc import Sequence

from apps.approvals.enums import ApprovalEvent, ApprovalStatus, Why
from apps.approvals.models import Approval, ApprovalLevel, Seat
from apps.approvals.policies import has_answer
from apps.approvals.quorum import Deadline, Policy
from apps.approvals.selectors import Concerned, open_seats
from apps.approvals.services.outcome import Outcome, ask_more, told
from apps.approvals.services.rounds import call_for, end_level
from apps.approvals.services.seating import Apart, Slate, deciders_of

ENDS = {
    "approve": ApprovalStatus.APPROVED,
    "reject": ApprovalStatus.REJECTED,
    "return": ApprovalStatus.RETURNED,
    "expire": ApprovalStatus.EXPIRED,
}


def remind(approval: Approval, *, percent: int, policy: Policy, people: Concerned) -> Outcome:
    """Reminds those who have not answered that `percent` of the time is over."""
    outcome = Outcome(approval=approval, policy=policy, people=people)
    silent = _silent(approval)
    if silent:
        outcome.tell(ApprovalEvent.REMINDED, level=outcome.level.id, percent=percent, seats=told(silent))
    return outcome


def time_out(approval: Approval, *, policy: Policy, people: Concerned) -> Outcome:
    """Ends the time of the open level, which has a deadline.

    `escalate` gives it to others, each of whom may decide alone; who has not answered till then cannot any more. Where
    that names nobody the fallback is asked, and if that does not either, everything stays and an incident opens. The
    other ends decide the level without anybody.
    """
    outcome = Outcome(approval=approval, policy=policy, people=people)
    level = outcome.level
    assert level.deadline is not None
    outcome.tell(ApprovalEvent.TIMED_OUT, level=level.id, then=level.deadline.then)
    if level.deadline.then == "escalate":
        _escalate(outcome, level.deadline, approval.levels.get(index=approval.level), _silent(approval))
    else:
        end_level(outcome, ENDS[level.deadline.then])
    return outcome


def _escalate(outcome: Outcome, deadline: Deadline, row: ApprovalLevel, silent: Sequence[Seat]) -> None:
    level, policy, people = outcome.level, outcome.policy, outcome.people
    slate, apart = Slate(), Apart.of(outcome.approval, policy, people)
    found = deciders_of(slate, deadline.to, policy, level, apart, people)
    if found:
        ask_more(outcome, row, found, why=Why.ESCALATED, left=silent)
    else:
        detail = f"Level {level.id} of step {outcome.approval.step} was not decided in time; nobody is there to ask."
        outcome.call_operator(f"{level.id}:escalation", detail, kind="escalation")
    call_for(outcome, level, slate)


def _silent(approval: Approval) -> list[Seat]:
    return [seat for seat in open_seats(approval.pk) if not has_answer(seat)]
