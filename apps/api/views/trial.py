"""The dry run of a draft."""

from __future__ import annotations

from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from apps.api.bodies import read_body, shape, text
from apps.api.idempotency import one_effect
from apps.api.schema import writes
from apps.api.serializers.trial import TrialSerializer
from apps.api.views.base import ApiView, actor_of, shown
from apps.requests.services import designing
from apps.requests.services.trial import simulate_document

FACTS = shape(
    {
        "request": {
            "type": "object",
            "description": "A sample request: item, requester, requested_for, data and what else guards see",
        },
        "now": text("When it is submitted; the present instant by default", format="date-time"),
        "script": {
            "type": "array",
            "items": {"type": "object"},
            "description": "What happens: at, step, one of outcome, message, decision, fail; by, data, key, instance",
        },
    }
)


class WorkflowSimulateView(ApiView):
    @writes(
        "Walk the draft with a sample request and a script; nothing is written or sent", TrialSerializer, body=FACTS
    )
    @one_effect
    def post(self, http: HttpRequest, key: str) -> Response:
        actor = actor_of(http)
        draft = designing.draft_for(actor, key)
        given = read_body(http.data, FACTS)
        return Response(shown(TrialSerializer, simulate_document(draft.document, given, actor=actor).to_json()))
