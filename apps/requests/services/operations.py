"""What operators do about incidents. Each is a verb of its own with a reason, told in the request's history."""

from __future__ import annotations

from django.db import transaction

from apps.accounts.models import User
from apps.approvals import services as approvals
from apps.approvals.models import Approval
from apps.core.errors import TransitionNotAllowed
from apps.outbox.incidents import resolve_incidents
from apps.outbox.models import Incident
from apps.requests import policies
from apps.requests.policies import Act
from apps.requests.services.effects import carry_out, concerned, policy_for, take_over
from apps.requests.services.lifecycle import checked_comment
from apps.requests.services.writing import Write, begin_write
from apps.workflows.engine.triggers import Retry

WORKFLOW, NOBODY_ASKED, DEAD_LETTER = "workflow", "approval_without_approver", "dead_letter"


@transaction.atomic(savepoint=False)
def retry_incident(incident: Incident, *, reason: str, actor: User) -> Incident:
    """Resolves the incident and lets the failed step go on, or asks again; failing again opens a new incident.

    Other kinds try again by themselves (sweeps) or need their cause mended; they are only resolved. A dead letter is
    delivered again on its own page. Raises NotPermitted unless the actor is an administrator, TransitionNotAllowed if
    it is resolved already, InvalidInput without a reason.
    """
    text = checked_comment(reason, required=True)
    write = begin_write(incident.stream_id, actor=actor)
    policies.require(actor, Act.REPAIR, write.request)
    fresh = Incident.objects.get(pk=incident.pk)
    if fresh.status != Incident.Status.OPEN or fresh.kind == DEAD_LETTER:
        raise TransitionNotAllowed("This incident cannot be retried here, or is already resolved.")
    note, who = write.note(text), write.actor_name
    write.events += resolve_incidents(
        write.request.stream, kind=fresh.kind, key=fresh.key, actor=who, at=write.at, note=note
    )
    if fresh.kind == WORKFLOW:
        _retry_steps(write, fresh)
    elif fresh.kind == NOBODY_ASKED:
        _ask_again(write, fresh)
    write.finish()
    return fresh


def _ask_again(write: Write, incident: Incident) -> None:
    approval = Approval.objects.get(pk=int(incident.key.split(":")[1]))
    policy = policy_for(write, write.run.definition.step(approval.step))
    outcome = approvals.ask_again(approval, policy=policy, people=concerned(write), at=write.at)
    if not outcome.asked:
        raise TransitionNotAllowed("There is still nobody active who could be asked.")
    take_over(write, outcome, visit=approval.visit.number)


def _retry_steps(write: Write, incident: Incident) -> None:
    for visit in write.run.marking.open_visits():
        if visit.incident and incident.key.endswith(f":{visit.step}"):
            carry_out(write, Retry(visit=visit.id))
