from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from apps.core.errors import BrokenDocument
from apps.requests.services.gate import check_workflow, publish_workflow
from apps.workflows.models import Workflow
from apps.workflows.services.drafting import create_workflow, save_draft
from tests.factories import approval_document, make_person, make_team, refusal

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def document() -> dict[str, Any]:
    make_team("it", make_person("worker", roles=["senior", "administrator"]))
    return deepcopy(approval_document("gated"))


def drafted(document: dict[str, Any]) -> Workflow:
    workflow = create_workflow(document["workflow"], name="Gated")
    save_draft(workflow, document=document, actor=None)
    return workflow


def test_a_document_whose_people_and_policies_exist_is_published(document):
    assert check_workflow(document) == ()
    assert publish_workflow(drafted(document), actor=None).n == 1


@pytest.mark.parametrize(
    ("step", "rule", "message"),
    [
        ("work", {"assign": {"team": "nobody"}}, "There is no team 'nobody'."),
        ("work", {"assign": {"role": "nobody"}}, "There is no role 'nobody'."),
        ("mend", {"assign": {"person": "nobody"}}, "There is no active person 'nobody'."),
    ],
)
def test_what_does_not_exist_keeps_a_document_from_being_published(document, step, rule, message):
    next(one for one in document["steps"] if one["id"] == step).update(rule)
    workflow = drafted(document)
    with refusal(BrokenDocument) as refused:
        publish_workflow(workflow, actor=None)
    assert refused.value.errors == {step: [message]}
    assert workflow.versions.get().status == "draft"


def test_an_approval_policy_that_could_not_be_asked_keeps_a_document_from_being_published(document):
    document["steps"][1]["policy"]["levels"][0]["rule"] = {"kind": "quorum", "n": 2}
    workflow = drafted(document)
    with refusal(BrokenDocument) as refused:
        publish_workflow(workflow, actor=None)
    assert list(refused.value.errors) == ["approve"]
    assert "not available yet" in refused.value.errors["approve"][0]
