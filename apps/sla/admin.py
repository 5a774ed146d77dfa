"""SLA policies, versioned; clocks, read-only."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import admin
from unfold.decorators import display

from apps.calendars.selectors import current_version
from apps.core.admin import KeyedVersionAdmin, VersionForm
from apps.core.admin_parts import ACTIVE, BAD, GOOD, WAITING, badge, link_to
from apps.outbox.admin import OfStreamAdmin
from apps.sla.models import SlaClock, SlaPolicyVersion
from apps.sla.policy_check import check_policy
from apps.sla.selectors import calendar_keys


def check_with_calendars(document: object) -> dict[str, list[str]]:
    """What `check_policy` finds, and calendars that do not exist."""
    problems = check_policy(document)
    if problems or not isinstance(document, dict):
        return problems
    unknown = [key for key in sorted(calendar_keys(document)) if current_version(key) is None]
    return {"calendar": [f"There is no frozen calendar {key!r}." for key in unknown]} if unknown else {}


class PolicyForm(VersionForm):
    check = staticmethod(check_with_calendars)


@admin.register(SlaPolicyVersion)
class SlaPolicyVersionAdmin(KeyedVersionAdmin):
    form = PolicyForm


@admin.register(SlaClock)
class SlaClockAdmin(OfStreamAdmin):
    list_display = ("target", "owner", "priority", "status_badge", "due_at", "breached_at", "stopped_at")
    list_filter = ("status", "metric", "priority", "due_at")
    list_select_related = (*OfStreamAdmin.list_select_related, "policy", "calendar")
    search_fields = ("=target",)
    search_help_text = "A target's id"
    fields = (
        "owner", "stream_link", "policy_link", "calendar_link", "target", "metric", "priority", "status", "started_at",
        "counted", "running_since", "due_at", "next_check_at", "warnings", "breached_at", "stopped_at",
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
