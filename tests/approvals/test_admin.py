import json
from typing import Any

import pytest
from django.test import Client

from apps.approvals.models import Approval, ApprovalPolicyVersion
from apps.requests.services.decisions import record_decision
from tests.core.admin_pages import address, admin_client, errors_of
from tests.factories import FALLBACK, MANAGER_LEVEL, make_item, make_person, make_request, make_team

pytestmark = pytest.mark.django_db
POLICY = {"levels": [MANAGER_LEVEL], "fallback": FALLBACK}


@pytest.fixture
def client() -> Client:
    return admin_client()[0]


def add(client: Client, document: Any, key: str = "board") -> Any:
    return client.post(address(ApprovalPolicyVersion, "add"), {"key": key, "document": json.dumps(document)})


def test_a_policy_is_added_as_the_next_version(client: Client) -> None:
    assert add(client, POLICY).status_code == 302
    assert add(client, {"levels": [MANAGER_LEVEL]}).status_code == 302
    assert list(ApprovalPolicyVersion.objects.order_by("n").values_list("key", "n")) == [("board", 1), ("board", 2)]
    assert ApprovalPolicyVersion.objects.get(n=1).document == POLICY


def test_the_same_document_again_is_no_new_version(client: Client) -> None:
    add(client, POLICY)
    assert add(client, POLICY).status_code == 302
    assert ApprovalPolicyVersion.objects.count() == 1


@pytest.mark.parametrize("document", [[], {}, {"levels": []}, {"levels": [{**MANAGER_LEVEL, "colour": "red"}]}, "text"])
def test_a_policy_with_problems_is_refused_beside_the_document(client: Client, document: Any) -> None:
    answer = add(client, document)
    assert list(errors_of(answer)) == ["document"]
    assert not ApprovalPolicyVersion.objects.exists()


def test_a_new_version_begins_with_the_one_it_is_made_from(client: Client) -> None:
    add(client, POLICY)
    version = ApprovalPolicyVersion.objects.get()
    button = client.get(f"{address(ApprovalPolicyVersion, 'change', version.pk).removesuffix('change/')}new-version/")
    page = client.get(f"{button['Location']}&as=json")
    assert (page.context["key"], json.loads(page.context["text"])) == ("board", POLICY)


def test_an_approval_shows_who_was_asked_why_and_what_they_said(client: Client) -> None:
    boss = make_person("boss")
    ann = make_person("ann", manager=boss)
    make_team("it", boss)
    make_request(make_item(), ann)
    approval = Approval.objects.get()
    page = address(Approval, "change", approval.pk)
    assert "none yet" in client.get(page).content.decode()
    record_decision(approval, verdict="approve", actor=boss)
    text = client.get(page).content.decode()
    assert "<td>Line manager</td>" in text
    assert "up: 1, manager of: requester" in text
    assert "<td>approved</td>" in text
