"""A person's notifications."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.notifications.models import Notification

SHOWN = ("user", "event__stream__request__item", "delegation__principal", "delegation__deputy")


def notifications_of(user: User) -> QuerySet[Notification]:
    """Newest first, with event and what they are about."""
    return Notification.objects.filter(user=user).select_related(*SHOWN).order_by("-id")


def unread_count(user: User) -> int:
    return Notification.objects.filter(user=user, read_at=None).count()
