"""From draft to version. A document that has problems does not get through."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import BrokenDocument, Conflict
from apps.core.locks import advisory_lock
from apps.outbox.publish import SYSTEM, NewEvent, lock_streams, publish
from apps.workflows.engine.document import document_hash
from apps.workflows.engine.gate import GateResult
from apps.workflows.engine.problems import by_place
from apps.workflows.enums import VersionStatus, WorkflowEvent
from apps.workflows.models import Workflow, WorkflowVersion


def lock_publishing() -> None:
    """Until the transaction ends nobody else publishes a workflow or what workflows use: the gate's answer stays true.

    Taken before the workflow's stream is locked, so that nobody who holds it waits for somebody who waits for that.
    """
    advisory_lock("workflows.publishing")


@transaction.atomic
def publish_version(workflow: Workflow, *, actor: User | None, result: GateResult) -> WorkflowVersion:
    """Freezes the draft as the next version, together with what the gate has said of it; requests submitted from now on
    may select it. Versions that run go on.

    People publish through `requests.services.gate`, which makes the result. Raises Conflict without a draft, where the
    result is of another document and where it has not seen every way a run can go; BrokenDocument with the problems per
    step. Then nothing changed.
    """
    (stream,) = lock_streams([workflow.stream_id])
    drafts = WorkflowVersion.objects.select_for_update().filter(workflow=workflow, status=VersionStatus.DRAFT)
    draft = drafts.first()
    if draft is None:
        raise Conflict("There is no draft to publish.")
    if result.hash != document_hash(draft.document):
        raise Conflict("The draft has changed since it was checked; check it again.")
    if result.errors:
        raise BrokenDocument(by_place(result.errors))
    if not result.verified:
        raise Conflict(
            "Not every way a run can go was seen yet. Ask for the whole check; if that cannot see them all either, a"
            " second person must sign for it."
        )
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
