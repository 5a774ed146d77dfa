"""Keyset paging: a page starts after the last row of the one before, however many rows came or went in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.signing import BadSignature, Signer
from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request

from apps.core.errors import InvalidInput

PAGE_SIZE = 50
LARGEST_PAGE = 200
PARAMETERS = frozenset({"cursor", "page_size"})


@dataclass(frozen=True, kw_only=True)
class Order:
    """Columns that together are unique and never NULL, all ascending or all descending; the name marks its cursors."""

    name: str
    columns: tuple[str, ...]
    descending: bool = False

    def columns_to_sort(self, *, backward: bool) -> list[str]:
        return [f"-{column}" if self.descending != backward else column for column in self.columns]

    def beyond(self, values: Sequence[Any], *, backward: bool) -> Q:
        """The rows that come after these values, or before them."""
        lookup = "lt" if self.descending != backward else "gt"
        found = Q()
        for place, column in enumerate(self.columns):
            equal = dict(zip(self.columns[:place], values, strict=False))
            found |= Q(**equal, **{f"{column}__{lookup}": values[place]})
        return found


@dataclass(frozen=True, kw_only=True)
class Page:
    """The rows of a page with the addresses of its neighbours (None at an end)."""

    rows: list[Any]
    next: str | None
    previous: str | None


@dataclass(frozen=True, kw_only=True)
class _Cursor:
    values: list[Any]
    backward: bool


def paginate(request: Request, rows: QuerySet[Any], order: Order) -> Page:
    """The page that `cursor` and `page_size` ask for, in one statement. Raises InvalidInput naming either."""
    size, cursor = _page_size(request), _read_cursor(request, order)
    backward = cursor is not None and cursor.backward
    if cursor is not None:
        rows = rows.filter(order.beyond(cursor.values, backward=backward))
    found = list(rows.order_by(*order.columns_to_sort(backward=backward))[: size + 1])
    more, found = len(found) > size, found[:size]
    if backward:
        found.reverse()
    return Page(
        rows=found,
        next=_link(request, order, found[-1:], backward=False) if more or backward else None,
        previous=_link(request, order, found[:1], backward=True) if (more if backward else cursor) else None,
    )


def _page_size(request: Request) -> int:
    text = request.query_params.get("page_size", str(PAGE_SIZE))
    size = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    if not 1 <= size <= LARGEST_PAGE:
        raise InvalidInput({"page_size": [f"This must be a whole number from 1 to {LARGEST_PAGE}."]})
    return size


def _read_cursor(request: Request, order: Order) -> _Cursor | None:
    text = request.query_params.get("cursor")
    if text is None:
        return None
    try:
        name, backward, values = _signer().unsign_object(text)
    except (BadSignature, ValueError) as error:
        raise InvalidInput({"cursor": ["This cursor was not given out here."]}) from error
    if name != order.name:
        raise InvalidInput({"cursor": ["This cursor belongs to a list in another order."]})
    return _Cursor(values=values, backward=backward)


def _link(request: Request, order: Order, edge: list[Model], *, backward: bool) -> str | None:
    if not edge:
        return None
    values = [_plain(getattr(edge[0], column)) for column in order.columns]
    query = request.query_params.copy()
    query["cursor"] = _signer().sign_object([order.name, backward, values], compress=False)
    address: str = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
    return address


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _signer() -> Signer:
    return Signer(salt="apps.api.cursor")


def body_of(page: Page, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A page as it is answered."""
    return {"next": page.next, "previous": page.previous, "results": results}
