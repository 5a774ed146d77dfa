"""New versions of forms and policies, and rules, against the workflows that are published."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.approvals.models import ApprovalPolicyVersion
from apps.calendars.models import BusinessCalendar, CalendarVersion
from apps.calendars.services import freeze_calendar
from apps.core.errors import BrokenDocument, InvalidInput, WouldBreak
from apps.requests.models import CatalogItem, FormVersion, SelectionRule
from apps.requests.services.catalog import ensure_item
from apps.requests.services.gate import publish_workflow
from apps.requests.services.gate_forms import Forms
from apps.requests.services.reissuing import (
    publish_form,
    publish_policy,
    rule_guard_problems,
)
from apps.workflows.models import Workflow
from apps.workflows.services.drafting import create_workflow, save_draft
from apps.workflows.services.publishing import retire_version
from tests.core.admin_pages import address, admin_client, errors_of, filled_in
from tests.engine.documents import arrow, task
from tests.factories import (
    FALLBACK,
    FORM,
    MANAGER_LEVEL,
    choice_document,
    line_document,
    make_item,
    make_person,
    make_team,
    make_workflow,
    publish_document,
    refusal,
)
from tests.races import PATIENCE_S, beside

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

AMOUNT = "request.data.amount > 1000.0"
WITHOUT_AMOUNT = {"fields": [{"name": "reason", "type": "text"}]}
AS_TEXT = {"fields": [{"name": "amount", "type": "text"}]}
NEVER_BACK = {"levels": [MANAGER_LEVEL], "fallback": FALLBACK, "return": "never"}
MAY_GO_BACK = {"levels": [MANAGER_LEVEL], "fallback": FALLBACK}
VERSIONS = (FormVersion, ApprovalPolicyVersion, CalendarVersion)


def count() -> list[int]:
    return [model.objects.count() for model in VERSIONS]


def refused_form(document: dict[str, Any], key: str = "thing") -> dict[str, list[str]]:
    """By place why the form is not published; nothing has moved then."""
    before = count()
    with refusal(WouldBreak) as refused:
        publish_form(key, document)
    assert count() == before
    return dict(refused.value.errors)  # type: ignore[attr-defined]


def refused_policy(document: dict[str, Any], key: str = "board") -> dict[str, list[str]]:
    before = count()
    with refusal(WouldBreak) as refused:
        publish_policy(key, document)
    assert count() == before
    return dict(refused.value.errors)  # type: ignore[attr-defined]


def publish(document: dict[str, Any]) -> Workflow:
    """The document as a published workflow, through the whole gate."""
    workflow = create_workflow(document["workflow"], name="Any")
    save_draft(workflow, document=document, actor=None)
    publish_workflow(workflow, actor=None)
    return workflow


def board_document() -> dict[str, Any]:
    document = line_document("flow", {"id": "ask", "kind": "approval", "name": "Ask", "policy_ref": "board"})
    document["steps"].append({"id": "no", "kind": "end", "outcome": "rejected"})
    document["transitions"] = [
        arrow("start", "ask"),
        arrow("ask", "end", outcome="approved"),
        arrow("ask", "no", outcome="rejected"),
    ]
    return document


@pytest.fixture
def board() -> Workflow:
    """A published workflow that names the policy `board`, of which nothing is sent back."""
    make_person("maya", roles=["administrator"])
    ApprovalPolicyVersion.freeze("board", NEVER_BACK)
    return make_workflow(board_document())


# forms


def test_a_form_that_a_published_workflow_could_not_read_is_refused_with_workflow_place_and_reason():
    make_item("thing", workflow=make_workflow(choice_document(AMOUNT)))
    assert refused_form(WITHOUT_AMOUNT) == {
        "workflows/fails/transitions/1": [
            "Transition 1 (which → a): There is no request.data.amount. request.data has reason. (item thing)"
        ]
    }
    assert refused_form(AS_TEXT) == {
        "workflows/fails/transitions/1": [
            "Transition 1 (which → a): request.data.amount is a string and 1000.0 is a double: > does not take them."
            " (item thing)"
        ]
    }


def test_a_form_that_fits_is_published_and_one_that_says_the_same_is_not_published_again():
    make_item("thing", workflow=make_workflow(choice_document(AMOUNT)))
    more = {"fields": [*FORM["fields"], {"name": "more", "type": "text"}]}
    assert (publish_form("thing", more, created_by="user:1").n, publish_form("thing", more).n) == (2, 2)
    assert publish_form("new", AS_TEXT).n == 1


def test_a_broken_form_is_refused_before_any_workflow_is_asked():
    with refusal(BrokenDocument) as refused:
        publish_form("thing", {"fields": [{"name": "X"}]})
    assert list(refused.value.errors) == ["fields/0"]  # type: ignore[attr-defined]
    assert count() == [0, 0, 0]


@pytest.mark.parametrize("out_of_use", ["inactive item", "retired version", "newer version"])
def test_what_no_new_request_can_run_on_does_not_stand_in_the_way(out_of_use):
    workflow = make_workflow(choice_document(AMOUNT))
    make_item("thing", workflow=workflow, active=out_of_use != "inactive item")
    if out_of_use == "retired version":
        retire_version(workflow.versions.get(), actor=None)
    if out_of_use == "newer version":
        publish_document(workflow, choice_document("has(request.data.reason)"))
    assert publish_form("thing", WITHOUT_AMOUNT).n == 2


def test_what_was_wrong_before_is_no_reason_to_refuse():
    make_item("thing", workflow=make_workflow(choice_document("request.data.size > 1")))
    assert publish_form("thing", WITHOUT_AMOUNT).n == 2


def test_the_rules_of_the_item_must_fit_its_next_form():
    workflow = make_workflow(line_document("flow"))
    make_item("thing", rules=[{"name": "big", "guard": AMOUNT, "workflow": workflow}])
    assert refused_form(WITHOUT_AMOUNT) == {
        "items/thing/rules/big": ["Rule 'big': There is no request.data.amount. request.data has reason. (item thing)"]
    }


def test_the_form_of_a_task_must_not_write_a_field_of_the_item_otherwise():
    publish_form("more", {"fields": [{"name": "size", "type": "number"}]})
    document = line_document("flow", {**task("fill"), "form": "more"})
    make_item("thing", workflow=make_workflow(document))
    told = refused_form({"fields": [{"name": "amount", "type": "text"}]}, key="more")
    assert list(told) == ["workflows/flow/fill"]
    assert (
        "the form 'more' writes 'amount' as a string, but in 'thing' it is a double" in told["workflows/flow/fill"][0]
    )


def test_a_child_that_reads_the_form_of_its_callers_item_is_named():
    make_workflow(choice_document(AMOUNT, "child"))
    caller = line_document("caller", {"id": "sub", "kind": "subflow", "workflow": "child"})
    make_item("thing", workflow=publish(caller))
    assert list(refused_form(WITHOUT_AMOUNT)) == ["workflows/child/transitions/1"]


# approval policies


def test_a_policy_by_which_a_step_gets_an_outcome_without_arrow_is_refused(board):
    assert refused_policy(MAY_GO_BACK) == {"workflows/flow/ask": ["Step 'ask': no arrow for the outcome 'returned'."]}


def test_a_policy_that_takes_away_an_outcome_with_an_arrow_is_refused():
    make_person("maya", roles=["administrator"])
    ApprovalPolicyVersion.freeze("board", MAY_GO_BACK)
    document = board_document()
    document["transitions"].append(arrow("ask", "ask", outcome="returned"))
    make_workflow(document)
    assert refused_policy(NEVER_BACK) == {
        "workflows/flow/transitions/3": [
            "Transition 3 (ask → ask): step 'ask' has no outcome 'returned', only approved, rejected."
        ]
    }


def test_a_policy_that_nobody_can_answer_is_refused(board):
    level = {**MANAGER_LEVEL, "approvers": [{"role": "nobody"}]}
    told = refused_policy({"levels": [level], "return": "never"})
    assert told == {"workflows/flow/ask": ["Step 'ask': level 'manager' names nobody active."]}


def test_a_guard_of_a_policy_must_fit_the_forms_of_the_items(board):
    make_item("thing", workflow=board)
    level = {**MANAGER_LEVEL, "when": "request.data.amonut > 1000.0"}
    told = refused_policy({**NEVER_BACK, "levels": [level]})
    assert told == {
        "workflows/flow/ask": [
            "Step 'ask', policy 'board', levels/0/when: There is no request.data.amonut. Did you mean"
            " request.data.amount? (item thing)"
        ]
    }
    assert publish_policy("board", {**NEVER_BACK, "levels": [{**MANAGER_LEVEL, "when": AMOUNT}]}).n == 2
    assert list(refused_form(WITHOUT_AMOUNT)) == ["workflows/flow/ask"]


def test_a_guard_of_a_policy_that_fits_no_request_is_refused_even_if_no_workflow_names_it():
    with refusal(BrokenDocument) as refused:
        publish_policy("board", {**NEVER_BACK, "levels": [{**MANAGER_LEVEL, "when": "request.numbr == 'x'"}]})
    assert refused.value.errors == {  # type: ignore[attr-defined]
        "levels/0/when": ["levels/0/when: There is no request.numbr. Did you mean request.number?"]
    }
    assert count() == [0, 0, 0]


def test_a_policy_that_fits_is_published(board):
    other = {**NEVER_BACK, "levels": [{**MANAGER_LEVEL, "name": "Boss"}]}
    assert publish_policy("board", other).n == 2


# calendars


def test_a_calendar_is_frozen_without_asking_any_workflow():
    week = {day: ["09:00-17:00"] for day in ("mon", "tue")}
    calendar = BusinessCalendar.objects.create(key="office", name="Office", time_zone="UTC", week=week)
    freeze_calendar(calendar)
    document = line_document(
        "flow", {"id": "rest", "kind": "wait", "for": {"business_seconds": 60, "calendar": "office"}}
    )
    make_workflow(document)
    calendar.week = {"sun": ["10:00-11:00"]}
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert freeze_calendar(calendar).n == 2
    assert [query for query in seen.captured_queries if "workflows_" in query["sql"]] == []


# rules


def test_a_rule_sees_the_request_and_no_step():
    make_item("thing", workflow=make_workflow(line_document("flow")))
    rule = SelectionRule.objects.get()
    told = []
    for guard in (
        "request.data.amuont > 1.0",
        "request.data.reason > 3",
        "visit.id > 1",
        "request.title",
        "item == 1",
        "(",
    ):
        rule.guard = guard
        told.append([problem.code for problem in rule_guard_problems(rule, Forms())])
    assert told == [
        ["unknown_field"],
        ["guard_type"],
        ["unknown_field"],
        ["guard_type"],
        ["unknown_field"],
        ["expression"],
    ]


def test_an_item_with_a_rule_that_does_not_fit_its_form_is_not_made():
    make_workflow(line_document("flow"))
    rules = [{"name": "big", "guard": "request.data.amonut > 1000.0", "workflow": "flow"}]
    with refusal(InvalidInput) as refused:
        ensure_item({"slug": "thing", "name": "Thing", "form": FORM, "rules": rules})
    assert refused.value.errors == {  # type: ignore[attr-defined]
        "item/rules/0/guard": [
            "Rule 'big': There is no request.data.amonut. Did you mean request.data.amount? (item thing)"
        ]
    }
    assert (CatalogItem.objects.count(), FormVersion.objects.count()) == (0, 0)


def test_an_item_whose_form_the_workflow_cannot_read_is_not_made():
    make_workflow(choice_document("request.data.size > 1"))
    with refusal(InvalidInput) as refused:
        ensure_item({"slug": "thing", "name": "Thing", "form": FORM, "rules": [{"name": "all", "workflow": "fails"}]})
    assert list(refused.value.errors) == ["item/rules/0/guard"]  # type: ignore[attr-defined]
    assert "in the workflow 'fails': Transition 1 (which → a): There is no request.data.size." in str(refused.value)
    assert CatalogItem.objects.count() == 0


# the admin


def test_the_admin_shows_beside_the_document_what_a_form_would_break():
    make_item("thing", workflow=make_workflow(choice_document(AMOUNT)))
    client, _ = admin_client()
    url = address(FormVersion, "add")
    answer = client.post(url, filled_in(client.get(url), key="thing", document=json.dumps(WITHOUT_AMOUNT)))
    assert errors_of(answer) == {
        "document": [
            "workflows/fails/transitions/1: Transition 1 (which → a): There is no request.data.amount. request.data has"
            " reason. (item thing)"
        ]
    }
    assert FormVersion.objects.count() == 1
    assert client.post(url, filled_in(client.get(url), key="thing", document=json.dumps(FORM))).status_code == 302


def test_the_admin_shows_beside_the_document_what_a_policy_would_break(board):
    client, _ = admin_client()
    url = address(ApprovalPolicyVersion, "add")
    answer = client.post(url, {"key": "board", "document": json.dumps(MAY_GO_BACK)})
    assert errors_of(answer) == {"document": ["workflows/flow/ask: Step 'ask': no arrow for the outcome 'returned'."]}
    assert ApprovalPolicyVersion.objects.count() == 1


def test_the_admin_shows_beside_a_rules_guard_what_does_not_fit():
    item = make_item("thing", workflow=make_workflow(line_document("flow")))
    client, _ = admin_client()
    url = address(CatalogItem, "change", item.pk)
    answer = client.post(url, filled_in(client.get(url), **{"rules-0-guard": "request.data.amonut > 1000.0"}))
    inline, _ = answer.context["inline_admin_formsets"]
    assert inline.formset.errors == [
        {"guard": ["Rule 'always': There is no request.data.amonut. Did you mean request.data.amount? (item thing)"]}
    ]
    assert SelectionRule.objects.get().guard == ""


def test_the_admin_asks_the_rules_again_when_the_item_takes_another_form():
    item = make_item(
        "thing", rules=[{"name": "big", "guard": AMOUNT, "workflow": make_workflow(line_document("flow"))}]
    )
    FormVersion.freeze("other", WITHOUT_AMOUNT)
    client, _ = admin_client()
    url = address(CatalogItem, "change", item.pk)
    answer = client.post(url, filled_in(client.get(url), form_key="other"))
    inline, _ = answer.context["inline_admin_formsets"]
    assert list(inline.formset.errors[0]) == ["guard"]
    assert CatalogItem.objects.get().form_key == "thing"


# at the same time


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_a_workflow_and_a_form_that_do_not_fit_each_other_only_the_first_is_published():
    make_team("it", make_person("maya", roles=["administrator"]))
    workflow = make_workflow(line_document("fails"))
    make_item("thing", workflow=workflow)
    save_draft(workflow, document=choice_document(AMOUNT), actor=None)
    refusals: list[type] = []
    held, go_on = threading.Event(), threading.Event()

    def reissue() -> None:
        assert held.wait(PATIENCE_S)
        go_on.set()
        try:
            publish_form("thing", WITHOUT_AMOUNT)
        except WouldBreak as error:
            refusals.append(type(error))

    other = beside(reissue)
    with transaction.atomic():
        publish_workflow(workflow, actor=None)
        held.set()
        assert go_on.wait(PATIENCE_S)
        other.join(0.3)
        assert other.is_alive()
    other.join(PATIENCE_S)
    assert (refusals, FormVersion.objects.count()) == ([WouldBreak], 1)
