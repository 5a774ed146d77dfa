"""Suggestions for fields that name a person."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.portal.pages import page
from apps.requests.selectors.people import find_people


@page
@require_safe
def suggest(request: HttpRequest) -> HttpResponse:
    """Options for the list of a person field; the one parameter is what was typed, under the field's own name."""
    typed = str(next(iter(request.GET.values()), ""))
    return render(request, "portal/people.html", {"people": find_people(typed)})
