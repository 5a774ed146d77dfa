import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from apps.approvals.models import ApprovalPolicyVersion
from apps.core.errors import WouldBreak
from apps.outbox.models import Event
from apps.requests.models import CatalogItem, FormVersion, Request, SelectionRule, SlaRule
from apps.requests.services.reissuing import publish_form
from apps.workflows.models import ActionCall, Workflow, WorkflowVersion
from apps.workflows.services.drafting import create_workflow, save_draft
from tests.core.admin_pages import address, admin_client, errors_of, filled_in, said
from tests.factories import (
    FALLBACK,
    FORM,
    MANAGER_LEVEL,
    line_document,
    make_item,
    make_person,
    make_request,
    make_sla,
    make_team,
    make_workflow,
)

pytestmark = pytest.mark.django_db
CHECK, PUBLISH = "workflows_workflow_check_draft", "workflows_workflow_publish"
DATA = {"reason": "<b>Because</b>", "amount": {"amount": "5.00", "currency": "EUR"}}
BOARD = {"id": "board", "kind": "approval", "name": "Board", "policy_ref": "board"}


@pytest.fixture
def client() -> Client:
    return admin_client()[0]


@pytest.fixture
def workflow() -> Workflow:
    return create_workflow("simple", name="Simple")


def press(client: Client, workflow: Workflow, button: str, document: Any) -> Any:
    url = address(Workflow, "change", workflow.pk)
    text = document if isinstance(document, str) else json.dumps(document)
    return client.post(url, filled_in(client.get(url), document=text, **{button: "1"}), follow=True)


def versions(workflow: Workflow) -> list[tuple[int | None, str]]:
    return list(workflow.versions.order_by("pk").values_list("n", "status"))


def test_a_workflow_is_added_with_a_stream_and_leads_to_its_drawing(client: Client) -> None:
    sent = filled_in(client.get(address(Workflow, "add")), key="simple", name="Simple")
    answer = client.post(address(Workflow, "add"), sent)
    workflow = Workflow.objects.get()
    assert (workflow.key, workflow.name, workflow.stream.kind) == ("simple", "Simple", "workflow")
    assert answer["Location"] == address(Workflow, "change", workflow.pk)
    assert versions(workflow) == []


def test_what_a_new_workflow_begins_with_can_be_published_as_it_is(client: Client, workflow: Workflow) -> None:
    url = address(Workflow, "change", workflow.pk)
    answer = client.post(url, filled_in(client.get(url), **{PUBLISH: "1"}), follow=True)
    assert said(answer)[-1] == "Simple v1 is published: requests submitted from now on may run on it."
    assert versions(workflow) == [(1, "published")]


def test_saving_makes_a_draft_and_saving_again_changes_it(client: Client, workflow: Workflow) -> None:
    first, second = line_document("simple"), {**line_document("simple"), "name": "Other"}
    for document in (first, second):
        assert press(client, workflow, "_save", document).status_code == 200
    assert versions(workflow) == [(None, "draft")]
    assert workflow.versions.get().document == second


def test_looking_at_a_published_workflow_and_saving_makes_no_draft(client: Client) -> None:
    workflow = make_workflow(line_document("simple"))
    url = address(Workflow, "change", workflow.pk)
    client.post(url, filled_in(client.get(url), name="Renamed"))
    assert Workflow.objects.get().name == "Renamed"
    assert versions(workflow) == [(1, "published")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "Line 1, column 2: Expecting property name enclosed in double quotes."),
        ("[]", "This field is required."),
        ('"simple"', 'This must be an object with "workflow": "simple".'),
        ('{"workflow": "other"}', 'This must be an object with "workflow": "simple".'),
    ],
)
def test_a_text_that_is_not_this_workflows_document_is_not_kept(
    client: Client, workflow: Workflow, text: str, problem: str
) -> None:
    assert errors_of(press(client, workflow, PUBLISH, text)) == {"document": [problem]}
    assert versions(workflow) == []


def test_the_check_lists_the_problems_by_step_and_keeps_the_draft(client: Client, workflow: Workflow) -> None:
    document = line_document("simple", {"id": "work", "kind": "task", "name": "Work"})
    answer = press(client, workflow, CHECK, document)
    assert said(answer)[-1].endswith("problems, listed below.")
    assert "<td>work</td>" in answer.content.decode()
    assert versions(workflow) == [(None, "draft")]


def test_a_draft_without_problems_is_said_to_have_none(client: Client, workflow: Workflow) -> None:
    answer = press(client, workflow, CHECK, line_document("simple"))
    assert said(answer)[-1] == "The draft has no problems."
    assert "None: the draft can be published." in answer.content.decode()


def test_a_draft_with_problems_is_not_published_but_kept(client: Client, workflow: Workflow) -> None:
    document = line_document("simple", {"id": "work", "kind": "task", "name": "Work"})
    answer = press(client, workflow, PUBLISH, document)
    assert any(message.startswith("work: ") for message in said(answer))
    assert versions(workflow) == [(None, "draft")]
    assert not Event.objects.filter(type="workflow.published").exists()


