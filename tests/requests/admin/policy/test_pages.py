"""A new version of a policy: entered as fields or as JSON, published once; who may."""

import json

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from apps.accounts.models import User
from apps.approvals.models import ApprovalPolicyVersion
from tests.core.admin_pages import address, said
from tests.factories import MANAGER_LEVEL, make_person, make_request
from tests.requests.admin.policy.pages import (
    ADD,
    DOCUMENT,
    NAMED,
    begin,
    make_flow,
    policy_form,
    press,
    sent_by,
    text_of,
    versions,
)


def test_a_new_policy_begins_with_one_level_that_can_be_published_as_it_is(client: Client) -> None:
    page = client.get(ADD)
    answer = press(client, press(client, page, "look", key="board"), "publish")
    assert versions() == [("board", 1)]
    version = ApprovalPolicyVersion.objects.get()
    assert version.document == {
        "separation": ["not_requester"],
        "levels": [
            {"id": "manager", "name": "Manager", "approvers": [{"manager_of": "requester"}], "rule": {"kind": "any"}}
        ],
    }
    assert version.created_by == f"user:{User.objects.get(username='ada').pk}"
    assert answer["Location"] == address(ApprovalPolicyVersion, "change", version.pk)


def test_publishing_through_the_fields_makes_one_version_with_what_was_entered(
    client: Client, people: dict[str, User]
) -> None:
    page = begin(client)
    looked = press(
        client,
        page,
        "look",
        **{"levels-1-rule_kind": "all", "levels-0-approvers-1-kind": "person", "levels-0-approvers-1-value": "dan"},
    )
    assert versions() == [("board", 1)]
    press(client, looked, "publish")
    assert versions() == [("board", 1), ("board", 2)]
    first, second = DOCUMENT["levels"]
    assert ApprovalPolicyVersion.objects.get(n=2).document == {
        **DOCUMENT,
        "levels": [
            {**first, "approvers": [*first["approvers"], {"person": "dan"}]},
            {**second, "rule": {"kind": "all"}},
        ],
    }


def test_publishing_twice_makes_one_version(client: Client, people: dict[str, User]) -> None:
    looked = press(client, begin(client), "look", **{"levels-0-comment": "on_any"})
    press(client, looked, "publish")
    again = press(client, looked, "publish")
    assert versions() == [("board", 1), ("board", 2)]
    assert said(client.get(again["Location"]))[-1] == "board v2 says the same already: nothing was published."


def test_what_somebody_else_published_meanwhile_is_not_written_over(client: Client, people: dict[str, User]) -> None:
    looked = press(client, begin(client), "look", **{"levels-0-comment": "on_any"})
    ApprovalPolicyVersion.freeze("board", {**DOCUMENT, "earlier_answers": "count"})
    answer = press(client, looked, "publish")
    assert said(answer)[-1].startswith("Nothing was published. There is board v2 already")
    assert 'value="publish"' not in policy_form(answer)
    assert versions() == [("board", 1), ("board", 2)]
    assert json.loads(sent_by(policy_form(answer))["document"])["levels"][0]["comment"] == "on_any"


def test_the_button_of_an_older_version_begins_with_the_newest(client: Client) -> None:
    old = ApprovalPolicyVersion.freeze("board", {"levels": [MANAGER_LEVEL]})
    newest = ApprovalPolicyVersion.freeze("board", DOCUMENT)
    change = address(ApprovalPolicyVersion, "change", old.pk)
    assert client.get(f"{change.removesuffix('change/')}new-version/")["Location"] == f"{ADD}?base={newest.pk}"


def test_a_new_policy_with_a_key_that_is_taken_is_sent_to_the_one_that_is_there(client: Client) -> None:
    begin(client)
    looked = press(client, client.get(ADD), "look", key="board")
    assert "There is board v1 already, with which this did not begin" in text_of(looked)
    press(client, looked, "publish")
    assert versions() == [("board", 1)]


def test_levels_are_added_moved_and_removed_by_plain_buttons(client: Client) -> None:
    page = press(client, begin(client), "add:levels")
    assert sent_by(policy_form(page))["levels-count"] == "3"
    page = press(client, page, "up:levels-1", **{"levels-2-id": "third"})
    assert [sent_by(policy_form(page))[f"levels-{k}-id"] for k in range(3)] == ["money", "manager", "third"]
    page = press(client, page, "remove:levels-0")
    assert [sent_by(policy_form(page))[f"levels-{k}-id"] for k in range(2)] == ["manager", "third"]
    assert versions() == [("board", 1)]


@pytest.mark.parametrize(
    "button", ["remove:levels-99", "up:x", "add:levels-9-approvers", "down:", "remove:levels-0-x-1", "dance"]
)
def test_a_button_that_means_nothing_changes_nothing(client: Client, people: dict[str, User], button: str) -> None:
    page = begin(client)
    answer = press(client, page, button)
    assert answer.status_code == 200
    assert versions() == [("board", 1)]


def test_the_json_of_what_was_entered_leads_back_to_the_fields(client: Client) -> None:
    page = press(client, begin(client), "json", **{"levels-0-name": "Boss"})
    document = json.loads(sent_by(policy_form(page))["document"])
    assert document == {**DOCUMENT, "levels": [{**MANAGER_LEVEL, "name": "Boss"}, DOCUMENT["levels"][1]]}
    assert sent_by(policy_form(press(client, page, "fields")))["levels-0-name"] == "Boss"


@pytest.mark.parametrize(
    ("text", "problem"),
    [("{", "Line 1, column 2"), ("[]", "An approval policy is an object"), ('{"levels": []}', "levels: The policy")],
)
def test_json_that_is_refused_stays_as_it_was_typed(client: Client, text: str, problem: str) -> None:
    page = client.get(f"{ADD}?as=json")
    answer = press(client, page, "look", key="board", document=text)
    assert problem in text_of(answer)
    assert sent_by(policy_form(answer))["document"] == text
    assert versions() == []


def staff(*rights: str) -> Client:
    person = make_person("staff", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=rights, content_type__app_label="approvals"))
    client = Client()
    client.force_login(person)
    return client


def test_who_may_only_look_at_policies_neither_tries_nor_publishes(db: None) -> None:
    client = staff("view_approvalpolicyversion")
    for sent in ({"do": "look"}, {"do": "publish", "step": "look", "key": "board", "document": json.dumps(NAMED)}):
        assert client.post(ADD, sent).status_code == 403
    assert client.get(ADD).status_code == 403
    assert versions() == []


def test_who_may_add_policies_publishes_and_sees_no_request_of_others(people: dict[str, User]) -> None:
    make_request(make_flow(), people["ann"], title="Secret")
    client = staff("add_approvalpolicyversion", "view_approvalpolicyversion")
    page = client.get(f"{ADD}?base={ApprovalPolicyVersion.objects.get().pk}")
    looked = press(client, page, "look", **{"levels-0-comment": "on_any"})
    assert "Secret" not in looked.content.decode()
    press(client, looked, "publish")
    assert versions() == [("board", 1), ("board", 2)]
