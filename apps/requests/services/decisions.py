"""Answers to approvals, carried into the request's run."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.approvals import services as approvals
from apps.approvals.enums import Verdict
from apps.approvals.models import Approval
from apps.core.errors import InvalidInput
from apps.requests.facts import pinned_facts
from apps.requests.services.effects import carry_out, policy_for, take_over
from apps.requests.services.lifecycle import checked_comment, first_response
from apps.requests.services.writing import begin_write
from apps.workflows.engine.guards import holds


@transaction.atomic(savepoint=False)
def record_decision(
    approval: Approval, *, verdict: Any, comment: Any = "", actor: User, at: datetime | None = None
) -> Approval:
    """Records the actor's answer on their seat; the level, the round and the run follow in the same transaction.

    `approval` was found through a selector; what counts is read again under the lock. Raises InvalidInput for an
    unknown verdict or an unfit comment, NotPermitted for somebody who was not asked, AlreadyDecided when the seat has
    its answer or the round has ended; then nothing changed. Two people at the same instant get one outcome.
    """
    if verdict not in Verdict.values:
        raise InvalidInput({"decision": [f"This must be one of {', '.join(Verdict.values)}."]})
    text = checked_comment(comment)
    write = begin_write(approval.stream_id, actor=actor, at=at)
    step = write.run.definition.step(approval.step)
    outcome = approvals.record_decision(
        approval.pk,
        actor=actor,
        verdict=verdict,
        note=write.note(text),
        policy=policy_for(write, step),
        requester=write.request.requester,
        holds=lambda guard: holds(guard, pinned_facts(write.request), write.at),
        at=write.at,
    )
    first_response(write)
    take_over(write, outcome, visit=_visit_number(outcome.approval))
    if write.triggers:
        carry_out(write, write.triggers.pop())
    write.finish()
    return outcome.approval


def _visit_number(approval: Approval) -> int:
    return approval.visit.number
