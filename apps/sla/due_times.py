"""How long there is until something is due, as lists show it: it runs down while the page is open (time_left.js)."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core import clock
from apps.sla.words import time_left


def left(due_at: datetime | None) -> SafeString:
    """Red when it is over; None stands for a clock that stands still."""
    if due_at is None:
        return format_html('<span class="due due-quiet">{}</span>', "clock stands still")
    moment = clock.now()
    return format_html(
        '<time class="due {}" data-left datetime="{}" title="due {}">{}</time>',
        "due-late" if due_at <= moment else "due-running",
        due_at.isoformat(),
        date_format(timezone.localtime(due_at), "j M Y, H:i"),
        time_left(due_at, moment),
    )
