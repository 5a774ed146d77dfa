"""What actions sent beyond their request, to read. It holds values of requests, so it is shown as requests are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display

from apps.accounts.admin import acting
from apps.core.admin_parts import BAD, GOOD, WAITING, as_code, badge, link_to
from apps.outbox.admin import OfStreamAdmin
from apps.requests.selectors import visible_requests
from apps.workflows.models import ActionCall, WorkflowRun

COLOURS = {"pending": WAITING, "done": GOOD, "failed": BAD}
HIDDEN = "…"


@admin.register(ActionCall)
class ActionCallAdmin(OfStreamAdmin):
    """Actions that reach beyond their request: carried out by the relay; secrets stand in the settings by name only.

    The values that were sent are shown to those who may see the request; to all other staff only what they are called.
    """

    list_display = ("action", "owner", "step", "status_badge", "attempts", "last_error", "opened_at", "ended_at")
    list_filter = ("status", "action", "opened_at")
    search_fields = ("=step", "last_error")
    search_help_text = "A step's id, or words of the last error"
    ordering = ("-id",)
    fields = (
        "action", "owner", "stream_link", "run_link", "visit", "instance", "step", "status", "attempts", "last_error",
        "opened_at", "ended_at",
    )  # fmt: skip
    status_badge = badge("status", COLOURS)

    def get_fields(self, request: HttpRequest, obj: ActionCall | None = None) -> Sequence[str]:
        seen = obj is not None and visible_requests(acting(request)).filter(pk=obj.stream_id).exists()
        return (*self.fields, "settings_text" if seen else "settings_names")

    @display(description="run")
    def run_link(self, call: ActionCall) -> str:
        return link_to(WorkflowRun(pk=call.run_id))

    @display(description="settings")
    def settings_text(self, call: ActionCall) -> str:
        return as_code(call.settings)

    @display(description="settings, without values")
    def settings_names(self, call: ActionCall) -> str:
        return as_code(names_only(call.settings))


def names_only(value: Any) -> Any:
    """The same keys, without a single value."""
    return {key: names_only(part) for key, part in value.items()} if isinstance(value, Mapping) else HIDDEN
