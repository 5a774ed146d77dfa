"""Workflows as documents: drawing, checking, publishing, comparing and carrying over."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from django.db import transaction
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from apps.accounts.models import User
from apps.api.bodies import read_body, shape, text
from apps.api.errors import CONTENT_TYPE
from apps.api.idempotency import one_effect
from apps.api.pagination import Order
from apps.api.preconditions import ANY, tags_named
from apps.api.query import read_query
from apps.api.schema import READ_ERRORS, lists, reads, writes
from apps.api.serializers.problems import ProblemSerializer
from apps.api.serializers.workflows import (
    DiffSerializer,
    DraftSerializer,
    ReportSerializer,
    WorkflowDocumentSerializer,
    WorkflowSerializer,
    WorkflowVersionSerializer,
)
from apps.api.views.base import ApiView, actor_of, shown
from apps.core.errors import InvalidInput, PreconditionFailed, PreconditionRequired
from apps.requests.services import designing
from apps.workflows.engine.diagram import draw
from apps.workflows.models import WorkflowVersion
from apps.workflows.selectors import definition_of
from apps.workflows.services.drafting import UNCHECKED

BY_KEY = Order(name="key", columns=("key",))
NEWEST_FIRST = Order(name="-n", columns=("n",), descending=True)
NOTHING = shape()
NEW = shape(
    {"key": text("Letters, digits, - and _", maxLength=80), "name": text(maxLength=200)}, required=("key", "name")
)
DOCUMENT = shape({"document": {"type": "object", "description": "Format 1"}}, required=("document",))
DRAFT = "draft"
SIDE = {"type": "string", "description": "A version's number, or `draft`"}
SIDES = {"a": SIDE, "b": SIDE}
FORMATS = ("json", "svg")
AS = {"as": {"type": "string", "enum": list(FORMATS), "default": "json"}}


def problems_of(statuses: Sequence[int]) -> dict[tuple[int, str], type[ProblemSerializer]]:
    """The refusals of an operation that is described by hand."""
    return {(status, CONTENT_TYPE): ProblemSerializer for status in statuses}


class WorkflowsView(ApiView):
    @lists("Workflows, for those who design or audit them", WorkflowSerializer)
    def get(self, http: HttpRequest) -> Response:
        read_query(http)
        return self.paged(http, designing.workflows_for(actor_of(http)), BY_KEY, WorkflowSerializer)

    @writes("Begin a workflow", WorkflowSerializer, body=NEW, status=201)
    @one_effect
    def post(self, http: HttpRequest) -> Response:
        designing.require_designer(actor_of(http))
        body = read_body(http.data, NEW)
        made = designing.start_workflow(body["key"], name=body["name"], actor=actor_of(http))
        place = http.build_absolute_uri(f"{http.path}{made.key}/")
        return Response(shown(WorkflowSerializer, made), status=201, headers={"Location": place})


class WorkflowView(ApiView):
    @reads("A workflow", WorkflowSerializer)
    def get(self, http: HttpRequest, key: str) -> Response:
        read_query(http, paged=False)
        return Response(shown(WorkflowSerializer, designing.workflow_for(actor_of(http), key)))


class WorkflowVersionsView(ApiView):
    @lists("The versions of a workflow, the newest first", WorkflowVersionSerializer)
    def get(self, http: HttpRequest, key: str) -> Response:
        read_query(http)
        rows = designing.versions_for(actor_of(http), key).defer("document")
        return self.paged(http, rows, NEWEST_FIRST, WorkflowVersionSerializer)


class WorkflowVersionView(ApiView):
    @reads("A version with its document", WorkflowDocumentSerializer)
    def get(self, http: HttpRequest, key: str, n: int) -> Response:
        read_query(http, paged=False)
        return Response(shown(WorkflowDocumentSerializer, designing.version_for(actor_of(http), key, n)))


class WorkflowRetireView(ApiView):
    @writes("Offer a version no longer: its runs go on", WorkflowVersionSerializer, body=NOTHING)
    @one_effect
    def post(self, http: HttpRequest, key: str, n: int) -> Response:
        version = designing.version_for(actor_of(http), key, n)
        read_body(http.data, NOTHING)
        return Response(shown(WorkflowVersionSerializer, designing.retire_version(version, actor=actor_of(http))))


class WorkflowDraftView(ApiView):
    http_method_names = ["get", "head", "put"]

    @reads("The draft of a workflow", DraftSerializer)
    def get(self, http: HttpRequest, key: str) -> Response:
        read_query(http, paged=False)
        return _draft(designing.draft_for(actor_of(http), key))

    @writes(
        "Save the draft: `If-Match` must name the one it replaces",
        DraftSerializer,
        body=DOCUMENT,
        keyed=False,
        replaces=True,
    )
    def put(self, http: HttpRequest, key: str) -> Response:
        actor = actor_of(http)
        workflow = designing.workflow_for(actor, key)
        designing.require_designer(actor)
        body = read_body(http.data, DOCUMENT)
        with transaction.atomic():
            draft = designing.find_draft(workflow)
            expected = _replaced(http, draft)
            saved = designing.save_draft(workflow, document=body["document"], expected=expected, actor=actor)
        return _draft(saved, status=200 if draft else 201)


class WorkflowCheckView(ApiView):
    @writes("Ask the gate what is wrong with the draft; nothing changes", ReportSerializer, body=NOTHING)
    @one_effect
    def post(self, http: HttpRequest, key: str) -> Response:
        draft = designing.draft_for(actor_of(http), key)
        read_body(http.data, NOTHING)
        return Response(shown(ReportSerializer, designing.report(draft)))


class WorkflowPublishView(ApiView):
    @writes("Publish the draft as the next version", WorkflowDocumentSerializer, body=NOTHING, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, key: str) -> Response:
        actor = actor_of(http)
        workflow = designing.workflow_for(actor, key)
        designing.require_designer(actor)
        read_body(http.data, NOTHING)
        expected = _expected(http, designing.find_draft(workflow), otherwise=UNCHECKED)
        version = designing.publish_draft(workflow, expected=expected, actor=actor)
        return Response(shown(WorkflowDocumentSerializer, version))


class WorkflowDiffView(ApiView):
    @reads("What differs from version a to version b, element by element", DiffSerializer, query=SIDES)
    def get(self, http: HttpRequest, key: str) -> Response:
        actor = actor_of(http)
        designing.workflow_for(actor, key)
        query = read_query(http, SIDES, paged=False)
        sides = {name: query.get(name, "") for name in SIDES}
        wanted = {name: _side(name, side) for name, side in sides.items()}
        old, new = (_version(actor, key, n) for n in wanted.values())
        return Response(shown(DiffSerializer, {**sides, "changes": designing.compare(old, new)}))


class WorkflowExportView(ApiView):
    @extend_schema(
        summary="A version as a file: its document, or its diagram",
        parameters=[OpenApiParameter("as", OpenApiTypes.STR, enum=FORMATS, default="json")],
        responses={
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "image/svg+xml"): OpenApiTypes.STR,
            **problems_of(READ_ERRORS),
        },
    )
    def get(self, http: HttpRequest, key: str, n: int) -> HttpResponse:
        version = designing.version_for(actor_of(http), key, n)
        wanted = read_query(http, AS, paged=False).get("as", "json")
        if wanted not in FORMATS:
            raise InvalidInput({"as": [f"This must be one of {', '.join(FORMATS)}."]})
        content, kind = _EXPORTS[wanted](version)
        named = f'attachment; filename="{key}-v{n}.{wanted}"'
        return HttpResponse(content, content_type=kind, headers={"Content-Disposition": named})


class WorkflowImportView(ApiView):
    http_method_names = ["post"]

    @writes(
        "Make a document the draft of the workflow it names, a new one if need be: `If-Match` must name a draft that it"
        " replaces",
        DraftSerializer,
        body=DOCUMENT,
        replaces=True,
    )
    @one_effect
    def post(self, http: HttpRequest) -> Response:
        designing.require_designer(actor_of(http))
        document = read_body(http.data, DOCUMENT)["document"]
        draft = designing.find_named_draft(document)
        saved = designing.import_document(document, expected=_replaced(http, draft), actor=actor_of(http))
        return _draft(saved, status=200 if draft else 201)


def _draft(draft: WorkflowVersion, *, status: int = 200) -> Response:
    return Response(shown(DraftSerializer, draft), status=status, headers={"ETag": _tag(draft)})


def _tag(draft: WorkflowVersion) -> str:
    return f'"{draft.hash}"'


def _replaced(http: HttpRequest, draft: WorkflowVersion | None) -> str | None:
    """The hash of the draft that is written over, None if there is none. Raises PreconditionRequired, -Failed."""
    if draft is not None and tags_named(http) is None:
        raise PreconditionRequired(
            "There is a draft already. Send its ETag as If-Match, so that nobody's work is written over unseen."
        )
    return _expected(http, draft, otherwise=None)


def _expected(http: HttpRequest, draft: WorkflowVersion | None, *, otherwise: str | None) -> str | None:
    """The hash that `If-Match` asks for, `otherwise` without it. Raises PreconditionFailed if the draft is another."""
    tags = tags_named(http)
    if tags is None:
        return otherwise
    if draft is None or not {ANY, _tag(draft)}.intersection(tags):
        raise PreconditionFailed
    return draft.hash


def _side(name: str, side: str) -> int | None:
    """The number of a version; None for the draft."""
    if side == DRAFT:
        return None
    if not (side.isascii() and side.isdigit() and len(side) < 10):
        raise InvalidInput({name: ["This must be the number of a version, or draft."]})
    return int(side)


def _version(actor: User, key: str, n: int | None) -> WorkflowVersion:
    return designing.draft_for(actor, key) if n is None else designing.version_for(actor, key, n)


def _as_json(version: WorkflowVersion) -> tuple[str, str]:
    return json.dumps(version.document, ensure_ascii=False, indent=2), "application/json"


def _as_svg(version: WorkflowVersion) -> tuple[str, str]:
    return draw(definition_of(version.pk)), "image/svg+xml"


_EXPORTS: dict[str, Callable[[WorkflowVersion], tuple[str, str]]] = {"json": _as_json, "svg": _as_svg}
