"""The catalogue and its request forms."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.core.errors import Conflict, InvalidInput, Misconfigured, NotVisible
from apps.portal.forms import ItemForm, empty_form, form_as_sent, form_of_draft, wish_of
from apps.portal.once import new_token, once
from apps.portal.pages import page, reader_of
from apps.requests import policies
from apps.requests.enums import RequestStatus
from apps.requests.facts import current_form, form_of
from apps.requests.forms import Form
from apps.requests.models import CatalogItem, Request
from apps.requests.policies import Act
from apps.requests.selectors import get_request_for, items_for
from apps.requests.services.lifecycle import create_request, edit_draft, submit_request

Categories = dict[str, list[CatalogItem]]


def by_category(items: Iterable[CatalogItem], *, text: str = "") -> Categories:
    """The items whose name, summary or category holds the text, under their categories."""
    found: Categories = {}
    for one in items:
        if text.strip().lower() in f"{one.name} {one.summary} {one.category}".lower():
            found.setdefault(one.category, []).append(one)
    return found


@page
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """What the reader may ask for."""
    text = request.GET.get("q", "")[:100]
    shown = {"categories": by_category(items_for(reader_of(request)), text=text), "q": text}
    only_results = request.headers.get("HX-Target") == "catalog-results"
    return render(request, "portal/parts/catalog_results.html" if only_results else "portal/catalog.html", shown)


@page
@require_http_methods(["GET", "POST"])
def item(request: HttpRequest, slug: str) -> HttpResponse:
    """The request form of an item; sending it makes a draft or hands the request in."""
    reader = reader_of(request)
    asked = items_for(reader).filter(slug=slug).first()
    if asked is None:
        raise NotVisible
    form = _current(asked)
    if request.method != "POST":
        return _page(request, asked, empty_form(form, username=reader.username))
    submit = request.POST.get("action") != "draft"
    try:
        number = once(
            request,
            request.POST.get("form_token", ""),
            lambda: create_request(asked, wish_of(form, request.POST), actor=reader, submit=submit).number,
        )
    except InvalidInput as problem:
        return _page(request, asked, form_as_sent(form, request.POST, problem.errors), status=400)
    except Misconfigured as problem:
        sent = form_as_sent(form, request.POST, {})
        return _page(request, asked, sent, status=409, alert=problem.detail)
    messages.success(request, f"{number} is handed in." if submit else f"{number} is saved as a draft.")
    return redirect("portal:request", number=number)


@page
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, number: str) -> HttpResponse:
    """The form of a draft: saved again, or saved and handed in."""
    reader = reader_of(request)
    draft = get_request_for(reader, number)
    policies.require(reader, Act.EDIT, draft)
    if draft.status != RequestStatus.DRAFT:
        messages.info(request, "This request was handed in already; its form can no longer be changed.")
        return redirect("portal:request", number=number)
    form = _current(draft.item)
    if request.method != "POST":
        return _page(request, draft.item, form_of_draft(form, draft), draft=draft)
    try:
        _save(request, draft, form)
    except InvalidInput as problem:
        return _page(request, draft.item, form_as_sent(form, request.POST, problem.errors), draft=draft, status=400)
    except (Conflict, Misconfigured) as problem:
        sent = form_as_sent(form, request.POST, {})
        return _page(request, draft.item, sent, draft=draft, status=409, alert=problem.detail)
    return redirect("portal:request", number=number)


@transaction.atomic
def _save(request: HttpRequest, draft: Request, form: Form) -> None:
    """Both moves or none: a draft that cannot be handed in keeps what it held, the page what was entered."""
    reader = reader_of(request)
    saved = edit_draft(draft, wish_of(form, request.POST), actor=reader)
    if request.POST.get("action") != "draft":
        submit_request(saved, actor=reader)
    messages.success(request, "Saved." if request.POST.get("action") == "draft" else f"{draft.number} is handed in.")


def _current(asked: CatalogItem) -> Form:
    version = current_form(asked)
    if version is None:
        raise NotVisible(f"{asked.name} has no form yet.")
    return form_of(version.pk)


def _page(
    request: HttpRequest,
    asked: CatalogItem,
    form: ItemForm,
    *,
    draft: Request | None = None,
    status: int = 200,
    alert: str = "",
) -> HttpResponse:
    token = request.POST.get("form_token") or new_token()
    shown = {"item": asked, "form": form, "draft": draft, "alert": alert, "form_token": token}
    return render(request, "portal/item.html", shown, status=status)
