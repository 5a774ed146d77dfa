"""Drawing: a workflow has at most one draft; what is drawn may be unfinished, but it must be a document."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput, PreconditionFailed
from apps.core.models import digest
from apps.outbox.models import Stream
from apps.outbox.publish import lock_streams, new_stream
from apps.workflows.enums import VersionStatus
from apps.workflows.models import Workflow, WorkflowVersion

UNCHECKED = "unchecked"  # no hash: whatever the draft is now


@transaction.atomic
def create_workflow(key: str, *, name: str) -> Workflow:
    """A workflow without versions, with a stream of its own. Raises Conflict if there is one with this key."""
    try:
        return Workflow.objects.create(key=key, name=name, stream=new_stream(Stream.Kind.WORKFLOW))
    except IntegrityError as error:
        raise Conflict(f"There is a workflow {key!r} already.") from error


@transaction.atomic
def save_draft(
    workflow: Workflow, *, document: dict[str, Any], actor: User | None, expected: str | None = UNCHECKED
) -> WorkflowVersion:
    """Makes the document the workflow's draft. Raises InvalidInput if it is no object or names another workflow.

    `expected` is the hash of the draft it replaces, None if there should be none; if another one is stored by now,
    PreconditionFailed, so nobody writes over what they have not seen.
    """
    if not isinstance(document, dict):
        raise InvalidInput({"document": ["A workflow document is a JSON object."]})
    if document.get("workflow") != workflow.key:
        raise InvalidInput({"document": [f'"workflow" must be {workflow.key!r}, the key of this workflow.']})
    draft = lock_draft(workflow, expected=expected) or WorkflowVersion(workflow=workflow, created_by=actor)
    draft.document, draft.hash = document, digest(document)
    draft.save()
    return draft


def lock_draft(workflow: Workflow, *, expected: str | None = UNCHECKED) -> WorkflowVersion | None:
    """The workflow's draft, if there is one; nobody saves or publishes it until the transaction ends.

    Raises PreconditionFailed if it is not the expected one (`save_draft`).
    """
    lock_streams([workflow.stream_id])
    draft = WorkflowVersion.objects.filter(workflow=workflow, status=VersionStatus.DRAFT).first()
    present = draft.hash if draft else None
    if expected not in (UNCHECKED, present):
        raise PreconditionFailed(_SAVED if draft else _GONE)
    return draft


_SAVED = "Somebody has saved another draft in the meantime. Read it again before you save yours."
_GONE = "The draft is no longer there: somebody has published it in the meantime."