def test_publishing_knows_the_approval_policies(client: Client, workflow: Workflow) -> None:
    document = line_document("simple", BOARD)
    document["steps"].append({"id": "no", "kind": "end", "outcome": "rejected"})
    document["transitions"] = [
        {"from": "start", "to": "board"},
        {"from": "board", "to": "end", "outcome": "approved"},
        {"from": "board", "to": "no", "outcome": "rejected"},
    ]
    make_person("ann", roles=["administrator"])
    ApprovalPolicyVersion.freeze("board", {"levels": [MANAGER_LEVEL], "fallback": FALLBACK, "return": "never"})
    press(client, workflow, PUBLISH, document)
    assert versions(workflow) == [(1, "published")]


def test_there_is_nothing_to_publish_without_a_draft(client: Client) -> None:
    workflow = make_workflow(line_document("simple"))
    url = address(Workflow, "change", workflow.pk)
    answer = client.post(url, filled_in(client.get(url), **{PUBLISH: "1"}), follow=True)
    assert said(answer)[-1] == "There is no draft to publish."
    assert versions(workflow) == [(1, "published")]


def test_a_workflow_that_is_not_there_is_not_published(client: Client) -> None:
    for missing in ("0", "x", "9" * 30):
        answer = client.post(address(Workflow, "change", missing), {PUBLISH: "1"}, follow=True)
        assert "doesn’t exist" in said(answer)[-1]


def test_who_may_only_look_neither_draws_nor_publishes(workflow: Workflow) -> None:
    client, person = admin_client(is_superuser=False)
    person.user_permissions.add(Permission.objects.get(codename="view_workflow"))
    save_draft(workflow, document=line_document("simple"), actor=None)
    url = address(Workflow, "change", workflow.pk)
    assert "&quot;from&quot;: &quot;start&quot;" in client.get(url).content.decode()
    assert client.post(url, {"name": "x", "document": "{}", PUBLISH: "1"}).status_code == 403
    assert versions(workflow) == [(None, "draft")]


@pytest.fixture
def item() -> CatalogItem:
    workflow = make_workflow(line_document("simple"))
    rules = [
        {"name": "above 1,000 euro", "guard": "request.data.amount > 1000.0", "workflow": workflow},
        {"name": "always", "guard": "", "workflow": workflow},
    ]
    return make_item("thing", rules=rules)


def change_item(client: Client, item: CatalogItem, **changes: Any) -> Any:
    url = address(CatalogItem, "change", item.pk)
    return client.post(url, filled_in(client.get(url), **changes))


def test_rules_change_places(client: Client, item: CatalogItem) -> None:
    assert change_item(client, item, **{"rules-0-order": 2, "rules-1-order": 1}).status_code == 302
    assert list(item.rules.values_list("order", "name")) == [(1, "always"), (2, "above 1,000 euro")]


def test_two_rules_in_the_same_place_are_refused(client: Client, item: CatalogItem) -> None:
    answer = change_item(client, item, **{"rules-0-order": 2})
    assert answer.status_code == 200
    assert list(item.rules.values_list("order", flat=True)) == [1, 2]


def test_a_guard_that_does_not_compile_is_refused_beside_it(client: Client, item: CatalogItem) -> None:
    answer = change_item(client, item, **{"rules-0-guard": "request.data.amount >"})
    inline, _ = answer.context["inline_admin_formsets"]
    assert list(inline.formset.errors[0]) == ["guard"]
    assert SelectionRule.objects.get(name="above 1,000 euro").guard == "request.data.amount > 1000.0"


def test_an_item_names_a_form_and_a_zone_that_exist(client: Client, item: CatalogItem) -> None:
    errors = errors_of(change_item(client, item, form_key="other", sla_key="gold", time_zone="Nowhere"))
    assert sorted(errors) == ["form_key", "sla_key", "time_zone"]
    assert CatalogItem.objects.get().form_key == "thing"


def test_an_item_says_what_it_still_lacks(client: Client, item: CatalogItem) -> None:
    url = address(CatalogItem, "change", item.pk)
    assert "Yes: a workflow is found for every request." in client.get(url).content.decode()
    item.rules.filter(guard="").delete()
    item.rules.update(workflow=create_workflow("drawn", name="Drawn"))
    text = client.get(url).content.decode()
    assert "The workflow Drawn of rule “above 1,000 euro” is not published." in text
    assert "No rule has an empty guard" in text


def test_a_form_with_problems_is_refused_by_its_field(client: Client) -> None:
    sent = {"key": "thing", "document": json.dumps({"fields": [{"name": "Reason", "type": "text"}]})}
    errors = errors_of(client.post(address(FormVersion, "add"), sent))
    assert list(errors) == ["document"]
    assert errors["document"][0].startswith("fields/0: ")
    assert client.post(address(FormVersion, "add"), sent | {"document": json.dumps(FORM)}).status_code == 302
    assert FormVersion.objects.get().document == FORM


