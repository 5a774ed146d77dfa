"""Incidents of requests: which ones a person may read, and where in a run each is."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.core.errors import NotPermitted, NotVisible
from apps.outbox.models import Incident
from apps.requests import policies
from apps.requests.models import Request
from apps.requests.policies import Act
from apps.requests.selectors.visibility import visible_requests
from apps.requests.selectors.work import incidents_of


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an incident is: the number of the run and the step's id, each None where its kind names none."""

    run: int | None = None
    step: str | None = None


def place_of(incident: Incident) -> Place:
    """Read from the incident's key: `run:2:pay` of a workflow's, `task:pay` of a task for nobody."""
    parts = incident.key.split(":", 2)
    if incident.kind == "workflow" and len(parts) == 3:
        return Place(run=int(parts[1]), step=parts[2])
    if incident.kind == "task_without_assignee" and len(parts) == 2 and not parts[1].isdecimal():
        return Place(step=parts[1])
    return Place()


def readable_incidents(request: Request, *, reader: User) -> QuerySet[Incident]:
    """The request's incidents, open ones first. Raises NotPermitted for those who do not work on it or audit it."""
    if not policies.may(reader, Act.READ_INTERNALLY, request):
        raise NotPermitted("Incidents are for those who work on the request.")
    return incidents_of(request).select_related("stream__request")


def get_incident_for(user: User, incident_id: int) -> Incident:
    """An incident of a request that this person may see, with `stream.request`. Raises NotVisible."""
    incident = Incident.objects.filter(pk=incident_id, stream__request__isnull=False).select_related("stream__request")
    found = incident.first()
    if found is None or not visible_requests(user).filter(pk=found.stream_id).exists():
        raise NotVisible
    return found
