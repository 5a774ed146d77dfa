"""Who is told of which event. Nobody is told of what they did themselves, but of what they should have in writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from apps.accounts.enums import PersonEvent, Role
from apps.accounts.models import User
from apps.accounts.selectors import people_in, people_of_principals
from apps.approvals.enums import ApprovalEvent
from apps.outbox.enums import IncidentEvent
from apps.outbox.models import Event
from apps.requests.enums import RequestEvent
from apps.requests.models import Request
from apps.sla.enums import SlaEvent
from apps.workflows.enums import WorkflowEvent

Readers = Callable[[Event, Request], list[User]]


@dataclass(frozen=True, kw_only=True)
class Audience:
    """The readers of one event type and the kind of notification they get (`notifications/render.py` has its words)."""

    kind: str
    readers: Readers


def _seats(event: Event, request: Request) -> list[User]:
    return people_of_principals(f"user:{seat['user']}" for seat in event.data.get("seats", []))


def _task_people(event: Event, request: Request) -> list[User]:
    assignee, group = event.data.get("assignee"), event.data.get("group")
    return people_of_principals([f"user:{assignee}"] if assignee else [f"group:{group}"])


def _requesters(event: Event, request: Request) -> list[User]:
    return people_of_principals({f"user:{request.requester_id}", f"user:{request.requested_for_id}"})


def _everybody_on_it(event: Event, request: Request) -> list[User]:
    asked = (request.requester_id, request.requested_for_id)
    workers = [f"user:{request.assignee_id}"] if request.assignee_id and request.assignee_id not in asked else []
    internal = event.data.get("internal", False)
    return people_of_principals(workers) if internal else _merge(_requesters(event, request), workers)


def _merge(people: list[User], principals: list[str]) -> list[User]:
    found = {user.pk: user for user in [*people, *people_of_principals(principals)]}
    return list(found.values())


def _named(event: Event, request: Request) -> list[User]:
    return people_of_principals(f"user:{pk}" for pk in event.data.get("users", []))


def _responsible(event: Event, request: Request) -> list[User]:
    """The assignee and the team's lead; without either the administrators: a breach is never told to nobody.

    Of a team's own target those who asked are not told, who may not read of it.
    """
    lead, assignee = request.team.lead_id if request.team else None, request.assignee_id
    if event.data.get("internal") and assignee in (request.requester_id, request.requested_for_id):
        assignee = None
    found = people_of_principals(f"user:{pk}" for pk in {assignee, lead} if pk)
    return found or _administrators(event, request)


def _administrators(event: Event, request: Request) -> list[User]:
    return people_in(roles=[Role.ADMINISTRATOR])


AUDIENCES: Mapping[str, Audience] = {
    RequestEvent.SUBMITTED: Audience(kind="submitted", readers=_requesters),
    RequestEvent.HELD: Audience(kind="held", readers=_requesters),
    RequestEvent.COMPLETED: Audience(kind="completed", readers=_requesters),
    RequestEvent.REJECTED: Audience(kind="rejected", readers=_requesters),
    RequestEvent.CANCELLED: Audience(kind="cancelled", readers=_requesters),
    RequestEvent.REOPENED: Audience(kind="reopened", readers=_everybody_on_it),
    RequestEvent.COMMENTED: Audience(kind="commented", readers=_everybody_on_it),
    RequestEvent.NOTICE: Audience(kind="notice", readers=_named),
    WorkflowEvent.TASK_OPENED: Audience(kind="task", readers=_task_people),
    ApprovalEvent.LEVEL_OPENED: Audience(kind="approval", readers=_seats),
    ApprovalEvent.ASKED: Audience(kind="approval", readers=_seats),
    ApprovalEvent.REMINDED: Audience(kind="approval_reminder", readers=_seats),
    SlaEvent.WARNED: Audience(kind="sla_warned", readers=_responsible),
    SlaEvent.BREACHED: Audience(kind="sla_breached", readers=_responsible),
    IncidentEvent.OPENED: Audience(kind="incident", readers=_administrators),
}
PERSON_KINDS: Mapping[str, str] = {PersonEvent.DELEGATED: "deputy", PersonEvent.DELEGATION_ENDED: "deputy_ended"}
TELLS_THE_ACTOR = frozenset({RequestEvent.SUBMITTED})


def readers_of(event: Event, request: Request) -> tuple[str, list[User]]:
    """The kind of notification and the active people who get it, each once, without the actor."""
    audience = AUDIENCES[event.type]
    people = audience.readers(event, request)
    if event.type not in TELLS_THE_ACTOR:
        people = [person for person in people if event.actor != f"user:{person.pk}"]
    return audience.kind, people


def people_concerned(event: Event) -> list[User]:
    """The active people a delegation concerns, both of them: who is away has it in writing too."""
    return people_of_principals([f"user:{event.data['principal']}", f"user:{event.data['deputy']}"])
