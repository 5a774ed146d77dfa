"""The one door: which requests, and which events, a person may see."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.core.errors import NotVisible
from apps.outbox.models import Event, Stream
from apps.requests.enums import Relation, RequestEvent
from apps.requests.models import Request, RequestParticipant
from apps.requests.policies import sees_everything

INTERNAL = Q(type=RequestEvent.COMMENTED, data__internal=True)
SHOWN = ("item", "requester", "requested_for", "assignee", "team", "run")


def _streams_of(user: User) -> QuerySet[RequestParticipant, int]:
    return RequestParticipant.objects.filter(principal__in=user.principals).values_list("request_id", flat=True)


def visible_requests(user: User) -> QuerySet[Request]:
    """Every request this person takes part in (administrators and auditors: all), newest first."""
    shown = Request.objects.select_related(*SHOWN).order_by("-stream_id")
    return shown if sees_everything(user) else shown.filter(stream_id__in=_streams_of(user))


def principals_of(stream_id: int) -> list[str]:
    """Everybody who takes part in a request."""
    taking_part = RequestParticipant.objects.filter(request_id=stream_id)
    return sorted(set(taking_part.values_list("principal", flat=True)))


def get_request_for(user: User, number: str) -> Request:
    """The request with this number. Raises NotVisible if there is none or none that this person may see."""
    request = visible_requests(user).filter(number=number).first()
    if request is None:
        raise NotVisible
    return request


def feed_for(user: User, *, after: int = 0) -> QuerySet[Event]:
    """Placed events after a feed position that this person may see, in the feed's order.

    Of requests that they see (internal comments where they work on it), and of themselves. An event without position is
    not there yet: it will get a later one.
    """
    placed = Event.objects.filter(position__gt=after).order_by("position")
    if sees_everything(user):
        return placed
    open_to_all = Q(stream_id__in=_streams_of(user)) & ~INTERNAL
    mine = Q(stream__kind=Stream.Kind.PERSON, stream__person=user)
    return placed.filter(open_to_all | mine | Q(stream_id__in=_worked_on(user)))


def _worked_on(user: User) -> QuerySet[RequestParticipant, int]:
    """Requests this person works on and did not ask for."""
    own = Q(request__requester=user) | Q(request__requested_for=user)
    working = RequestParticipant.objects.filter(
        principal__in=user.principals, relation__in=[Relation.ASSIGNEE, Relation.TEAM]
    )
    return working.exclude(own).values_list("request_id", flat=True)
