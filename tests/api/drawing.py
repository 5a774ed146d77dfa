"""What the tests of workflows as documents share: the documents, who draws, and what a refusal leaves alone."""

from __future__ import annotations

from typing import Any

from apps.workflows.models import Workflow, WorkflowVersion
from apps.workflows.services.drafting import create_workflow, save_draft
from tests.api.conftest import Client
from tests.factories import line_document, make_person, make_team, publish_document, row_counts

TASK = {"id": "work", "kind": "task", "name": "Work", "assign": {"team": "it"}}
FIRST = line_document("drawn", TASK)
SECOND = line_document("drawn", {**TASK, "name": "Work on it"})
BROKEN = line_document("drawn", {**TASK, "colour": "red"})
DRAFT = "/workflows/drawn/draft/"


def administrator() -> Client:
    """Ada, who designs, in a world in which the documents' team is there."""
    make_team("it", make_person("ivo"))
    return Client().of(make_person("ada", roles=["administrator"]))


def make_drawn() -> Workflow:
    """A workflow with version 1 and a draft that differs from it."""
    workflow = create_workflow("drawn", name="Drawn")
    publish_document(workflow, FIRST)
    save_draft(workflow, document=SECOND, actor=None)
    return workflow


def errors(answer: Any) -> Any:
    """The problems by field of a 400."""
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    return answer.json()["errors"]


def refused(answer: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    assert answer["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def everything() -> tuple[Any, ...]:
    """All that a refusal must leave as it was."""
    versions = WorkflowVersion.objects.order_by("pk").values_list("pk", "hash", "status", "n")
    return (*versions, *Workflow.objects.order_by("pk").values_list("pk", "name"), row_counts())
