"""Open requests carried over to a new version of an SLA policy or a calendar: the look, the change and its progress.

Here, because calendars and SLA know no requests: the pages of calendars get their way to it from here too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from unfold.decorators import action

from apps.accounts.admin import acting
from apps.calendars.admin.calendars import BusinessCalendarAdmin, CalendarVersionAdmin
from apps.calendars.models import BusinessCalendar, CalendarVersion
from apps.calendars.selectors import current_version
from apps.core.admin import ReadOnlyAdmin
from apps.core.admin_parts import ACTIVE, GOOD, NOTHING, WAITING, badge, table
from apps.core.errors import DomainError, InvalidInput
from apps.requests.enums import RebasingStatus
from apps.requests.models import Rebasing
from apps.requests.policies import is_administrator
from apps.requests.services import rebasing_work
from apps.requests.services.rebasing import Rebase
from apps.sla.enums import ClockStatus

BUILDS: Mapping[str, Callable[..., Rebase]] = {
    "policy": rebasing_work.rebase_to_policy,
    "calendar": rebasing_work.rebase_to_calendar,
}
WHY = ("Request", "Why")
HEADS = ("Request", "Target", "Due", "Due then", "State", "State then")


def carry_over_url(what: str, key: str) -> str:
    """The page that looks at what the newest version of a `policy` or `calendar` would change."""
    return f"{reverse('admin:requests_rebasing_ask')}?{urlencode({what: key})}"


@admin.register(Rebasing)
class RebasingAdmin(ReadOnlyAdmin):
    list_display = ("target", "status_badge", "retroactive", "asked_by", "asked_at", "total", "changed", "failed")
    list_select_related = ("asked_by",)
    list_filter = ("status", "asked_at")
    status_badge = badge("status", {"looking": ACTIVE, "looked_at": WAITING, "changing": ACTIVE, "done": GOOD})

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("ask/", view(self.ask), name="requests_rebasing_ask"),
            path("<int:pk>/apply/", view(self.confirm), name="requests_rebasing_apply"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The look with its result, or the change with its progress."""
        _only_administrators(request)
        if request.method == "POST":
            raise PermissionDenied
        row = _found(request, object_id)
        context = {
            "title": f"Carry requests over: {row.target.replace(':', ' ')}",
            "row": row,
            "moved": table(HEADS, [_cells(one) for one in row.shown], empty=""),
            "reasons": table(WHY, [(one["number"], one["reason"]) for one in row.reasons], empty=""),
            "listed": row.moved + row.begun,
            "working": row.status in (RebasingStatus.LOOKING, RebasingStatus.CHANGING),
            "again": carry_over_url(*row.target.split(":", 1)),
            "words": _words(row),
        }
        return self._page(request, "show", context)

    def ask(self, request: HttpRequest) -> HttpResponse:
        """How many requests run on earlier versions, and from when on the new one shall count; a POST looks."""
        _only_administrators(request)
        what, key = _named(request)
        try:
            rebase = BUILDS[what](key)
        except InvalidInput as refused:
            return self._page(request, "ask", {"title": "Carry requests over", "refused": refused.detail})
        if request.method == "POST":
            return self._ask(request, what, key)
        context = {
            "title": f"Carry requests over: {what} {key}",
            "count": rebasing_work.count_on_earlier(rebase),
            "retroactive": rebase.retroactive,
            "what": what,
            "key": key,
        }
        return self._page(request, "ask", context)

    def _ask(self, request: HttpRequest, what: str, key: str) -> HttpResponse:
        retroactive = request.POST.get("mode") == "retroactive"
        try:
            row = rebasing_work.ask_rebase(BUILDS[what](key, retroactive=retroactive), actor=acting(request))
        except DomainError as refused:
            messages.error(request, refused.detail)
            return HttpResponseRedirect(carry_over_url(what, key))
        return HttpResponseRedirect(reverse("admin:requests_rebasing_change", args=[row.pk]))

    def confirm(self, request: HttpRequest, pk: int) -> HttpResponse:
        _only_administrators(request)
        if request.method == "POST":
            try:
                rebasing_work.confirm_rebase(_found(request, str(pk)), actor=acting(request))
            except DomainError as refused:
                messages.error(request, refused.detail)
        return HttpResponseRedirect(reverse("admin:requests_rebasing_change", args=[pk]))

    def _page(self, request: HttpRequest, name: str, context: Mapping[str, Any]) -> HttpResponse:
        shown = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, f"admin/requests/rebasing/{name}.html", shown)


