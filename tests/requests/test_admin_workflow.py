"""A workflow's page: what its draft changes, and two people who draw at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from apps.workflows.models import Workflow
from apps.workflows.services.drafting import create_workflow, save_draft
from tests.core.admin_pages import address, admin_client, errors_of, filled_in
from tests.factories import line_document, make_workflow

pytestmark = pytest.mark.django_db
FIRST = line_document("simple")
SECOND, THIRD = ({**FIRST, "name": name} for name in ("Second", "Third"))


@pytest.fixture
def client() -> Client:
    return admin_client()[0]


def page(client: Client, workflow: Workflow) -> Any:
    return client.get(address(Workflow, "change", workflow.pk))


def draft(workflow: Workflow) -> Any:
    return workflow.versions.get(status="draft").document


def test_the_page_says_what_the_draft_changes(client: Client) -> None:
    workflow = make_workflow(FIRST)
    save_draft(workflow, document=SECOND, actor=None)
    shown = page(client, workflow).content.decode()
    sentence = "The workflow: &#x27;name&#x27; was &quot;Simple&quot;, now it is &quot;Second&quot;."
    assert f"<td>workflow</td><td>{sentence}</td>" in shown


def test_a_long_comparison_is_cut(client: Client) -> None:
    workflow = make_workflow(FIRST)
    save_draft(workflow, document={**FIRST, "layout": {f"s{n}": [n, n] for n in range(130)}}, actor=None)
    shown = page(client, workflow).content.decode()
    assert (shown.count("<td>layout</td>"), "<td>and 30 more</td>" in shown) == (100, True)


def test_without_a_draft_or_a_version_there_is_nothing_to_compare(client: Client) -> None:
    for workflow in (make_workflow(FIRST), create_workflow("other", name="Other")):
        assert "There is nothing to compare" in page(client, workflow).content.decode()


def test_a_draft_that_somebody_else_saved_meanwhile_is_not_written_over(client: Client) -> None:
    workflow = make_workflow(FIRST)
    save_draft(workflow, document=FIRST, actor=None)
    sent = filled_in(page(client, workflow), document=json.dumps(THIRD))
    save_draft(workflow, document=SECOND, actor=None)

    answer = client.post(address(Workflow, "change", workflow.pk), sent)

    (message,) = errors_of(answer)["document"]
    assert message == "Somebody has saved another draft in the meantime. Read it again before you save yours."
    assert draft(workflow) == SECOND


def test_a_first_draft_that_somebody_else_drew_meanwhile_is_not_written_over(client: Client) -> None:
    workflow = create_workflow("simple", name="Simple")
    sent = filled_in(page(client, workflow), document=json.dumps(THIRD))
    save_draft(workflow, document=SECOND, actor=None)
    assert client.post(address(Workflow, "change", workflow.pk), sent).status_code == 200
    assert draft(workflow) == SECOND


def test_one_person_saves_again_and_again(client: Client) -> None:
    workflow = make_workflow(FIRST)
    for document in (SECOND, THIRD):
        sent = filled_in(page(client, workflow), document=json.dumps(document))
        assert client.post(address(Workflow, "change", workflow.pk), sent).status_code == 302
        assert draft(workflow) == document
