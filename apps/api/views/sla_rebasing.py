"""Open requests carried over to a new version of an SLA policy or a calendar."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from apps.api.bodies import Body, read_body, shape, text
from apps.api.idempotency import one_effect
from apps.api.query import read_query
from apps.api.schema import reads, writes
from apps.api.serializers.sla_rebasing import RebasingSerializer
from apps.api.views.base import ApiView, actor_of, shown
from apps.core.errors import InvalidInput, NotVisible
from apps.requests.services import rebasing_work
from apps.requests.services.rebasing import Rebase

NUMBER = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
LOOK = shape(
    {
        "policy": text("The key of an SLA policy; either this or `calendar`", maxLength=80),
        "calendar": text("The key of a calendar", maxLength=80),
        "n": {**NUMBER, "description": "The version, which must be the newest; left out: that"},
        "retroactive": {
            "type": "boolean",
            "description": "From the beginning, not from now on; left out: as the policy says",
        },
    }
)
APPLY = shape({"id": {**NUMBER, "description": "The finished look that is applied"}}, required=("id",))


class RebasePreviewView(ApiView):
    @writes(
        "Look at what the newest version of a policy or calendar would change for open requests; nothing moves",
        RebasingSerializer,
        body=LOOK,
        status=201,
    )
    @one_effect
    def post(self, http: HttpRequest) -> Response:
        rebasing_work.require_may_rebase(actor_of(http))
        row = rebasing_work.ask_rebase(_rebase(read_body(http.data, LOOK)), actor=actor_of(http))
        place = http.build_absolute_uri(f"/api/v1/sla/rebase/{row.pk}/")
        return Response(shown(RebasingSerializer, row), status=201, headers={"Location": place})


class RebaseView(ApiView):
    @writes("Apply a finished look: a worker carries the requests over", RebasingSerializer, body=APPLY, status=202)
    @one_effect
    def post(self, http: HttpRequest) -> Response:
        actor = actor_of(http)
        rebasing_work.require_may_rebase(actor)
        try:
            row = rebasing_work.rebasing_for(actor, read_body(http.data, APPLY)["id"])
        except NotVisible as error:
            raise InvalidInput({"id": ["There is no such look."]}) from error
        return Response(shown(RebasingSerializer, rebasing_work.confirm_rebase(row, actor=actor)), status=202)


class RebaseProgressView(ApiView):
    @reads("A look or a change, with its progress and result", RebasingSerializer)
    def get(self, http: HttpRequest, rebasing_id: int) -> Response:
        read_query(http, paged=False)
        return Response(shown(RebasingSerializer, rebasing_work.rebasing_for(actor_of(http), rebasing_id)))


def _rebase(body: Body) -> Rebase:
    named = [name for name in _BUILDS if name in body]
    if len(named) != 1:
        raise InvalidInput({"policy": ["Name an SLA policy or a calendar: one of them."]})
    given: dict[str, Any] = {"retroactive": body.get("retroactive")}
    return _BUILDS[named[0]](body[named[0]], body.get("n"), **given)


_BUILDS = {"policy": rebasing_work.rebase_to_policy, "calendar": rebasing_work.rebase_to_calendar}
