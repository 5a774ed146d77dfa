"""A draft is replaced only by those who have seen it."""

from __future__ import annotations

import pytest

from apps.core.errors import Conflict, PreconditionFailed
from apps.workflows.engine import gate
from apps.workflows.models import Workflow, WorkflowVersion
from apps.workflows.services.drafting import create_workflow, lock_draft, save_draft
from apps.workflows.services.publishing import publish_version
from tests.factories import line_document, refusal

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
FIRST = line_document("drawn")
SECOND = {**FIRST, "name": "Second"}


@pytest.fixture
def workflow() -> Workflow:
    return create_workflow("drawn", name="Drawn")


def document(workflow: Workflow) -> object:
    return workflow.versions.get(status="draft").document


def test_the_draft_that_was_seen_is_replaced_and_stays_one_row(workflow):
    seen = save_draft(workflow, document=FIRST, actor=None, expected=None)
    saved = save_draft(workflow, document=SECOND, actor=None, expected=seen.hash)
    assert (saved.pk, document(workflow), saved.hash == seen.hash) == (seen.pk, SECOND, False)


def test_another_draft_than_the_one_seen_is_not_replaced(workflow):
    seen = save_draft(workflow, document=FIRST, actor=None)
    save_draft(workflow, document=SECOND, actor=None)
    for expected in (seen.hash, None):
        with refusal(PreconditionFailed, match="Somebody has saved another draft"):
            save_draft(workflow, document=FIRST, actor=None, expected=expected)
    assert document(workflow) == SECOND


def test_a_draft_that_was_published_meanwhile_is_not_brought_back(workflow):
    seen = save_draft(workflow, document=FIRST, actor=None)
    publish_version(workflow, actor=None, result=gate.check(FIRST))
    with refusal(PreconditionFailed, match="somebody has published it"):
        save_draft(workflow, document=SECOND, actor=None, expected=seen.hash)
    assert WorkflowVersion.objects.get().document == FIRST


def test_whoever_expects_nothing_in_particular_saves_over_anything(workflow):
    save_draft(workflow, document=FIRST, actor=None)
    save_draft(workflow, document=SECOND, actor=None)
    assert document(workflow) == SECOND


def test_there_is_no_draft_to_lock_before_one_is_drawn(workflow):
    assert lock_draft(workflow, expected=None) is None


def test_a_key_is_taken_once(workflow):
    with refusal(Conflict, match="There is a workflow 'drawn' already"):
        create_workflow("drawn", name="Other")
    assert Workflow.objects.get().name == "Drawn"
