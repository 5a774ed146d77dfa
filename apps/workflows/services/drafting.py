"""Drawing: a workflow has at most one draft; what is drawn may be unfinished, but it must be a document."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.core.models import digest
from apps.outbox.models import Stream
from apps.outbox.publish import new_stream
from apps.workflows.enums import VersionStatus
from apps.workflows.models import Workflow, WorkflowVersion


@transaction.atomic
def create_workflow(key: str, *, name: str) -> Workflow:
    """A workflow without versions, with a stream of its own."""
    return Workflow.objects.create(key=key, name=name, stream=new_stream(Stream.Kind.WORKFLOW))


@transaction.atomic
def save_draft(workflow: Workflow, *, document: dict[str, Any], actor: User | None) -> WorkflowVersion:
    """Makes the document the workflow's draft. Raises InvalidInput if it is no object or names another workflow."""
    if not isinstance(document, dict):
        raise InvalidInput({"document": ["A workflow document is a JSON object."]})
    if document.get("workflow") != workflow.key:
        raise InvalidInput({"document": [f'"workflow" must be {workflow.key!r}, the key of this workflow.']})
    draft, _ = WorkflowVersion.objects.update_or_create(
        workflow=workflow,
        status=VersionStatus.DRAFT,
        defaults={"document": document, "hash": digest(document)},
        create_defaults={"document": document, "hash": digest(document), "created_by": actor},
    )
    return draft
