"""Incidents: something needs an operator, said once, in the stream it concerns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from apps.outbox.enums import IncidentEvent
from apps.outbox.models import Incident, Note, Stream
from apps.outbox.publish import SYSTEM, NewEvent

DETAIL_LENGTH = 500
STEP_OVER = "step_over"


def open_incident(stream: Stream, *, kind: str, key: str, detail: str, at: datetime) -> list[NewEvent]:
    """Opens the incident unless the same one is open; returns the event to publish (none if it was open already).

    The stream is locked by the caller. `detail` is for operators: steps, guards, reasons; never a form's values.
    """
    incident, created = Incident.objects.get_or_create(
        stream=stream,
        kind=kind,
        key=key,
        status=Incident.Status.OPEN,
        defaults={"detail": detail[:DETAIL_LENGTH], "opened_at": at},
    )
    if not created:
        return []
    data = {"incident": incident.pk, "kind": kind, "key": key}
    return [NewEvent(type=IncidentEvent.OPENED, actor=SYSTEM, at=at, data=data)]


def resolve_incidents(
    stream: Stream, *, kind: str, key: str, actor: str, at: datetime, note: Note | None = None
) -> list[NewEvent]:
    """Resolves the open incident of this kind and key, if there is one; returns its event to publish."""
    rows = Incident.objects.filter(stream=stream, kind=kind, key=key, status=Incident.Status.OPEN)
    return [_resolve(row, actor=actor, at=at, note=note) for row in rows]


def close_incidents(stream: Stream, *, about: Callable[[Incident], bool], actor: str, at: datetime) -> list[NewEvent]:
    """Resolves those open incidents of the stream whose step is over: it went on, has ended or was taken back. The
    events to publish, which say so (`cause`). The stream is locked by the caller.
    """
    rows = Incident.objects.filter(stream=stream, status=Incident.Status.OPEN).order_by("id")
    return [_resolve(row, actor=actor, at=at, cause=STEP_OVER) for row in rows if about(row)]


def _resolve(incident: Incident, *, actor: str, at: datetime, note: Note | None = None, **more: str) -> NewEvent:
    incident.status, incident.resolved_at = Incident.Status.RESOLVED, at
    incident.save(update_fields=["status", "resolved_at"])
    data = {"incident": incident.pk, **more}
    return NewEvent(type=IncidentEvent.RESOLVED, actor=actor, at=at, data=data, note=note)
