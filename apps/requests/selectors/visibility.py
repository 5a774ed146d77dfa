"""The one door: which requests, and which of their events and clocks, a person may see.

Of a request everybody who sees it reads everything but what is internal: internal comments, what escalations do by
themselves and whom they tell (what they change is told by events of its own), and teams' own targets (OLAs).
"""

from __future__ import annotations

from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.core.errors import NotVisible
from apps.outbox.models import Event, Stream
from apps.requests import policies
from apps.requests.enums import ESCALATED_BY, Relation, RequestEvent
from apps.requests.models import Request, RequestParticipant
from apps.requests.policies import Act, sees_everything
from apps.sla.enums import SlaEvent
from apps.sla.models import SlaClock
from apps.sla.selectors import policy_of

OF_OWN_TARGETS = [kind for kind in SlaEvent if kind not in (SlaEvent.ESCALATED, SlaEvent.REBASED)]
INTERNAL = (
    Q(type__in=[RequestEvent.COMMENTED, *OF_OWN_TARGETS], data__has_key="internal", data__internal=True)
    | Q(type=SlaEvent.ESCALATED)
    | Q(type=RequestEvent.NOTICE, data__step__startswith=ESCALATED_BY)
)
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


def reads_internally(user: User, request: Request) -> bool:
    """Whether they read what is internal to the request: who works on it, leads its team, administers or audits."""
    return policies.may(user, Act.READ_INTERNALLY, request)


def readable_events(request: Request, *, reader: User) -> QuerySet[Event]:
    """The request's events in order, internal ones only for who may read them.

    Earlier events do not say that they are of a team's own target; the policy in force does.
    """
    events = Event.objects.filter(stream_id=request.pk).order_by("seq")
    if reads_internally(reader, request):
        return events
    return events.filter(~INTERNAL & ~Q(type__in=OF_OWN_TARGETS, data__target__in=_own_targets(request)))


def _own_targets(request: Request) -> list[str]:
    policy = request.pins.get("sla")
    return [target.id for target in policy_of(policy).targets if target.team] if policy else []


def readable_clocks(request: Request, *, reader: User | None) -> QuerySet[SlaClock]:
    """The request's SLA clocks, oldest first; teams' own targets only for who may read them, or for nobody's eyes."""
    clocks = SlaClock.objects.filter(stream_id=request.pk).order_by("id")
    return clocks if reader is None or reads_internally(reader, request) else clocks.filter(team="")


def clocks_on_lists(user: User) -> Q:
    """Which clocks of the requests that they see a person's lists show."""
    return Q() if sees_everything(user) else Q(team="") | _worked_on(user)


def feed_for(user: User, *, after: int = 0) -> QuerySet[Event]:
    """Placed events after a feed position that this person may see, in the feed's order.

    Of requests that they see (what is internal where they work on it), and of themselves. An event without position is
    not there yet: it will get a later one.
    """
    placed = Event.objects.filter(position__gt=after).order_by("position")
    if sees_everything(user):
        return placed
    open_to_all = Q(stream_id__in=_streams_of(user)) & ~INTERNAL
    mine = Q(stream__kind=Stream.Kind.PERSON, stream__person=user)
    return placed.filter(open_to_all | mine | _worked_on(user))


def _worked_on(user: User) -> Q:
    """Of requests this person works on and did not ask for, or that they see and lead the team of."""
    own = Q(request__requester=user) | Q(request__requested_for=user)
    working = RequestParticipant.objects.filter(
        principal__in=user.principals, relation__in=[Relation.ASSIGNEE, Relation.TEAM]
    )
    led = RequestParticipant.objects.filter(principal__in=user.principals, request__team__lead=user)
    return Q(stream_id__in=working.exclude(own).values("request_id")) | Q(stream_id__in=led.values("request_id"))
