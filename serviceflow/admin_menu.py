"""The admin's sidebar: every page once, grouped by what people come for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse_lazy

GROUPS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Catalogue": (
        ("Items", "requests.catalogitem", "storefront"),
        ("Forms", "requests.formversion", "list_alt"),
    ),
    "Workflows": (
        ("Workflows", "workflows.workflow", "account_tree"),
        ("Versions", "workflows.workflowversion", "history"),
        ("Approval policies", "approvals.approvalpolicyversion", "approval"),
        ("Secrets", "workflows.secret", "key"),
    ),
    "People": (
        ("People", "accounts.user", "person"),
        ("Teams", "accounts.team", "groups"),
        ("Roles", "auth.group", "badge"),
        ("Absences", "accounts.delegation", "event_busy"),
    ),
    "Time and SLA": (
        ("Calendars", "calendars.businesscalendar", "calendar_month"),
        ("Calendar versions", "calendars.calendarversion", "event_available"),
        ("SLA policies", "sla.slapolicyversion", "timer"),
        ("Requests carried over", "requests.rebasing", "published_with_changes"),
    ),
    "Running": (
        ("Requests", "requests.request", "inbox"),
        ("Runs", "workflows.workflowrun", "route"),
        ("Visits to steps", "workflows.stepvisit", "footprint"),
        ("Tasks", "workflows.task", "task_alt"),
        ("Approvals", "approvals.approval", "how_to_reg"),
        ("SLA clocks", "sla.slaclock", "hourglass"),
        ("Timers", "workflows.timer", "alarm"),
        ("Keys", "workflows.keyclaim", "lock"),
        ("Calls", "workflows.actioncall", "call_made"),
        ("Participants", "requests.requestparticipant", "visibility"),
        ("Imported cases", "requests.importedcase", "history"),
    ),
    "Operations": (
        ("Incidents", "outbox.incident", "warning"),
        ("Deliveries", "outbox.delivery", "outbox"),
        ("Events", "outbox.event", "bolt"),
        ("Streams", "outbox.stream", "stream"),
        ("Notes", "outbox.note", "notes"),
        ("Notifications", "notifications.notification", "notifications"),
        ("Changes of the configuration", "auditlog.logentry", "manage_history"),
    ),
}


def _may_view(model: str) -> Callable[[HttpRequest], bool]:
    app, _, name = model.partition(".")
    return lambda request: request.user.has_perm(f"{app}.view_{name}") or request.user.has_perm(f"{app}.change_{name}")


def _items(entries: Iterable[tuple[str, str, str]]) -> list[dict[str, Any]]:
    return [
        {
            "title": title,
            "icon": icon,
            "link": reverse_lazy(f"admin:{model.replace('.', '_')}_changelist"),
            "permission": _may_view(model),
        }
        for title, model, icon in entries
    ]


SIDEBAR: dict[str, Any] = {
    "show_search": True,
    "show_all_applications": False,
    "navigation": [{"title": title, "separator": True, "items": _items(entries)} for title, entries in GROUPS.items()],
}
