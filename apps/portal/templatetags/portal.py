"""Small words of the templates: badges, times, the counts in the navigation."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core import clock
from apps.notifications.selectors import unread_count
from apps.portal.phrases import PRIORITY_TONES, STATUS_TONES
from apps.portal.request_page import Attempt
from apps.requests.enums import Priority, RequestStatus
from apps.requests.selectors import tasks_for, waiting_approvals
from apps.sla import due_times

register = template.Library()
NOTHING = Attempt()


@register.simple_tag
def site_name() -> str:
    return settings.SITE_NAME


@register.simple_tag(takes_context=True)
def navigation(context: template.Context) -> dict[str, int]:
    """How much waits for the reader and how much they were told of and did not read; zeros for nobody."""
    user = getattr(context.get("request"), "user", None)
    if user is None or not user.is_authenticated:
        return {"waiting": 0, "unread": 0}
    return {"waiting": waiting_approvals(user).count() + tasks_for(user).count(), "unread": unread_count(user)}


@register.simple_tag
def when(at: datetime | None, pattern: str = "j M Y, H:i") -> SafeString | str:
    """A time in the reader's zone, machine-readable as well."""
    if at is None:
        return ""
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(),
        date_format(local, "l j F Y, H:i:s e"),
        date_format(local, pattern),
    )


@register.simple_tag
def status_badge(status: str) -> SafeString:
    tone, label = STATUS_TONES.get(status, "quiet"), RequestStatus(status).label
    return format_html('<span class="badge tone-{}">{}</span>', tone, label)


@register.simple_tag
def priority_badge(priority: str) -> SafeString:
    tone, label = PRIORITY_TONES.get(priority, "quiet"), Priority(priority).label
    return format_html('<span class="badge tone-{}">{} priority</span>', tone, label)


class Due(Protocol):
    """Something that is due at a time, or not while it stands still."""

    @property
    def due_at(self) -> datetime | None: ...


@register.simple_tag
def left(one: Due | None) -> SafeString | str:
    """How long there is until something is due, red when it is over; it runs down on the open page."""
    if one is None:
        return ""
    return due_times.left(one.due_at)


@register.simple_tag
def server_now() -> str:
    """The present instant, for pages whose reader's clock may be set wrong."""
    return clock.now().isoformat()


@register.simple_tag
def attempt_of(attempt: Attempt, form: str) -> Attempt:
    """What was entered into this form and refused; nothing if the refused one was another."""
    return attempt if attempt.form == form else NOTHING


@register.filter
def at_key(mapping: Any, key: str) -> Any:
    return mapping.get(key, "")
