"""Who am I, and what may I ask for."""

from __future__ import annotations

from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from apps.api.pagination import Order
from apps.api.query import read_query
from apps.api.schema import lists, reads
from apps.api.serializers.accounts import MeSerializer
from apps.api.serializers.catalog import CatalogItemDetailSerializer, CatalogItemSerializer
from apps.api.views.base import ApiView, actor_of, shown
from apps.core.errors import NotVisible
from apps.requests.selectors import items_for

SHELVES = Order(name="catalog", columns=("category", "position", "name", "id"))


class MeView(ApiView):
    @reads("Who I am", MeSerializer)
    def get(self, http: HttpRequest) -> Response:
        read_query(http, paged=False)
        return Response(shown(MeSerializer, actor_of(http)))


class CatalogView(ApiView):
    @lists("Items I may request", CatalogItemSerializer)
    def get(self, http: HttpRequest) -> Response:
        read_query(http)
        return self.paged(http, items_for(actor_of(http)), SHELVES, CatalogItemSerializer)


class CatalogItemView(ApiView):
    @reads("An item with its form", CatalogItemDetailSerializer)
    def get(self, http: HttpRequest, slug: str) -> Response:
        read_query(http, paged=False)
        item = items_for(actor_of(http)).filter(slug=slug).first()
        if item is None:
            raise NotVisible
        return Response(shown(CatalogItemDetailSerializer, item))
