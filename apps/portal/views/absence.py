"""My absence: who answers for me, what that moves, and an end before the time."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts.delegations import end_delegation
from apps.accounts.models import User
from apps.accounts.selectors import delegations_of
from apps.core import clock
from apps.core.errors import Conflict, InvalidInput, NotVisible
from apps.portal.absence_page import AbsenceForm, absence_page, form_of_absence
from apps.portal.once import new_token, once
from apps.portal.pages import page, reader_of
from apps.requests.services.absences import checked, delegate, preview_of


@page
@require_http_methods(["GET", "POST"])
def show(request: HttpRequest) -> HttpResponse:
    """The page; sending its form shows what would move, or names the deputy."""
    reader = reader_of(request)
    if request.method != "POST":
        return _page(request, form_of_absence(reader))
    form = form_of_absence(reader, request.POST)
    try:
        if request.POST.get("action") == "preview":
            return _page(request, form, preview=_preview(reader, form))
        said = once(request, request.POST.get("form_token", ""), lambda: _save(reader, form))
    except InvalidInput as problem:
        return _page(request, form_of_absence(reader, request.POST, problem.errors), status=400)
    messages.success(request, said)
    return redirect("portal:absence")


@page
@require_safe
def preview(request: HttpRequest) -> HttpResponse:
    """What the form, as far as it is filled in, would move; for the page to show while somebody writes."""
    reader = reader_of(request)
    form = form_of_absence(reader, request.GET)
    shown: dict[str, Any] = {}
    if form.deputy.strip():
        try:
            shown = _preview(reader, form)
        except InvalidInput as problem:
            shown = {"unfit": form_of_absence(reader, request.GET, problem.errors).problems}
    return render(request, "portal/absence/preview.html", {"preview": shown})


@page
@require_http_methods(["GET", "POST"])
def end(request: HttpRequest, pk: int) -> HttpResponse:
    """Ends an absence of the reader's now."""
    if request.method == "POST":
        found = delegations_of(reader_of(request)).filter(pk=pk).first()
        if found is None:
            raise NotVisible
        try:
            with transaction.atomic():
                end_delegation(found, actor=reader_of(request))
            messages.success(
                request, f"{found.deputy} no longer answers for you. What is still open comes back to you."
            )
        except Conflict as problem:
            messages.info(request, problem.detail)
    return redirect("portal:absence")


def _save(reader: User, form: AbsenceForm) -> str:
    going = len(preview_of(reader, checked(reader, form.wish)).going)
    made = delegate(reader, form.wish)
    if made.starts_at > clock.now():
        return f"Saved. {made.deputy} answers for you as soon as your absence begins."
    what = (
        f"{going} open approval{'' if going == 1 else 's'} {'goes' if going == 1 else 'go'} over now." if going else ""
    )
    return f"Saved. {made.deputy} answers for you from now on. {what}".strip()


def _preview(reader: User, form: AbsenceForm) -> dict[str, Any]:
    terms = checked(reader, form.wish, whole=False)
    found = preview_of(reader, terms)
    later = terms.starts_at is not None and terms.starts_at > clock.now()
    return {"going": found.going, "staying": found.staying, "deputy": terms.deputy, "later": later}


def _page(
    request: HttpRequest, form: AbsenceForm, *, preview: dict[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    token = request.POST.get("form_token") or new_token()
    shown = {"form": form, "form_token": token, "preview": preview or {}, "absences": absence_page(reader_of(request))}
    return render(request, "portal/absence.html", shown, status=status)
