"""SLA clocks, read-only. The pages of policies stand above (`requests/admin/targets.py`): what they name does too."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import admin
from unfold.decorators import display

from apps.core.admin_parts import ACTIVE, BAD, GOOD, WAITING, badge, link_to
from apps.outbox.admin import OfStreamAdmin
from apps.sla.models import SlaClock


@admin.register(SlaClock)
class SlaClockAdmin(OfStreamAdmin):
    list_display = ("target", "owner", "priority", "status_badge", "due_at", "breached_at", "stopped_at")
    list_filter = ("status", "metric", "priority", "due_at")
    list_select_related = (*OfStreamAdmin.list_select_related, "policy", "calendar")
    search_fields = ("=target",)
    search_help_text = "A target's id"
    fields = (
        "owner", "stream_link", "policy_link", "calendar_link", "target", "metric", "team", "priority", "status",
        "started_at",
        "counted", "running_since", "due_at", "next_check_at", "warnings", "breached_at", "stopped_at",
        "reached",
    )  # fmt: skip
    status_badge = badge("status", {"running": ACTIVE, "paused": WAITING, "met": GOOD, "breached": BAD})

    @display(description="policy")
    def policy_link(self, clock: SlaClock) -> str:
        return link_to(clock.policy)

    @display(description="calendar")
    def calendar_link(self, clock: SlaClock) -> str:
        return link_to(clock.calendar)

    @display(description="counted before it runs since")
    def counted(self, clock: SlaClock) -> str:
        return str(timedelta(seconds=round(clock.elapsed)))

    @display(description="warnings given")
    def warnings(self, clock: SlaClock) -> str:
        return ", ".join(f"{percent} %" for percent in clock.warned) or "none"
