"""The words of a notification: rendered when it is read or mailed, never stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings

from apps.notifications.models import Notification
from apps.outbox.models import Note

SUBJECTS: Mapping[str, str] = {
    "submitted": "{number} was submitted: {title}",
    "held": "{number} is on hold: {title}",
    "completed": "{number} is completed: {title}",
    "rejected": "{number} was rejected: {title}",
    "cancelled": "{number} was cancelled: {title}",
    "reopened": "{number} was reopened: {title}",
    "commented": "New comment on {number}: {title}",
    "notice": "About {number}: {title}",
    "task": "Please work on {number}: {title}",
    "approval": "Please decide on {number}: {title}",
    "approval_reminder": "Your answer on {number} is still missing: {title}",
    "sla_warned": "{number} is running out of time: {title}",
    "sla_breached": "{number} is overdue: {title}",
    "incident": "{number} needs an operator: {title}",
}


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A notification as a person reads it: one line, the text that goes with it, and where to look."""

    subject: str
    text: str
    path: str

    @property
    def url(self) -> str:
        return settings.SITE_URL + self.path


def subject_of(notification: Notification) -> str:
    """The one line of a notification; its event, stream and request should be loaded."""
    request = notification.event.stream.request
    return SUBJECTS[notification.kind].format(number=request.number, title=" ".join(request.title.split()))


def render(notification: Notification) -> Rendered:
    """The words of a notification; its event, stream and request should be loaded."""
    request = notification.event.stream.request
    note = Note.objects.filter(pk=notification.event.data.get("note")).values_list("text", flat=True).first()
    return Rendered(subject=subject_of(notification), text=note or "", path=f"/requests/{request.number}/")
