"""The words of a notification: rendered when it is read or mailed, never stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format

from apps.accounts.models import Delegation
from apps.accounts.zones import zone_of
from apps.approvals.links import link_path
from apps.approvals.models import Seat
from apps.notifications.models import Notification
from apps.outbox.models import Event, Note
from apps.requests.models import CatalogItem, Request
from apps.requests.selectors.clock_sentences import measured
from apps.requests.selectors.progress import workflow_of
from apps.requests.selectors.sentences import Words
from apps.sla.selectors import policy_of

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
    "sla_warned": "{number} is running out of time for {target}: {title}",
    "sla_breached": "{number} is overdue for {target}: {title}",
    "incident": "{number} needs an operator: {title}",
    "deputy": "{deputy} answers approvals for {principal} from {start} to {end}",
    "deputy_ended": "{deputy} no longer answers approvals for {principal}",
}
OF_CLOCKS = frozenset({"sla_warned", "sla_breached"})
ASKS = frozenset({"approval", "approval_reminder"})


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A notification as a person reads it: one line, the text that goes with it, and where to look."""

    subject: str
    text: str
    path: str

    @property
    def url(self) -> str:
        return settings.SITE_URL + self.path


@dataclass(frozen=True, kw_only=True)
class AnswerLink:
    """Where the reader can answer without logging in, and until when."""

    url: str
    until: datetime


def answer_link(notification: Notification) -> AnswerLink | None:
    """The link of the reader's own seat; None where they are asked nothing, or not any more.

    It is good for ANSWER_LINK_DAYS (0: there are none) from the event on, and the same whenever it is rendered.
    """
    days: int = settings.ANSWER_LINK_DAYS
    if days <= 0 or notification.kind not in ASKS:
        return None
    told = [seat["seat"] for seat in notification.event.data.get("seats", [])]
    waiting = Seat.objects.filter(pk__in=told, user=notification.user, left_at=None, decision=None)
    seat = waiting.order_by("-decides", "pk").first()
    if seat is None:
        return None
    until = notification.event.at + timedelta(days=days)
    return AnswerLink(url=settings.SITE_URL + link_path(seat=seat.pk, level=seat.level_id, until=until), until=until)


def subject_of(notification: Notification) -> str:
    """The one line of a notification; what it is about should be loaded (`selectors.SHOWN`)."""
    if notification.delegation:
        return _of_delegation(notification, notification.delegation)
    request = notification.event.stream.request
    target = _target_of(notification.event, request) if notification.kind in OF_CLOCKS else ""
    title = " ".join(request.title.split())
    return SUBJECTS[notification.kind].format(number=request.number, title=title, target=target)


def _target_of(event: Event, request: Request) -> str:
    """What the clock of the event measures, as the history calls it; of cached versions, so without a statement."""
    policy = request.pins.get("sla")
    return measured(event.data, Words(workflow=workflow_of(request), sla=policy_of(policy) if policy else None))


def _of_delegation(notification: Notification, delegation: Delegation) -> str:
    zone = zone_of(notification.user)
    start, end = (
        date_format(timezone.localtime(at, zone), "j M Y, H:i") for at in (delegation.starts_at, delegation.ends_at)
    )
    names = {"deputy": delegation.deputy, "principal": delegation.principal}
    return SUBJECTS[notification.kind].format(**names, start=start, end=end)


def _scope_of(notification: Notification) -> str:
    """For which items and up to which amount, in words; nothing for a notification of something else."""
    delegation = notification.delegation
    if delegation is None or notification.kind != "deputy":
        return ""
    names = CatalogItem.objects.filter(slug__in=delegation.items).order_by("name").values_list("name", flat=True)
    items = f"For: {', '.join(names)}." if delegation.items else "For everything."
    return items + (f" Up to {delegation.up_to:,.2f} {delegation.currency}." if delegation.up_to is not None else "")


def path_of(notification: Notification) -> str:
    """The page to look at."""
    return "/absence/" if notification.delegation else f"/requests/{notification.event.stream.request.number}/"


def render(notification: Notification) -> Rendered:
    """The words of a notification; what it is about should be loaded (`selectors.SHOWN`)."""
    note = Note.objects.filter(pk=notification.event.data.get("note")).values_list("text", flat=True).first()
    return Rendered(subject=subject_of(notification), text=note or _scope_of(notification), path=path_of(notification))
