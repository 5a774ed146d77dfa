"""What became of the cases of imported logs, read-only."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from apps.core.admin import ReadOnlyAdmin
from apps.core.admin_parts import link_to
from apps.requests.models import ImportedCase


@admin.register(ImportedCase)
class ImportedCaseAdmin(ReadOnlyAdmin):
    """A refused case ended where the workflow did not allow its next line; the reason says which."""

    list_display = ("case", "source", "request_link", "status", "step", "accepted", "refused_at", "reason")
    list_filter = ("source", "status", "refused_at")
    list_select_related = ("request",)
    search_fields = ("=case", "=request__number", "reason")
    search_help_text = "A case of the log, a request's number, or a word of the reason"
    fields = ("source", "case", "request_link", "status", "step", "accepted", "refused_at", "reason")

    @display(description="request", ordering="request_id")
    def request_link(self, row: ImportedCase) -> str:
        return link_to(row.request)
