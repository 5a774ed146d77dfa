"""Approvals with their levels, seats and answers, read-only. Policies are published one step up (`requests/admin`)."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import admin
from unfold.decorators import display

from apps.approvals.models import Approval, ApprovalLevel, Seat
from apps.core.admin_parts import BAD, GOOD, NOTHING, WAITING, badge, link_to, table
from apps.outbox.admin import OfStreamAdmin


@admin.register(Approval)
class ApprovalAdmin(OfStreamAdmin):
    list_display = ("name", "owner", "step", "status_badge", "opened_at", "ended_at")
    list_filter = ("status", "opened_at")
    search_fields = ("name", "=step")
    fields = (
        "name", "owner", "stream_link", "visit_link", "step", "status", "level", "opened_at", "ended_at", "answers",
    )  # fmt: skip
    status_badge = badge(
        "status", {"pending": WAITING, "approved": GOOD, "rejected": BAD, "returned": BAD, "expired": BAD}
    )

    @display(description="visit")
    def visit_link(self, approval: Approval) -> str:
        return link_to(approval.visit)

    @display(description="levels, seats and answers")
    def answers(self, approval: Approval) -> str:
        levels = approval.levels.order_by("index").prefetch_related("seats__user", "seats__decision__by")
        heads = ("Level", "Asked", "Because of", "Answer", "By", "At")
        return table(heads, (row for level in levels for row in _level_rows(level)), empty="No level was opened yet.")


def _level_rows(level: ApprovalLevel) -> Iterator[tuple[str, ...]]:
    seats = sorted(level.seats.all(), key=lambda seat: seat.pk)
    if not seats:
        yield (level.name or level.key, level.skipped or "nobody: see the incidents", *[NOTHING] * 4)
    for seat in seats:
        yield (level.name or level.key, link_to(seat.user), _rule(seat), *_answer(seat))


def _rule(seat: Seat) -> str:
    return ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in seat.because.items())


def _answer(seat: Seat) -> tuple[str, str, str]:
    decision = getattr(seat, "decision", None)
    if decision is None:
        return "none yet", NOTHING, NOTHING
    return decision.get_verdict_display(), link_to(decision.by), f"{decision.at:%Y-%m-%d %H:%M} UTC"
