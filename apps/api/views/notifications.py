"""What I was told."""

from __future__ import annotations

from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from apps.api.bodies import Body, read_body, shape
from apps.api.idempotency import one_effect
from apps.api.query import read_query
from apps.api.schema import lists, writes
from apps.api.serializers.notifications import NotificationSerializer, ReadSerializer
from apps.api.views.base import NEWEST, ApiView, actor_of
from apps.core.errors import InvalidInput
from apps.notifications.selectors import notifications_of
from apps.notifications.services import mark_read

MOST_IDS = 1000
IDS = shape(
    {"ids": {"type": "array", "items": {"type": "integer"}, "maxItems": MOST_IDS, "description": "Left out: all"}}
)


class NotificationsView(ApiView):
    @lists("My notifications", NotificationSerializer)
    def get(self, http: HttpRequest) -> Response:
        read_query(http)
        return self.paged(http, notifications_of(actor_of(http)), NEWEST, NotificationSerializer)


class ReadView(ApiView):
    @writes("Mark notifications as read", ReadSerializer, body=IDS)
    @one_effect
    def post(self, http: HttpRequest) -> Response:
        ids = _ids(read_body(http.data, IDS))
        return Response({"read": mark_read(actor_of(http), ids=ids)})


def _ids(body: Body) -> list[int] | None:
    ids: list[int] | None = body.get("ids")
    if ids is None:
        return None
    if len(ids) > MOST_IDS or not all(isinstance(one, int) and not isinstance(one, bool) for one in ids):
        raise InvalidInput({"ids": [f"This must be a list of at most {MOST_IDS:,} ids."]})
    return ids
