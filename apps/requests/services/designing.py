"""Workflows for those who design them: administrators draw, publish and retire; auditors read; others see none.

Reading raises NotVisible, writing also NotPermitted; what is not possible now raises Conflict.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput, NotPermitted, NotVisible
from apps.core.text import is_blank
from apps.requests import policies
from apps.requests.services.gate import check_draft, publish_workflow
from apps.workflows.engine.diff import Change, diff
from apps.workflows.engine.gate import GateResult
from apps.workflows.enums import VersionStatus
from apps.workflows.models import Workflow, WorkflowVersion
from apps.workflows.services import drafting, publishing
from apps.workflows.services.drafting import UNCHECKED

RESERVED = frozenset({"import"})  # the API's path beside the keys
Document = dict[str, Any]


def report(draft: WorkflowVersion) -> GateResult:
    """The gate's answer as things are today. What takes longer to see is seen by a worker: ask again then."""
    return check_draft(draft.workflow, draft.document)


# reading


def workflows_for(actor: User) -> QuerySet[Workflow]:
    """Every workflow with `newest`, the number of its newest published version (or None), and `has_draft`."""
    if not policies.reads_designs(actor):
        raise NotVisible
    drafts = WorkflowVersion.objects.filter(workflow=OuterRef("pk"), status=VersionStatus.DRAFT)
    published = Q(versions__status=VersionStatus.PUBLISHED)
    return Workflow.objects.annotate(newest=Max("versions__n", filter=published), has_draft=Exists(drafts))


def workflow_for(actor: User, key: str) -> Workflow:
    """The workflow of that key, as in `workflows_for`."""
    workflow = workflows_for(actor).filter(key=key).first()
    if workflow is None:
        raise NotVisible
    return workflow


def versions_for(actor: User, key: str) -> QuerySet[WorkflowVersion]:
    """The numbered versions of a workflow: published and retired ones."""
    versions = WorkflowVersion.objects.filter(workflow=workflow_for(actor, key)).exclude(status=VersionStatus.DRAFT)
    return versions.select_related("workflow", "created_by")


def version_for(actor: User, key: str, n: int) -> WorkflowVersion:
    version = versions_for(actor, key).filter(n=n).first()
    if version is None:
        raise NotVisible(f"This workflow has no version {n}.")
    return version


def draft_for(actor: User, key: str) -> WorkflowVersion:
    """The workflow's draft. Raises NotVisible where there is none."""
    draft = find_draft(workflow_for(actor, key))
    if draft is None:
        raise NotVisible("This workflow has no draft.")
    return draft


def find_draft(workflow: Workflow) -> WorkflowVersion | None:
    drafts = workflow.versions.filter(status=VersionStatus.DRAFT)
    return drafts.select_related("workflow", "created_by").first()


def compare(old: WorkflowVersion, new: WorkflowVersion) -> tuple[Change, ...]:
    """What differs from one version (or draft) to another, element by element."""
    return diff(old.document, new.document)


# designing


@transaction.atomic
def start_workflow(key: str, *, name: str, actor: User) -> Workflow:
    """A new workflow, still without a draft. Raises InvalidInput by field, Conflict if the key is taken."""
    require_designer(actor)
    if problems := _problems_of(key, name):
        raise InvalidInput(problems)
    if Workflow.objects.filter(key=key).exists():
        raise Conflict(f"There is a workflow {key!r} already.")
    drafting.create_workflow(key, name=name)
    return workflow_for(actor, key)


@transaction.atomic
def save_draft(
    workflow: Workflow, *, document: Document, actor: User, expected: str | None = UNCHECKED
) -> WorkflowVersion:
    """As `drafting.save_draft`, for a person."""
    require_designer(actor)
    return drafting.save_draft(workflow, document=document, actor=actor, expected=expected)


def find_named_draft(document: Document) -> WorkflowVersion | None:
    """The draft of the workflow that a document names, None where there is none; InvalidInput as `import_document`."""
    key, _ = _names(document)
    workflow = Workflow.objects.filter(key=key).first()
    return find_draft(workflow) if workflow else None


@transaction.atomic
def import_document(document: Document, *, actor: User, expected: str | None = UNCHECKED) -> WorkflowVersion:
    """Makes the document the draft of the workflow it names, which is created if it is missing.

    `expected`: the draft that it replaces, as in `drafting.save_draft`. Raises InvalidInput for a document without a
    fitting key and name, PreconditionFailed if another draft is stored by now.
    """
    require_designer(actor)
    key, name = _names(document)
    workflow = Workflow.objects.filter(key=key).first() or drafting.create_workflow(key, name=name)
    return drafting.save_draft(workflow, document=document, actor=actor, expected=expected)


@transaction.atomic
def publish_draft(workflow: Workflow, *, actor: User, expected: str | None = UNCHECKED) -> WorkflowVersion:
    """The draft as the next version, through the gate: what is published is the draft of the expected hash.

    Raises Conflict without a draft, PreconditionFailed if it is another, BrokenDocument with the problems by place.
    """
    require_designer(actor)
    publishing.lock_publishing()
    drafting.lock_draft(workflow, expected=expected)
    return publish_workflow(workflow, actor=actor)


@transaction.atomic
def retire_version(version: WorkflowVersion, *, actor: User) -> WorkflowVersion:
    """As `publishing.retire_version`, for a person."""
    require_designer(actor)
    return publishing.retire_version(version, actor=actor)


def require_designer(actor: User) -> None:
    """Raises NotVisible to those who see no workflow at all, NotPermitted to those who only read."""
    if not policies.reads_designs(actor):
        raise NotVisible
    if not policies.designs(actor):
        raise NotPermitted("You may read workflows, but not change them.")


def _names(document: Document) -> tuple[str, str]:
    """The key and the name that a document says. Raises InvalidInput if they do not fit."""
    key, name = document.get("workflow"), document.get("name")
    if problems := _problems_of(key, name):
        raise InvalidInput({f"document.{_IN_DOCUMENT[field]}": messages for field, messages in problems.items()})
    return str(key), str(name)


_IN_DOCUMENT = {"key": "workflow", "name": "name"}


def _problems_of(key: Any, name: Any) -> dict[str, list[str]]:
    """What is wrong with a new workflow's key and name, by field."""
    given = {"key": key, "name": name}
    if empty := {field: ["This must be text."] for field, value in given.items() if _is_no_text(value)}:
        return empty
    try:
        Workflow(key=key, name=name).clean_fields(exclude=["stream"])
    except ValidationError as error:
        return dict(error.message_dict)
    return {"key": [f"{key!r} is a word of the API; take another key."]} if key in RESERVED else {}


def _is_no_text(value: Any) -> bool:
    return not isinstance(value, str) or is_blank(value)
