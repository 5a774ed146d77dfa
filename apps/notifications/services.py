"""Telling people: a notification per person and event, and a mail delivery beside it."""

from __future__ import annotations

from apps.accounts.models import User
from apps.core import clock
from apps.notifications.audience import PERSON_KINDS, people_concerned, readers_of
from apps.notifications.models import Notification
from apps.outbox.models import Delivery, Event
from apps.outbox.relay import fan_out
from apps.requests.models import Request


def notify_of(delivery: Delivery) -> None:
    """Writes the notifications of an event, and hands each reader's mail to a delivery of its own.

    Runs in the transaction that marks the delivery done, so each person is told once. Imported history does not
    come here: its streams are quiet.
    """
    event = delivery.event
    kind, people = _readers(event)
    rows = [
        Notification(user=person, event=event, kind=kind, delegation_id=event.data.get("delegation"), at=event.at)
        for person in people
    ]
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
    fan_out(delivery, [f"email:{person.pk}" for person in people if person.email])


def _readers(event: Event) -> tuple[str, list[User]]:
    if event.type in PERSON_KINDS:
        return PERSON_KINDS[event.type], people_concerned(event)
    request = Request.objects.select_related("team").filter(pk=event.stream_id).first()
    return readers_of(event, request) if request else ("", [])


def mark_read(user: User, *, ids: list[int] | None = None) -> int:
    """Marks the person's notifications (all, or those with these ids) as read; returns how many were unread."""
    unread = Notification.objects.filter(user=user, read_at=None)
    return (unread if ids is None else unread.filter(pk__in=ids)).update(read_at=clock.now())
