"""Guards of workflows that run as children, and of policies that are named."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.approvals.models import ApprovalPolicyVersion
from apps.core.errors import BrokenDocument
from apps.requests.services.gate import check_workflow, publish_workflow
from apps.workflows.models import Workflow
from apps.workflows.services.drafting import create_workflow, save_draft
from tests.engine.documents import arrow
from tests.factories import (
    FALLBACK,
    MANAGER_LEVEL,
    choice_document,
    line_document,
    make_item,
    make_person,
    make_workflow,
    publish_document,
    refusal,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

AMOUNT = "request.data.amount > 1000.0"
SIZE = "request.data.size > 1"


def drafted(document: dict[str, Any]) -> Workflow:
    workflow = create_workflow(document["workflow"], name="Any")
    save_draft(workflow, document=document, actor=None)
    return workflow


def publish(document: dict[str, Any]) -> Workflow:
    workflow = drafted(document)
    publish_workflow(workflow, actor=None)
    return workflow


def caller(key: str = "caller", runs: str = "child", *before: dict[str, Any]) -> dict[str, Any]:
    return line_document(key, *before, {"id": "sub", "kind": "subflow", "workflow": runs})


def found(document: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    """Code, step and message of every problem."""
    return [(one.code, one.step, one.message) for one in check_workflow(document).problems]


def test_of_a_child_without_a_caller_nothing_is_known():
    assert found(choice_document(SIZE, "child")) == []


def test_a_caller_is_refused_if_the_child_cannot_read_its_items_form():
    make_workflow(choice_document(SIZE, "child"))
    workflow = make_workflow(line_document("caller"))
    make_item("thing", workflow=workflow)
    save_draft(workflow, document=caller(), actor=None)
    with refusal(BrokenDocument) as refused:
        publish_workflow(workflow, actor=None)
    assert refused.value.errors == {  # type: ignore[attr-defined]
        "sub": [
            "Step 'sub', in the workflow 'child': Transition 1 (which → a): There is no request.data.size. request.data"
            " has reason, amount, amount_currency, needed_by. (item thing by way of 'caller')"
        ]
    }
    assert list(workflow.versions.order_by("pk").values_list("n", "status")) == [(1, "published"), (None, "draft")]


def test_a_child_is_refused_if_it_cannot_read_the_form_of_its_callers_item():
    child = make_workflow(choice_document(AMOUNT, "child"))
    make_item("thing", workflow=publish(caller()))
    save_draft(child, document=choice_document(SIZE, "child"), actor=None)
    with refusal(BrokenDocument) as refused:
        publish_workflow(child, actor=None)
    assert list(refused.value.errors) == ["transitions/1"]  # type: ignore[attr-defined]
    assert "(item thing by way of 'caller')" in str(refused.value)
    assert child.versions.filter(status="published").count() == 1


def test_a_child_of_a_child_is_checked_as_well_and_named_at_the_step_that_leads_there():
    make_workflow(choice_document(SIZE, "leaf"))
    publish(caller("middle", "leaf"))
    make_item("thing", workflow=make_workflow(line_document("caller")))
    told = found(caller("caller", "middle"))
    assert [(code, step, message[:37]) for code, step, message in told] == [
        ("unknown_field", "sub", "Step 'sub', in the workflow 'leaf': T")
    ]


def test_workflows_that_call_each_other_are_checked_once_each():
    make_item("thing", workflow=make_workflow(line_document("one")))
    one = choice_document(SIZE, "one")
    one["steps"].insert(1, {"id": "sub", "kind": "subflow", "workflow": "one"})
    one["transitions"][1]["to"] = "sub"
    one["transitions"].append(arrow("sub", "a"))
    assert [(code, step) for code, step, _ in found(one)] == [("unknown_field", None)]


def test_what_one_workflow_of_a_run_writes_the_others_may_read():
    write = {"id": "mark", "kind": "action", "action": "set_fields", "with": {"fields": {"size": "2"}}}
    make_workflow(choice_document(SIZE, "child"))
    make_workflow(line_document("writer", write))
    make_item("thing", workflow=make_workflow(line_document("caller")))
    assert [code for code, *_ in found(caller())] == ["unknown_field"]
    assert found(caller("caller", "child", write)) == []
    both = caller("caller", "child", {"id": "first", "kind": "subflow", "workflow": "writer"})
    assert found(both) == []


def test_only_the_newest_version_of_a_caller_counts():
    child = make_workflow(choice_document(AMOUNT, "child"))
    workflow = publish(caller())
    make_item("thing", workflow=workflow)
    publish_document(workflow, line_document("caller"))
    save_draft(child, document=choice_document(SIZE, "child"), actor=None)
    assert publish_workflow(child, actor=None).n == 2


def test_the_guards_of_a_policy_that_is_named_are_checked_against_the_forms():
    make_person("maya", roles=["administrator"])
    level = {**MANAGER_LEVEL, "when": "request.data.amount == 'x'"}
    ApprovalPolicyVersion.freeze("board", {"levels": [level], "fallback": FALLBACK, "return": "never"})
    document = line_document("flow", {"id": "ask", "kind": "approval", "policy_ref": "board"})
    document["steps"].append({"id": "no", "kind": "end", "outcome": "rejected"})
    document["transitions"] = [
        arrow("start", "ask"),
        arrow("ask", "end", outcome="approved"),
        arrow("ask", "no", outcome="rejected"),
    ]
    assert found(document) == []
    make_item("thing", workflow=make_workflow(line_document("flow")))
    assert found(document) == [
        (
            "guard_type",
            "ask",
            "Step 'ask', policy 'board', levels/0/when: request.data.amount is a double and \"x\" is a string: they are"
            " never equal. (item thing)",
        )
    ]


def test_the_published_workflows_are_read_once_in_a_check():
    make_workflow(choice_document(AMOUNT, "child"))
    with CaptureQueriesContext(connection) as seen:
        assert check_workflow(caller()).publishable
    reads = [query["sql"] for query in seen.captured_queries if 'FROM "workflows_workflowversion"' in query["sql"]]
    assert len([sql for sql in reads if "ORDER BY" in sql and '"document"' not in sql]) == 1