def _only_administrators(request: HttpRequest) -> None:
    if not is_administrator(acting(request)):
        raise PermissionDenied


def _found(request: HttpRequest, pk: str) -> Rebasing:
    try:
        return rebasing_work.rebasing_for(acting(request), int(pk) if pk.isdecimal() and len(pk) < 19 else 0)
    except DomainError as refused:
        raise Http404 from refused


def _named(request: HttpRequest) -> tuple[str, str]:
    for what in BUILDS:
        if request.GET.get(what):
            return what, request.GET[what][:80]
    raise Http404


def _cells(one: Mapping[str, Any]) -> Sequence[object]:
    status = ClockStatus(one["status"]).label if one["status"] else "would begin"
    states = (status, ClockStatus(one["new_status"]).label)
    return one["number"], one.get("name") or one["target"], _when(one["due_at"]), _when(one["new_due_at"]), *states


def _when(instant: str | None) -> str:
    return f"{datetime.fromisoformat(instant):%Y-%m-%d %H:%M} UTC" if instant else NOTHING


def _words(row: Rebasing) -> str:
    """ "12 of 40 clocks move, 2 begin, 3 would now be breached, 1 no longer; 4 waits and deadlines move." """
    return (
        f"{row.moved:,} of {row.clocks:,} clocks move, {row.begun:,} begin, {row.breached:,} would now be breached,"
        f" {row.no_longer_breached:,} no longer; {row.timers:,} waits and deadlines move."
    )


# ------------------------------------------------------------------------------------ the way from calendars


class CalendarsAdmin(BusinessCalendarAdmin):
    """A calendar's page, from which open requests can be carried over once a new version is frozen."""

    actions_detail: Sequence[str] = (*BusinessCalendarAdmin.actions_detail, "carry_over")

    @action(description="Save and freeze a new version", permissions=["change"])
    def freeze(self, request: HttpRequest, calendar: BusinessCalendar) -> str:
        before = current_version(calendar.key)
        said: str = super().freeze(request, calendar)
        after = current_version(calendar.key)
        return said if before is None or before == after else with_way(said, "calendar", calendar.key)

    @action(description="Carry open requests over", url_path="carry-over", permissions=["change"])
    def carry_over(self, request: HttpRequest, object_id: str) -> HttpResponse:
        calendar = self.get_object(request, object_id)
        return HttpResponseRedirect(carry_over_url("calendar", calendar.key if calendar else ""))


class CalendarVersionsAdmin(CalendarVersionAdmin):
    actions_detail: Sequence[str] = ("carry_over",)

    @action(description="Carry open requests over", url_path="carry-over", permissions=["view"])
    def carry_over(self, request: HttpRequest, object_id: str) -> HttpResponse:
        version = self.get_object(request, object_id)
        return HttpResponseRedirect(carry_over_url("calendar", version.key if version else ""))


def with_way(said: str, what: str, key: str) -> str:
    """What was said, and the link to the page that carries open requests over, with how many there are."""
    count = rebasing_work.count_on_earlier(BUILDS[what](key))
    if not count:
        return said
    requests = f"{count:,} open request{'s' if count > 1 else ''}"
    link = '{} <a class="text-link" href="{}">{} still on earlier versions: carry over?</a>'
    return format_html(link, said, carry_over_url(what, key), requests)


for model, page in ((BusinessCalendar, CalendarsAdmin), (CalendarVersion, CalendarVersionsAdmin)):
    admin.site.unregister(model)
    admin.site.register(model, page)
