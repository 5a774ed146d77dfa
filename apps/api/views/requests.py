"""Requests: asking, finding, changing a draft, and moving through their life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from apps.accounts.models import User
from apps.api import filters
from apps.api.bodies import Body, flag, read_body, shape, text
from apps.api.idempotency import one_effect
from apps.api.people import active_person
from apps.api.preconditions import check_revision, etag_of
from apps.api.query import order_in, read_query
from apps.api.schema import lists, reads, writes
from apps.api.serializers.requests import RequestSerializer
from apps.api.views.base import ApiView, actor_of, shown
from apps.core.errors import InvalidInput
from apps.requests.enums import Level
from apps.requests.models import CatalogItem, Request
from apps.requests.selectors import get_request_for, items_for, visible_requests
from apps.requests.services import lifecycle
from apps.requests.services.lifecycle import MOST_TAGS, TAG_LENGTH, Wish
from apps.requests.services.priority import set_priority
from apps.requests.services.writing import lock_request

CONTENT: dict[str, dict[str, Any]] = {
    "title": text("Empty: the item's name", maxLength=200),
    "data": {"type": "object", "description": "The form's values; `/catalog/{slug}/` has their schema"},
    "requested_for": text("The user name of whom it is for; left out: oneself"),
    "impact": text(enum=Level.values, default=Level.MEDIUM.value),
    "urgency": text(enum=Level.values, default=Level.MEDIUM.value),
    "tags": {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": TAG_LENGTH},
        "maxItems": MOST_TAGS,
        "description": "Words that guards can read; a word that is there twice is kept once",
    },
}
NEW = shape(
    {"item": text("The item's slug"), **CONTENT, "submit": flag("False keeps it as a draft", default=True)},
    required=("item",),
)
CHANGE = shape({name: {key: told[key] for key in told if key != "default"} for name, told in CONTENT.items()})
REASON = shape({"comment": text("Why", maxLength=10_000)})
REASON_REQUIRED = shape({"comment": text("Why", maxLength=10_000)}, required=("comment",))
PRIORITY = shape(
    {
        "impact": text(enum=Level.values),
        "urgency": text(enum=Level.values),
        "reason": text("Why; everybody who reads the request sees it", maxLength=10_000),
    },
    required=("impact", "urgency", "reason"),
)
NOTHING = shape()


class RequestsView(ApiView):
    @lists("Requests I may see", RequestSerializer, query=filters.QUERY)
    def get(self, http: HttpRequest) -> Response:
        query = read_query(http, filters.QUERY)
        rows = filters.filtered(visible_requests(actor_of(http)), query)
        return self.paged(http, rows, order_in(query, filters.ORDERS, filters.DEFAULT_ORDER), RequestSerializer)

    @writes("Request an item", RequestSerializer, body=NEW, status=201)
    @one_effect
    def post(self, http: HttpRequest) -> Response:
        body, actor = read_body(http.data, NEW), actor_of(http)
        wish = Wish(
            title=body.get("title", ""),
            data=body.get("data"),
            requested_for=_person(body),
            impact=body.get("impact", Level.MEDIUM),
            urgency=body.get("urgency", Level.MEDIUM),
            tags=body.get("tags"),
        )
        item, submit = _item(body["item"], actor), body.get("submit", True)
        made = lifecycle.create_request(item, wish, actor=actor, submit=submit, origin="api")
        answer = _answer(made, status=201)
        answer["Location"] = http.build_absolute_uri(answer.data["links"]["self"])
        return answer


class RequestView(ApiView):
    @reads("A request", RequestSerializer)
    def get(self, http: HttpRequest, number: str) -> Response:
        read_query(http, paged=False)
        return _answer(get_request_for(actor_of(http), number))

    @writes(
        "Change a draft: what is left out stays, a null in `data` empties a field",
        RequestSerializer,
        body=CHANGE,
        conditional=True,
    )
    @one_effect
    def patch(self, http: HttpRequest, number: str) -> Response:
        body, actor = read_body(http.data, CHANGE), actor_of(http)
        request = get_request_for(actor, number)
        check_revision(http, request)
        return _answer(lifecycle.edit_draft(request, _changed(lock_request(request.pk), body), actor=actor))


class LifecycleView(ApiView):
    """A move of one request; subclasses say which."""

    def move(self, http: HttpRequest, number: str, service: Callable[..., Request], **given: Any) -> Response:
        request = get_request_for(actor_of(http), number)
        check_revision(http, request)
        return _answer(service(request, actor=actor_of(http), **given))


class SubmitView(LifecycleView):
    @writes("Hand a draft in", RequestSerializer, body=NOTHING, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, number: str) -> Response:
        read_body(http.data, NOTHING)
        return self.move(http, number, lifecycle.submit_request)


class CancelView(LifecycleView):
    @writes("Take a request back", RequestSerializer, body=REASON, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, number: str) -> Response:
        body = read_body(http.data, REASON)
        return self.move(http, number, lifecycle.cancel_request, reason=body.get("comment", ""))


class HoldView(LifecycleView):
    @writes("Put a request on hold: its clocks stand still", RequestSerializer, body=REASON_REQUIRED, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, number: str) -> Response:
        body = read_body(http.data, REASON_REQUIRED)
        return self.move(http, number, lifecycle.hold_request, reason=body["comment"])


class ResumeView(LifecycleView):
    @writes("Take a held request up again", RequestSerializer, body=NOTHING, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, number: str) -> Response:
        read_body(http.data, NOTHING)
        return self.move(http, number, lifecycle.resume_request)


class ReopenView(LifecycleView):
    @writes("Reopen a request that has ended", RequestSerializer, body=REASON_REQUIRED, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, number: str) -> Response:
        body = read_body(http.data, REASON_REQUIRED)
        return self.move(http, number, lifecycle.reopen_request, reason=body["comment"])


class PriorityView(LifecycleView):
    @writes(
        "Change impact and urgency, from which the priority follows: its clocks follow it, what they counted stays",
        RequestSerializer,
        body=PRIORITY,
        conditional=True,
    )
    @one_effect
    def post(self, http: HttpRequest, number: str) -> Response:
        return self.move(http, number, set_priority, **read_body(http.data, PRIORITY))


def _answer(request: Request, *, status: int = 200) -> Response:
    return Response(shown(RequestSerializer, request), status=status, headers={"ETag": etag_of(request)})


def _item(slug: str, actor: User) -> CatalogItem:
    item = items_for(actor).filter(slug=slug).first()
    if item is None:
        raise InvalidInput({"item": ["There is no such item, or it is not offered to you."]})
    return item


def _person(body: Body) -> User | None:
    return active_person(body["requested_for"], field="requested_for") if "requested_for" in body else None


def _changed(draft: Request, body: Body) -> Wish:
    """The draft's content with the changes of the body; its row is locked, so nothing is lost in between."""
    return Wish(
        title=body.get("title", draft.title),
        data={**draft.data, **body.get("data", {})},
        requested_for=_person(body),
        impact=body.get("impact", draft.impact),
        urgency=body.get("urgency", draft.urgency),
        tags=body.get("tags"),
    )
