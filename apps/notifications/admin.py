"""Who was told of what, read-only."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from apps.core.admin import ReadOnlyAdmin
from apps.core.admin_parts import link_to
from apps.notifications.models import Notification


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ("kind", "user", "event_link", "at", "read_at")
    list_filter = ("at",)
    list_select_related = ("user", "event")
    search_fields = ("=user__username", "=kind")
    search_help_text = "A user name, or a kind of notification"
    fields = ("user", "event_link", "kind", "at", "read_at")

    @display(description="event")
    def event_link(self, notification: Notification) -> str:
        return link_to(notification.event)