def test_a_request_shows_its_form_and_links_to_what_belongs_to_it(client: Client, item: CatalogItem) -> None:
    make_team("it", make_person("bob"))
    request = make_request(item, make_person("ann"), data=DATA)
    text = client.get(address(Request, "change", request.pk)).content.decode()
    assert "<td>&lt;b&gt;Because&lt;/b&gt;</td>" in text
    events = f"{address(Event, 'changelist')}?stream__id__exact={request.pk}"
    assert f'href="{events}"' in text
    listed = client.get(events).context["cl"].result_list
    assert {event.stream_id for event in listed} == {request.pk}


def test_staff_see_the_requests_they_take_part_in_only(item: CatalogItem) -> None:
    client, person = admin_client(is_superuser=False)
    person.user_permissions.add(Permission.objects.get(codename="view_request"))
    own, other = make_request(item, person, data=DATA), make_request(item, make_person("ann"), data=DATA)
    assert list(client.get(address(Request, "changelist")).context["cl"].result_list) == [own]
    assert client.get(address(Request, "change", own.pk)).status_code == 200
    assert client.get(address(Request, "change", other.pk)).status_code == 302


def test_a_version_that_runs_is_shown_with_the_request(client: Client, item: CatalogItem) -> None:
    request = make_request(item, make_person("ann"), data=DATA)
    version = WorkflowVersion.objects.get(pk=request.pins["workflow"])
    assert client.get(address(WorkflowVersion, "change", version.pk)).status_code == 200


@pytest.mark.parametrize(
    ("roles", "takes_part", "sees"), [([], False, False), ([], True, True), (["auditor"], False, True)]
)
def test_what_a_webhook_sent_is_shown_to_those_who_may_see_the_request(roles, takes_part, sees) -> None:
    """All other staff see what the values are called, and what came of the call."""
    hook = {"id": "call", "kind": "action", "name": "Call", "action": "webhook"}
    hook["with"] = {"url": "https://pay.example.org/secret-path", "body": {"why": "request.data.reason"}}
    request = make_request(make_item("hook", workflow=make_workflow(line_document("hook", hook))), make_person("rosa"))
    client, person = admin_client(is_superuser=False, roles=roles)
    person.user_permissions.add(Permission.objects.get(codename="view_actioncall"))
    if takes_part:
        request.participants.create(principal=f"user:{person.pk}", relation="watcher", sort_key=request.pk)
    page = client.get(address(ActionCall, "change", ActionCall.objects.get().pk)).content.decode()
    assert ("I need it" in page, "secret-path" in page) == (sees, sees)
    assert ("why" in page, "to be carried out" in page.lower()) == (True, True)


# ------------------------------------------------------------------------------------ SLA rules of an item


@pytest.fixture
def measured(item: CatalogItem) -> CatalogItem:
    make_sla("gold")
    for order, name in enumerate(("dear", "rest"), 1):
        SlaRule.objects.create(item=item, order=order, name=name, guard="", policy_key="gold")
    return item


def sla_errors(answer: Any) -> list[dict[str, list[str]]]:
    _, inline = answer.context["inline_admin_formsets"]
    return [{field: list(said) for field, said in one.items()} for one in inline.formset.errors]


def test_sla_rules_change_places_and_the_others_stay(client: Client, measured: CatalogItem) -> None:
    sent = {"sla_rules-0-order": 2, "sla_rules-1-order": 1}
    assert change_item(client, measured, **sent).status_code == 302
    assert list(measured.sla_rules.values_list("order", "name")) == [(1, "rest"), (2, "dear")]
    assert list(measured.rules.values_list("order", flat=True)) == [1, 2]


def test_an_sla_rule_reads_what_the_form_has_and_names_a_policy_that_exists(
    client: Client, measured: CatalogItem
) -> None:
    answer = change_item(client, measured, **{"sla_rules-0-guard": "request.data.price > 1.0"})
    (first, second) = sla_errors(answer)
    assert first["guard"][0].startswith("Rule 'dear': There is no request.data.price.")
    assert second == {}
    answer = change_item(client, measured, **{"sla_rules-0-guard": "visit.id > 1"})
    assert sla_errors(answer)[0]["guard"] == ["Rule 'dear': There is no visit yet when a workflow is selected."]
    answer = change_item(client, measured, **{"sla_rules-1-policy_key": "silver"})
    assert sla_errors(answer)[1] == {
        "policy_key": ["Select a valid choice. silver is not one of the available choices."]
    }
    assert list(measured.sla_rules.values_list("guard", "policy_key")) == [("", "gold"), ("", "gold")]


def test_a_form_that_an_sla_rule_reads_keeps_what_it_reads(client: Client, measured: CatalogItem) -> None:
    SlaRule.objects.filter(name="dear").update(guard="has(request.data.needed_by)")
    SelectionRule.objects.filter(item=measured).update(guard="")
    with pytest.raises(WouldBreak) as refused:
        publish_form("thing", {"fields": [{"name": "reason", "type": "text"}]})
    assert list(refused.value.errors) == ["items/thing/rules/dear"]
    assert FormVersion.objects.count() == 1
