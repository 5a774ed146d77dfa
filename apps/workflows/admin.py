"""Versions and runs, to read; secrets, to write. Workflows are drawn and published one step up (`requests/admin`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminPasswordWidget

from apps.accounts.admin import acting
from apps.core.admin import KeptAdmin, ReadOnlyAdmin, ReadOnlyInline, carry_out
from apps.core.admin_parts import ACTIVE, GOOD, WAITING, as_code, badge, link_to, link_to_actor
from apps.outbox.admin import OfStreamAdmin
from apps.workflows.models import (
    KeyClaim,
    Secret,
    StepVisit,
    Task,
    Timer,
    WorkflowRun,
    WorkflowVersion,
)
from apps.workflows.services.publishing import retire_version
from apps.workflows.services.secrets import secret_problems, set_secret

KEYS = ("format", "id", "workflow", "name", "reopen", "from", "to", "kind", "stage", "stages", "steps", "transitions")
VERSION_COLOURS = {"draft": WAITING, "published": GOOD}
VISIT_COLOURS = {"open": WAITING, "begun": ACTIVE, "ended": GOOD}
TASK_COLOURS = {"open": WAITING, "claimed": ACTIVE, "done": GOOD}


@admin.register(WorkflowVersion)
class WorkflowVersionAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "workflow_link", "n", "status_badge", "published_at", "created_by")
    list_filter = ("status", "published_at")
    list_select_related = ("workflow", "created_by")
    search_fields = ("workflow__key", "workflow__name")
    ordering = ("workflow__key", "-n")
    fields = (
        "workflow_link", "n", "status", "published_at", "created_at", "created_by", "document_text", "hash",
    )  # fmt: skip
    actions_detail = ("retire",)
    status_badge = badge("status", VERSION_COLOURS)

    @display(description="workflow", ordering="workflow__name")
    def workflow_link(self, version: WorkflowVersion) -> str:
        return link_to(version.workflow)

    @display(description="document")
    def document_text(self, version: WorkflowVersion) -> str:
        return as_code(version.document, order=KEYS)

    def has_retire_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return bool(request.user.has_perm("workflows.change_workflow"))

    @action(
        description="Retire",
        permissions=["retire"],
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Retire this version?",
            "description": "No new request starts on it. Requests that run on it go on to their end.",
            "form_class": None,
            "form_submit_text": "Retire",
        },
    )
    def retire(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        version = self.get_object(request, object_id)
        if version is None:
            raise Http404
        said = carry_out(request, lambda: f"{retire_version(version, actor=acting(request))} is retired.")
        if said:
            messages.success(request, said)
        return HttpResponseClientRedirect(reverse("admin:workflows_workflowversion_change", args=[object_id]))


class VisitInline(ReadOnlyInline):
    model = StepVisit
    fields = ("page", "number", "step", "status", "outcome", "opened_at", "begun_at", "ended_at")
    ordering = ("number",)


class TimerInline(ReadOnlyInline):
    model = Timer
    fields = ("page", "visit", "kind", "due_at", "check_at", "closed_at", "fired")


@admin.register(WorkflowRun)
class WorkflowRunAdmin(OfStreamAdmin):
    list_display = ("__str__", "owner", "version", "n", "outcome", "started_at", "ended_at")
    list_filter = ("outcome", "started_at")
    list_select_related = (*OfStreamAdmin.list_select_related, "version__workflow")
    fields = (
        "owner", "stream_link", "version_link", "n", "outcome", "started_at", "ended_at", "revision", "marking_text",
    )  # fmt: skip
    inlines = (VisitInline, TimerInline)

    @display(description="version")
    def version_link(self, run: WorkflowRun) -> str:
        return link_to(run.version)

    @display(description="marking")
    def marking_text(self, run: WorkflowRun) -> str:
        return as_code(run.marking)


@admin.register(StepVisit)
class StepVisitAdmin(ReadOnlyAdmin):
    list_display = ("step", "run_link", "number", "status_badge", "outcome", "opened_at", "ended_at")
    list_filter = ("status", "opened_at")
    search_fields = ("=step",)
    search_help_text = "A step's id"
    fields = ("run_link", "number", "token", "step", "status", "outcome", "opened_at", "begun_at", "ended_at")
    status_badge = badge("status", VISIT_COLOURS)

    @display(description="run", ordering="run_id")
    def run_link(self, visit: StepVisit) -> str:
        return link_to(WorkflowRun(pk=visit.run_id))


@admin.register(Task)
class TaskAdmin(OfStreamAdmin):
    list_display = ("name", "owner", "status_badge", "assignee", "group", "outcome", "opened_at", "ended_at")
    list_filter = ("status", "team", "opened_at")
    list_select_related = (*OfStreamAdmin.list_select_related, "assignee", "team", "group")
    search_fields = ("name", "assignee__username")
    fields = (
        "name", "owner", "stream_link", "visit_link", "status", "assignee", "team", "group", "outcome", "opened_at",
        "claimed_at", "ended_at",
    )  # fmt: skip
    status_badge = badge("status", TASK_COLOURS)

    @display(description="visit")
    def visit_link(self, task: Task) -> str:
        return link_to(task.visit)


@admin.register(Timer)
class TimerAdmin(OfStreamAdmin):
    list_display = ("__str__", "owner", "kind", "due_at", "check_at", "closed_at", "fired_badge")
    list_filter = ("kind", "fired", "due_at")
    fields = ("owner", "stream_link", "run_link", "visit", "kind", "due_at", "check_at", "closed_at", "fired")

    @display(description="fired", boolean=True)
    def fired_badge(self, timer: Timer) -> bool:
        return timer.fired

    @display(description="run")
    def run_link(self, timer: Timer) -> str:
        return link_to(WorkflowRun(pk=timer.run_id))


@admin.register(KeyClaim)
class KeyClaimAdmin(OfStreamAdmin):
    """Who holds an `exclusive` key (granted, not ended) and who waits for it (not granted)."""

    list_display = ("key", "owner", "step", "visit", "asked_at", "granted_at", "ended_at")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "asked_at")
    search_fields = ("key", "=step")
    search_help_text = "A part of a key, or a step's id"
    ordering = ("-id",)
    fields = (
        "key", "owner", "stream_link", "run_link", "visit", "step", "asked_at", "granted_at", "ended_at", "check_at",
    )  # fmt: skip

    @display(description="run")
    def run_link(self, claim: KeyClaim) -> str:
        return link_to(WorkflowRun(pk=claim.run_id))


class SecretForm(forms.ModelForm):
    """A name and a value that goes in and never comes out."""

    value = forms.CharField(
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Never shown again. For webhooks: whsec_ and 24 to 64 random bytes in base64, known to its receiver.",
    )

    class Meta:
        model = Secret
        fields = ("name",)

    def clean(self) -> dict[str, Any]:
        entered: dict[str, Any] = super().clean() or self.cleaned_data
        name = entered.get("name", self.instance.name)
        if "value" in entered and (problems := secret_problems(name, entered["value"])):
            raise ValidationError({field: said for field, said in problems.items() if field in self.fields})
        return entered


@admin.register(Secret)
class SecretAdmin(KeptAdmin):
    """Secrets are added and replaced, never read; a name stays, because workflows and the seal refer to it."""

    form = SecretForm
    list_display = ("name", "created_at", "changed_at", "created_by")
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "value", "created_at", "changed_at", "made_by")

    def get_fields(self, request: HttpRequest, obj: Secret | None = None) -> Sequence[str]:
        return self.fields if obj else ("name", "value")

    def get_readonly_fields(self, request: HttpRequest, obj: Secret | None = None) -> Sequence[str]:
        return ("name", "created_at", "changed_at", "made_by") if obj else ()

    @display(description="made by")
    def made_by(self, secret: Secret) -> str:
        return link_to_actor(secret.created_by)

    def save_model(self, request: HttpRequest, obj: Secret, form: forms.ModelForm, change: bool) -> None:  # noqa: FBT001 - Django's signature
        obj.pk = set_secret(obj.name, value=form.cleaned_data["value"], actor=acting(request)).pk
