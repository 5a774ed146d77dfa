"""Drawing and publishing: here, because the check asks for the approval policies, which `workflows` does not know."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action, display

from apps.accounts.admin import acting
from apps.core.admin import KeptAdmin, ReadOnlyInline, SaveThenActAdmin
from apps.core.admin_parts import DocumentField, as_code, table, verdict
from apps.core.errors import PreconditionFailed
from apps.requests.services.checking import progress_of, sign_waiver
from apps.requests.services.gate import check_draft, check_live, publish_workflow
from apps.workflows.admin import KEYS
from apps.workflows.engine.diff import diff
from apps.workflows.engine.document import document_hash
from apps.workflows.enums import VersionStatus
from apps.workflows.models import Workflow, WorkflowVersion
from apps.workflows.services.drafting import create_workflow, lock_draft, save_draft

MOST_CHANGES = 100


def blank_document(workflow: Workflow) -> dict[str, Any]:
    """The least that can be published: what a new workflow's page begins with."""
    return {
        "format": 1,
        "workflow": workflow.key,
        "name": workflow.name,
        "stages": [],
        "steps": [{"id": "start", "kind": "start"}, {"id": "done", "kind": "end", "outcome": "completed"}],
        "transitions": [{"from": "start", "to": "done"}],
    }


def draft_of(workflow: Workflow) -> WorkflowVersion | None:
    return workflow.versions.filter(status=VersionStatus.DRAFT).first()


def newest_version(workflow: Workflow) -> WorkflowVersion | None:
    return workflow.versions.exclude(status=VersionStatus.DRAFT).order_by("-n").first()


def edited_document(workflow: Workflow) -> Any:
    """What the page shows to be edited: the draft, else the newest version, else the least that can be published."""
    newest = draft_of(workflow) or newest_version(workflow)
    return newest.document if newest else blank_document(workflow)


