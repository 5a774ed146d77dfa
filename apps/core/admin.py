"""What the admin of every app is built on: read-only tables, immutable versions, buttons that act after saving.

Configuration can be edited; runtime tables can only be read. A change of state is a button that calls a service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from auditlog.admin import LogEntryAdmin
from auditlog.models import LogEntry
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets, unquote
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display

from apps.core.admin_parts import DocumentField, as_code, link_to, link_to_actor, problem_lines
from apps.core.errors import DomainError, InvalidInput
from apps.core.models import KeyedVersion

MOST_MESSAGES = 5
STYLES = {"all": ["admin_pages/admin.css"]}


class ConfigurationAdmin(ModelAdmin):
    """A page staff edit. Lists are short, forms warn before unsaved changes are lost."""

    list_per_page = 50
    warn_unsaved_form = True

    class Media:
        css = STYLES


class KeptAdmin(ConfigurationAdmin):
    """Rows that others refer to for ever: changed, never deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class ReadOnlyAdmin(ModelAdmin):
    """A runtime table: to be listed, searched and read, by whoever may view it. Written by services only.

    `fields` (or `fieldsets`) name what the page shows; every one of them is read-only.
    """

    actions: Sequence[Any] = ()
    list_per_page = 50
    show_full_result_count = False
    ordering: Sequence[str] = ("-pk",)

    class Media:
        css = STYLES

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> Sequence[str]:
        names: list[str] = flatten_fieldsets(self.get_fieldsets(request, obj))
        return names


class ReadOnlyInline(TabularInline):
    """Rows that belong to a page and are only read there."""

    extra = 0
    can_delete = False
    hide_title = True
    per_page = 20
    ordering: Sequence[str] = ("pk",)

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> Sequence[str]:
        return tuple(self.fields or ())

    @display(description="page")
    def page(self, row: models.Model) -> str:
        return link_to(row, "open")


class SaveThenActAdmin(ConfigurationAdmin):
    """Buttons in the submit line: the page is saved and committed, then the service runs in a transaction of its own.

    A button's method takes (request, object) and returns the sentence to show; the domain's errors become messages,
    and what was saved before stays saved.
    """

    def save_model(self, request: HttpRequest, obj: models.Model, form: ModelForm, change: bool) -> None:  # noqa: FBT001 - Django's signature
        admin.ModelAdmin.save_model(self, request, obj, form, change)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        response: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)
        act = self._pressed(request, object_id)
        if act and object_id and isinstance(response, HttpResponseRedirect):
            self._act(request, act, unquote(object_id))
        return response

    def response_change(self, request: HttpRequest, obj: models.Model) -> HttpResponse:
        if self._pressed(request, str(obj.pk)):
            return HttpResponseRedirect(request.path)
        response: HttpResponse = super().response_change(request, obj)
        return response

    def _pressed(self, request: HttpRequest, object_id: str | None) -> Callable[[HttpRequest, Any], str] | None:
        if request.method != "POST" or object_id is None:
            return None
        buttons = self.get_actions_submit_line(request, object_id)
        return next((button.method for button in buttons if button.action_name in request.POST), None)

    def _act(self, request: HttpRequest, act: Callable[[HttpRequest, Any], str], object_id: str) -> None:
        row = self.get_object(request, object_id)
        said = row and carry_out(request, lambda: act(request, row))
        if said:
            messages.success(request, said)


def carry_out(request: HttpRequest, act: Callable[[], str]) -> str:
    """Runs a service in a transaction. A domain error becomes a message of the page, and the answer is empty."""
    try:
        with transaction.atomic():
            return act()
    except DomainError as error:
        lines = problem_lines(getattr(error, "errors", {})) or [error.detail]
        for line in lines[:MOST_MESSAGES]:
            messages.error(request, line)
        if len(lines) > MOST_MESSAGES:
            messages.error(request, f"and {len(lines) - MOST_MESSAGES} more")
        return ""


class VersionForm(forms.ModelForm):
    """A new version: its key and its document, which `check` must accept.

    `require` is asked after it, with key and document: it refuses (InvalidInput) what would break what is in use.
    """

    check: Callable[[Any], Mapping[str, Sequence[str]]]
    require: Callable[[str, Any], None] | None = None
    document = DocumentField(help_text="JSON. Once added it never changes; a correction is a new version.")

    def clean_document(self) -> Any:
        document = self.cleaned_data["document"]
        problems = type(self).check(document)
        if problems:
            raise ValidationError(problem_lines(problems))
        return document

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        require = type(self).require
        if require is not None and not self.errors:
            try:
                require(cleaned["key"], cleaned["document"])
            except InvalidInput as refused:
                self.add_error("document", problem_lines(refused.errors))
        return cleaned


class KeyedVersionAdmin(KeptAdmin):
    """Immutable versions: a list, a view, and "add a new version". Nothing is changed, nothing deleted."""

    actions: Sequence[Any] = ()
    actions_detail: Sequence[str] = ("new_version",)
    add_fieldsets = ((None, {"fields": ("key", "document")}),)
    fieldsets: Sequence[Any] = (
        (None, {"fields": ("key", "n", "is_newest", "created_at", "made_by", "document_text", "hash")}),
    )
    list_display: Sequence[str] = ("__str__", "key", "n", "is_newest", "created_at", "created_by")
    list_filter: Sequence[Any] = ("created_at",)
    ordering: Sequence[str] = ("key", "-n")
    search_fields: Sequence[str] = ("key",)

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> Sequence[str]:
        return ("n", "is_newest", "created_at", "made_by", "document_text", "hash") if obj else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[KeyedVersion]:
        newer = self.model._default_manager.filter(key=OuterRef("key"), n__gt=OuterRef("n"))
        rows: QuerySet[KeyedVersion] = super().get_queryset(request).annotate(newest=~Exists(newer))
        return rows

    @display(description="in use for new requests", boolean=True)
    def is_newest(self, version: Any) -> bool:
        return bool(version.newest)

    @display(description="made by")
    def made_by(self, version: KeyedVersion) -> str:
        return link_to_actor(version.created_by)

    @display(description="document")
    def document_text(self, version: KeyedVersion) -> str:
        return as_code(version.document)

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:  # noqa: FBT001 - Django's signature
        frozen = self.model.freeze(obj.key, obj.document, created_by=f"user:{request.user.pk}")
        obj.pk, obj.n = frozen.pk, frozen.n

    def has_new_version_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return bool(self.has_add_permission(request))

    @action(description="New version from this", url_path="new-version", permissions=["new_version"])
    def new_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        meta = self.model._meta
        return HttpResponseRedirect(reverse(f"admin:{meta.app_label}_{meta.model_name}_add") + f"?base={object_id}")

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        base = request.GET.get("base", "")
        version = self.model._default_manager.filter(pk=base).first() if base.isdecimal() else None
        return {"key": version.key, "document": version.document} if version else {}


for model in (LogEntry, BlacklistedToken, OutstandingToken):  # API sessions: nothing to see there, much to leak
    admin.site.unregister(model)


@admin.register(LogEntry)
class ConfigurationLogAdmin(ReadOnlyAdmin, LogEntryAdmin):
    """Who changed the configuration, field by field; secrets are masked."""

    ordering = ("-id",)
    list_filter = ("action", "timestamp")
    date_hierarchy = None
    list_display = ("created", "user_url", "action", "resource_url", "msg_short")
    fieldsets = ((None, {"fields": ("created", "user_url", "resource_url", "action", "msg")}),)
