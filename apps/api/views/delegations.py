"""My absences: who answers approvals for me, when, for what and up to how much."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from apps.accounts import selectors
from apps.accounts.delegations import MOST_ITEMS, REASON_LENGTH, end_delegation
from apps.accounts.models import Delegation
from apps.api.bodies import read_body, shape, text
from apps.api.idempotency import one_effect
from apps.api.query import choices_in, read_query
from apps.api.schema import lists, reads, writes
from apps.api.serializers.delegations import DelegationSerializer, PreviewSerializer
from apps.api.views.base import NEWEST, ApiView, actor_of, shown
from apps.core.errors import InvalidInput, NotVisible
from apps.requests.policies import sees_everything
from apps.requests.services.absences import AbsenceWish, checked, delegate, preview_of

INSTANT = "A time with its offset; without one it is in my own time zone"
SCOPE: dict[str, Any] = {
    "deputy": text("The user name of an active person", maxLength=150),
    "starts_at": text(f"{INSTANT}. Left out: now", maxLength=60),
    "ends_at": text(f"{INSTANT}. Not included", maxLength=60),
    "up_to": text("The largest amount, with its `currency`; left out: no limit", maxLength=20),
    "currency": text("Three capital letters", maxLength=3),
}
ITEMS = {
    "type": "array",
    "items": {"type": "string"},
    "maxItems": MOST_ITEMS,
    "description": "Slugs of catalogue items; left out or empty: all of them",
}
ABSENCE = shape({**SCOPE, "items": ITEMS}, required=("deputy", "ends_at"))
QUERY = {**SCOPE, "items": text("Slugs of catalogue items, separated by commas; left out: all of them")}
ROLES = ("principal", "deputy")
ROLE = {"role": {"type": "string", "enum": list(ROLES), "default": "principal", "description": "What I am in them"}}
REASON = shape({"reason": text("Why; administrators must say it", maxLength=REASON_LENGTH)})


class DelegationsView(ApiView):
    @lists("My absences, or those in which I am the deputy", DelegationSerializer, query=ROLE)
    def get(self, http: HttpRequest) -> Response:
        query = read_query(http, ROLE)
        roles = choices_in(query, "role", ROLES) if "role" in query else ["principal"]
        if len(roles) != 1:
            raise InvalidInput({"role": [f"This must be one of {', '.join(ROLES)}."]})
        actor = actor_of(http)
        found = selectors.delegations_of(actor) if roles == ["principal"] else selectors.all_deputyships_of(actor)
        return self.paged(http, found, NEWEST, DelegationSerializer)

    @writes("Name my deputy for an absence", DelegationSerializer, body=ABSENCE, status=201)
    @one_effect
    def post(self, http: HttpRequest) -> Response:
        made = delegate(actor_of(http), AbsenceWish(**read_body(http.data, ABSENCE)))
        place = http.build_absolute_uri(f"{http.path}{made.pk}/")
        return Response(shown(DelegationSerializer, made), status=201, headers={"Location": place})


class DelegationPreviewView(ApiView):
    @reads("Which of my open approvals would go to the deputy", PreviewSerializer, query=QUERY)
    def get(self, http: HttpRequest) -> Response:
        query = dict(read_query(http, QUERY, paged=False))
        items = query.pop("items", "")
        actor = actor_of(http)
        terms = checked(actor, AbsenceWish(items=items.split(",") if items else (), **query), whole=False)
        return Response(shown(PreviewSerializer, preview_of(actor, terms)))


class DelegationView(ApiView):
    http_method_names = ["get", "head", "delete"]

    @reads("An absence of mine, or one in which I am the deputy", DelegationSerializer)
    def get(self, http: HttpRequest, delegation_id: int) -> Response:
        read_query(http, paged=False)
        return Response(shown(DelegationSerializer, _found(_mine(http), delegation_id)))

    @writes("End my absence before its time", DelegationSerializer)
    @one_effect
    def delete(self, http: HttpRequest, delegation_id: int) -> Response:
        ended = end_delegation(_found(_mine(http), delegation_id), actor=actor_of(http))
        return Response(shown(DelegationSerializer, ended))


class EndDelegationView(ApiView):
    @writes("End an absence before its time, for administrators anybody's", DelegationSerializer, body=REASON)
    @one_effect
    def post(self, http: HttpRequest, delegation_id: int) -> Response:
        reason = read_body(http.data, REASON).get("reason", "")
        rows = selectors.all_delegations() if sees_everything(actor_of(http)) else _mine(http)
        ended = end_delegation(_found(rows, delegation_id), actor=actor_of(http), reason=reason)
        return Response(shown(DelegationSerializer, ended))


def _mine(http: HttpRequest) -> QuerySet[Delegation]:
    return selectors.delegations_of(actor_of(http)) | selectors.all_deputyships_of(actor_of(http))


def _found(rows: QuerySet[Delegation], delegation_id: int) -> Delegation:
    found = rows.filter(pk=delegation_id).first()
    if found is None:
        raise NotVisible
    return found
