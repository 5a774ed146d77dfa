"""Requests on documents whose child workflows may not exist yet: published as if every child can end in every way."""

from __future__ import annotations

from typing import Any

from apps.requests.models import CatalogItem, Request
from apps.workflows.engine import gate
from apps.workflows.engine.definition import Definition
from apps.workflows.engine.gate import Outcomes
from apps.workflows.models import Workflow, WorkflowVersion
from apps.workflows.services.drafting import create_workflow, save_draft
from apps.workflows.services.publishing import publish_version
from tests.factories import Json, make_item, make_request
from tests.requests.conftest import World

ENDS = frozenset({"completed", "rejected", "cancelled"})


def publish(document: Json) -> WorkflowVersion:
    """The document as the next version of its workflow, which is made if there is none."""
    found = Workflow.objects.filter(key=document["workflow"]).first()
    workflow = found or create_workflow(document["workflow"], name=document["name"])
    save_draft(workflow, document=document, actor=None)
    return publish_version(workflow, actor=None, result=gate.check(document, children=_every_way))


def _every_way(definition: Definition) -> Outcomes:
    return {step.settings["workflow"]: ENDS for step in definition.steps if step.kind == "subflow"}


def make_flow(document: Json, **item: Any) -> CatalogItem:
    """An item whose requests run on the document."""
    return make_item(document["workflow"], workflow=publish(document).workflow, **item)


def submit(world: World, document: Json, **wish: Any) -> Request:
    """A request that runs on the document."""
    return make_request(make_flow(document), world.requester, **wish)


def fresh(request: Request) -> Request:
    return Request.objects.select_related("run", "stream").get(pk=request.pk)
