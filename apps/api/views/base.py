"""What every view of the API shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.api.changes import ChangeLog, change_log
from apps.api.pagination import Order, body_of, paginate
from apps.api.parsers import StrictJSONParser
from apps.api.schema import ApiSchema

Serializer = type[serializers.Serializer[Any]]
NEWEST = Order(name="-id", columns=("id",), descending=True)
OLDEST = Order(name="id", columns=("id",))


class AlwaysJSON(BaseContentNegotiation):
    """One representation: whatever a client says it accepts, it gets JSON."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """JSON in, JSON out."""

    logged: ChangeLog
    schema = ApiSchema()
    parser_classes = [StrictJSONParser]
    content_negotiation_class = AlwaysJSON
    http_method_names = ["get", "head", "post", "patch"]

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        with change_log() as self.logged:
            return super().dispatch(request, *args, **kwargs)

    def perform_authentication(self, request: HttpRequest) -> None:
        """Changes of configuration are logged under the name of whom the token is."""
        super().perform_authentication(request)
        self.logged.name(request.user)

    def paged(
        self, http: HttpRequest, rows: QuerySet[Any], order: Order, row: Serializer, *, of: Any = None
    ) -> Response:
        """A page of the rows; `of` turns a row into what is shown of it."""
        page = paginate(http, rows, order)
        shown = [of(one) for one in page.rows] if of else page.rows
        return Response(body_of(page, list(row(shown, many=True).data)))


class UnknownPath(ApiView):
    """Paths that are not in the API are refused in its own words."""

    authentication_classes = []
    permission_classes = []
    http_method_names = ["get", "head", "post", "patch", "put", "delete", "options"]

    def initial(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        raise NotFound("There is no such path. Every path of the API ends with a slash; /api/v1/schema/ lists them.")


def actor_of(http: HttpRequest) -> User:
    """The person whose token this is; authentication has put nobody else here."""
    return cast(User, http.user)


def shown(serializer: Serializer, row: Any) -> Mapping[str, Any]:
    """One row in its shape."""
    data: Mapping[str, Any] = serializer(row).data
    return data
