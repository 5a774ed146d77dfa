"""Reports: what was kept in time, how long it took, what came and went, where it waits, and what breaches soon."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.core.errors import NotVisible
from apps.portal.pages import page, reader_of
from apps.portal.report_filters import HOURS_AHEAD, asked_by
from apps.portal.report_page import SHEETS, report_page
from apps.requests.enums import Priority
from apps.requests.policies import sees_everything
from apps.requests.reports import sheet_of
from apps.requests.selectors.reports import choices_for

NO_PERIOD = "What the address says is no period: choose one on the page Reports, and take the file from there.\n"
BYTE_ORDER_MARK = "\ufeff"  # so that spreadsheets read UTF-8


@page
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """The figures, for administrators, auditors and those who lead a team."""
    reader = reader_of(request)
    choices = choices_for(reader)
    asked = asked_by(request.GET, choices)
    shown = {
        "asked": asked,
        "choices": choices,
        "everything": sees_everything(reader),
        "priorities": Priority.choices,
        "hours_ahead": HOURS_AHEAD,
        "report": report_page(reader, asked),
    }
    return render(request, "portal/reports.html", shown)


@page
@require_safe
def sheet(request: HttpRequest, name: str) -> HttpResponse:
    """One of the tables with all its columns as CSV, under the filters of the page; 400 for a period that is none, as a
    file cannot say that it holds another.
    """
    reader = reader_of(request)
    asked = asked_by(request.GET, choices_for(reader))
    report = SHEETS.get(name)
    if report is None:
        raise NotVisible("There is no such report.")
    if asked.days.problems:
        return HttpResponseBadRequest(NO_PERIOD, content_type="text/plain; charset=utf-8")
    answer = HttpResponse(BYTE_ORDER_MARK + sheet_of(report(reader, asked)), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return answer
