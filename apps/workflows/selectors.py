"""Workflow versions as compiled definitions: cached for ever by version id, because a version never changes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from apps.workflows.engine.definition import Definition
from apps.workflows.engine.document import compile_document
from apps.workflows.enums import VersionStatus
from apps.workflows.models import WorkflowVersion


@lru_cache(maxsize=512)
def definition_of(version_id: int) -> Definition:
    """The compiled definition of a published (or retired) version."""
    version = WorkflowVersion.objects.exclude(status=VersionStatus.DRAFT).get(pk=version_id)
    return compile_document(version.document)


def published_version(workflow_id: int) -> WorkflowVersion | None:
    """The version new requests start on: the newest published one."""
    published = WorkflowVersion.objects.filter(workflow_id=workflow_id, status=VersionStatus.PUBLISHED)
    return published.select_related("workflow").order_by("-n").first()


def published_definitions() -> dict[str, Definition]:
    """The newest published version of every workflow, compiled, by its key."""
    return {key: definition_of(pk) for key, pk in _newest_published().items()}


def published_versions(*, keys: Iterable[str]) -> list[WorkflowVersion]:
    """The newest published versions of these workflows, in order of their keys."""
    newest = _newest_published()
    wanted = [newest[key] for key in keys if key in newest]
    return list(WorkflowVersion.objects.filter(pk__in=wanted).select_related("workflow").order_by("workflow__key"))


def _newest_published() -> dict[str, int]:
    rows = WorkflowVersion.objects.filter(status=VersionStatus.PUBLISHED).order_by("workflow_id", "n")
    return dict(rows.values_list("workflow__key", "pk"))
