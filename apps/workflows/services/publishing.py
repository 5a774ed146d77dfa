"""From draft to version. A document that has problems does not get through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import BrokenDocument, Conflict
from apps.outbox.publish import SYSTEM, NewEvent, lock_streams, publish
from apps.workflows.engine.document import compile_document
from apps.workflows.engine.problems import Problem, by_place
from apps.workflows.enums import VersionStatus, WorkflowEvent
from apps.workflows.models import Workflow, WorkflowVersion


@transaction.atomic
def publish_version(
    workflow: Workflow,
    *,
    actor: User | None,
    policies: Mapping[str, Mapping[str, Any]] | None = None,
    check: Callable[[Mapping[str, Any]], Sequence[Problem]] = lambda document: (),
) -> WorkflowVersion:
    """Checks the draft and freezes it as the next version; requests submitted from now on may select it.

    Versions that run go on. `policies` are the approval policies documents may name, `check` finds what only apps above
    this one can know; people publish through `requests.services.gate`. Raises Conflict without a draft,
    BrokenDocument with the problems per step; then nothing changed.
    """
    (stream,) = lock_streams([workflow.stream_id])
    drafts = WorkflowVersion.objects.select_for_update().filter(workflow=workflow, status=VersionStatus.DRAFT)
    draft = drafts.first()
    if draft is None:
        raise Conflict("There is no draft to publish.")
    compile_document(draft.document, policies=policies or {})
    if problems := check(draft.document):
        raise BrokenDocument(by_place(problems))
    newest = WorkflowVersion.objects.filter(workflow=workflow).aggregate(n=Max("n"))["n"] or 0
    draft.publish(n=newest + 1, at=clock.now())
    draft.save()
    publish({stream: [_event(WorkflowEvent.VERSION_PUBLISHED, draft, actor)]})
    return draft


@transaction.atomic
def retire_version(version: WorkflowVersion, *, actor: User | None) -> WorkflowVersion:
    """No new request starts on it; running ones stay on it. Raises Conflict unless it is published."""
    (stream,) = lock_streams([version.workflow.stream_id])
    current = WorkflowVersion.objects.get(pk=version.pk)
    if current.status != VersionStatus.PUBLISHED:
        raise Conflict("Only a published version can be retired.")
    current.retire()
    current.save(update_fields=["status"])
    publish({stream: [_event(WorkflowEvent.VERSION_RETIRED, current, actor)]})
    return current


def _event(kind: WorkflowEvent, version: WorkflowVersion, actor: User | None) -> NewEvent:
    data = {"workflow": version.workflow_id, "version": version.pk, "n": version.n, "hash": version.hash}
    return NewEvent(type=kind, actor=f"user:{actor.pk}" if actor else SYSTEM, at=clock.now(), data=data)
