"""What operators do about incidents. Each is a verb of its own with a reason, told in the request's history."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import TransitionNotAllowed
from apps.outbox.incidents import resolve_incident
from apps.outbox.models import Incident
from apps.outbox.relay import redeliver
from apps.requests import policies
from apps.requests.policies import Act
from apps.requests.services.effects import carry_out
from apps.requests.services.lifecycle import checked_comment
from apps.requests.services.writing import Write, begin_write
from apps.workflows.engine.triggers import Retry


@transaction.atomic(savepoint=False)
def retry_incident(incident: Incident, *, reason: str, actor: User) -> Incident:
    """Resolves the incident and tries again what failed: a workflow's step goes on, a dead delivery is delivered.

    What fails again opens a new incident. Other kinds try again by themselves (sweeps) or need their cause mended; they
    are only resolved. Raises NotPermitted unless the actor is an administrator, TransitionNotAllowed if it is resolved
    already, InvalidInput without a reason.
    """
    text = checked_comment(reason, required=True, field="reason")
    write = begin_write(incident.stream_id, actor=actor)
    policies.require(actor, Act.REPAIR, write.request)
    fresh = Incident.objects.get(pk=incident.pk)
    if fresh.status != Incident.Status.OPEN:
        raise TransitionNotAllowed("This incident is already resolved.")
    write.events.append(resolve_incident(fresh, actor=write.actor_name, note=write.note(text), at=write.at))
    RETRIES.get(fresh.kind, _nothing)(write, fresh)
    write.finish()
    return fresh


def _retry_steps(write: Write, incident: Incident) -> None:
    for visit in write.run.marking.open_visits():
        if visit.incident and incident.key.endswith(f":{visit.step}"):
            carry_out(write, Retry(visit=visit.id))


def _deliver_again(write: Write, incident: Incident) -> None:
    redeliver(int(incident.key.partition(":")[2]))


def _nothing(write: Write, incident: Incident) -> None:
    """Resolving it is all there is to do."""


RETRIES: Mapping[str, Callable[[Write, Incident], None]] = {"workflow": _retry_steps, "dead_letter": _deliver_again}