class WorkflowForm(forms.ModelForm):
    """The workflow's name and its draft. What is drawn may be unfinished, but it must be this workflow's document."""

    document = DocumentField(
        label="Draft",
        order=KEYS,
        help_text="Format 1. Saving keeps it as the draft; publishing checks it and gives it a number.",
    )

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Workflow
        fields = ("key", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            draft = draft_of(self.instance)
            self.initial.update(document=edited_document(self.instance), seen=draft.hash if draft else "")
        else:  # what is drawn must name the key: first there is a workflow
            del self.fields["document"], self.fields["seen"]

    @property
    def draws(self) -> bool:
        """Whether saving the page saves a draft."""
        return "document" in self.changed_data or not self.instance.versions.exists()

    def clean_document(self) -> Any:
        document = self.cleaned_data["document"]
        if not isinstance(document, dict) or document.get("workflow") != self.instance.key:
            raise ValidationError(f'This must be an object with "workflow": "{self.instance.key}".')
        return document

    def clean(self) -> dict[str, Any]:
        """Locks the draft until it is saved; one that somebody else saved meanwhile is not written over."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.instance.pk and self.draws:
            try:
                lock_draft(self.instance, expected=cleaned.get("seen") or None)
            except PreconditionFailed as error:
                raise ValidationError({"document": error.detail}) from error
        return cleaned


class VersionInline(ReadOnlyInline):
    model = WorkflowVersion
    verbose_name_plural = "versions: open one to read it, or to retire it"
    fields = ("page", "n", "status", "published_at", "created_by")
    ordering = ("-n",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WorkflowVersion]:
        rows: QuerySet[WorkflowVersion] = super().get_queryset(request)
        return rows.exclude(status=VersionStatus.DRAFT).select_related("created_by", "workflow")


@admin.register(Workflow)
class WorkflowAdmin(SaveThenActAdmin, KeptAdmin):
    form = WorkflowForm
    inlines = (VersionInline,)
    list_display = ("name", "key", "has_draft", "in_use")
    search_fields = ("name", "key")
    ordering = ("name",)
    actions_submit_line = ("check_draft", "publish", "sign")
    add_fieldsets = ((None, {"fields": ("key", "name")}),)
    fieldsets = (
        (None, {"fields": ("key", "name")}),
        ("Draft", {"fields": ("problems", "changes", "document", "seen")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Workflow | None = None) -> tuple[str, ...]:
        return ("key", "problems", "changes", "document_text") if obj else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Workflow]:
        versions = WorkflowVersion.objects.filter(workflow=OuterRef("pk"))
        drafts, published = (
            Exists(versions.filter(Q(status=s))) for s in (VersionStatus.DRAFT, VersionStatus.PUBLISHED)
        )
        rows: QuerySet[Workflow] = super().get_queryset(request)
        return rows.annotate(draft_exists=drafts, published_exists=published)

    def get_fieldsets(self, request: HttpRequest, obj: Workflow | None = None) -> Any:
        if obj and not self.has_change_permission(request, obj):
            return (
                (None, {"fields": ("key", "name")}),
                ("Draft", {"fields": ("problems", "changes", "document_text")}),
            )
        return super().get_fieldsets(request, obj)

    @display(description="document")
    def document_text(self, workflow: Workflow) -> str:
        return as_code(edited_document(workflow), order=KEYS)

    @display(description="draft", boolean=True)
    def has_draft(self, workflow: Any) -> bool:
        return bool(workflow.draft_exists)

    @display(description="published", boolean=True)
    def in_use(self, workflow: Any) -> bool:
        return bool(workflow.published_exists)

    @display(description="problems of the draft")
    def problems(self, workflow: Workflow) -> str:
        draft = draft_of(workflow)
        if draft is None:
            return "There is no draft. Changing the document below and saving makes one."
        result = check_live(workflow, draft.document)
        found = [(one.place, one.message, one.severity.value) for one in result.problems]
        if not result.verified and not result.errors:
            found.append(("document", progress_of(workflow, result.hash), "check"))
        good = verdict("None: the draft can be published.", good=True)
        return table(("Step or place", "Problem", "Kind"), found, empty=good)

    @display(description="changes since the newest version")
    def changes(self, workflow: Workflow) -> str:
        draft, version = draft_of(workflow), newest_version(workflow)
        if draft is None or version is None:
            return "There is nothing to compare: this takes a draft and a version."
        found = diff(version.document, draft.document)
        rows = [(change.element.value, change.sentence) for change in found[:MOST_CHANGES]]
        more = len(found) - len(rows)
        return table(("What", "Change"), [*rows, *([("", f"and {more:,} more")] if more else [])], empty="None.")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        if not change:
            made = create_workflow(obj.key, name=obj.name)
            obj.pk, obj.stream = made.pk, made.stream
            return
        obj.save(update_fields=["name"])
        if form.draws:
            save_draft(obj, document=form.cleaned_data["document"], actor=acting(request))

    def response_add(self, request: HttpRequest, obj: Workflow, post_url_continue: str | None = None) -> HttpResponse:
        messages.success(request, f"{obj} is there. Now draw it: what you save is its draft.")
        return HttpResponseRedirect(reverse("admin:workflows_workflow_change", args=[obj.pk]))

    @action(description="Save and check", permissions=["change"])
    def check_draft(self, request: HttpRequest, workflow: Workflow) -> str:
        draft = draft_of(workflow)
        if draft is None:
            return "There is no draft to check."
        result = check_draft(workflow, draft.document)
        if result.problems or not result.verified:
            messages.warning(request, f"{len(result.problems)} problems, listed below.")
            return ""
        return "The draft has no problems."

    @action(description="Save and publish", permissions=["change"])
    def publish(self, request: HttpRequest, workflow: Workflow) -> str:
        version = publish_workflow(workflow, actor=acting(request))
        return f"{version} is published: requests submitted from now on may run on it."

    @action(description="Save and sign", permissions=["change"])
    def sign(self, request: HttpRequest, workflow: Workflow) -> str:
        """The second person's signature under a draft of which not every run can be seen."""
        draft = draft_of(workflow)
        if draft is None:
            return "There is no draft to sign."
        reason = "Signed on the workflow's page in the administration."
        sign_waiver(workflow, hash=document_hash(draft.document), reason=reason, actor=acting(request))
        return "Signed: another person can publish the draft now."
