"""Workflows as documents: who sees them, and how a draft becomes a version."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import User
from apps.outbox.models import Event
from apps.workflows.models import Workflow, WorkflowVersion
from apps.workflows.services.drafting import create_workflow, save_draft
from tests.api.conftest import API, Client
from tests.api.drawing import BROKEN, DRAFT, FIRST, SECOND, administrator, errors, everything, make_drawn, refused
from tests.factories import make_person
from tests.races import at_once


@pytest.fixture
def ada(db: None) -> Client:
    return administrator()


@pytest.fixture
def drawn(ada: Client) -> Workflow:
    return make_drawn()


# from the first line to a retired version


def test_a_workflow_is_begun_drawn_checked_published_compared_retired_and_exported(ada: Client) -> None:
    begun = ada.api("post", "/workflows/", {"key": "drawn", "name": "Drawn"})
    assert begun.json() == {"key": "drawn", "name": "Drawn", "newest": None, "has_draft": False}
    assert (begun.status_code, begun["Location"]) == (201, "http://testserver/api/v1/workflows/drawn/")

    saved = ada.api("put", DRAFT, {"document": FIRST})
    assert (saved.status_code, saved.json()["document"], saved.json()["created_by"]) == (201, FIRST, "ada")
    assert saved["ETag"] == f'"{saved.json()["hash"]}"'

    report = ada.api("post", f"{DRAFT}check/").json()
    assert report == {"publishable": True, "verified": True, "problems": []}

    published = ada.api("post", f"{DRAFT}publish/", {}, **{"If-Match": saved["ETag"]})
    assert (published.status_code, published.json()["n"], published.json()["status"]) == (200, 1, "published")
    assert (published.json()["document"], published.json()["hash"]) == (FIRST, saved.json()["hash"])
    assert refused(ada.api("get", DRAFT)) == (404, "not_found")

    assert ada.api("put", DRAFT, {"document": SECOND}).status_code == 201
    assert ada.api("get", "/workflows/drawn/diff/?a=1&b=draft").json() == {
        "a": "1",
        "b": "draft",
        "changes": [
            {
                "kind": "changed",
                "element": "step",
                "id": "work",
                "path": "name",
                "before": "Work",
                "after": "Work on it",
                "sentence": """Step 'work': 'name' was "Work", now it is "Work on it".""",
            }
        ],
    }

    retired = ada.api("post", "/workflows/drawn/versions/1/retire/")
    assert (retired.status_code, retired.json()["status"]) == (200, "retired")
    assert ada.api("get", "/workflows/drawn/versions/1/export/").json() == FIRST
    told = Event.objects.filter(stream=Workflow.objects.get().stream).order_by("seq").values_list("type", "actor")
    actor = f"user:{User.objects.get(username='ada').pk}"
    assert list(told) == [("workflow.published", actor), ("workflow.retired", actor)]


def test_workflows_are_listed_with_what_is_published_and_what_is_drawn(ada: Client, drawn: Workflow) -> None:
    create_workflow("blank", name="Blank")
    first = ada.api("get", "/workflows/?page_size=1").json()
    assert first["results"] == [{"key": "blank", "name": "Blank", "newest": None, "has_draft": False}]
    second = ada.api("get", first["next"].partition(API)[2]).json()
    assert second["results"] == [{"key": "drawn", "name": "Drawn", "newest": 1, "has_draft": True}]
    assert second["next"] is None
    assert ada.api("get", "/workflows/drawn/").json() == second["results"][0]


def test_a_retired_version_is_not_the_newest(ada: Client, drawn: Workflow) -> None:
    ada.api("post", f"{DRAFT}publish/")
    ada.api("post", "/workflows/drawn/versions/2/retire/")
    assert ada.api("get", "/workflows/drawn/").json()["newest"] == 1
    rows = ada.api("get", "/workflows/drawn/versions/").json()["results"]
    assert [(row["n"], row["status"]) for row in rows] == [(2, "retired"), (1, "published")]
    assert "document" not in rows[0]


def test_a_version_is_read_with_its_document(ada: Client, drawn: Workflow) -> None:
    version = drawn.versions.get(n=1)
    body = ada.api("get", "/workflows/drawn/versions/1/").json()
    assert (body["workflow"], body["n"], body["status"]) == ("drawn", 1, "published")
    assert (body["document"], body["hash"], body["created_by"]) == (FIRST, version.hash, None)


def test_the_diagram_is_exported_as_svg(ada: Client, drawn: Workflow) -> None:
    answer = ada.api("get", "/workflows/drawn/versions/1/export/?as=svg")
    assert (answer["Content-Type"], answer.content[:4]) == ("image/svg+xml", b"<svg")
    assert answer["Content-Disposition"] == 'attachment; filename="drawn-v1.svg"'
    assert b'<title id="diagram-title">Drawn</title>' in answer.content


def test_what_was_exported_is_imported_elsewhere(ada: Client) -> None:
    answer = ada.api("post", "/workflows/import/", {"document": FIRST})
    assert (answer.status_code, answer.json()["document"], answer.json()["workflow"]) == (201, FIRST, "drawn")
    assert ada.api("get", "/workflows/").json()["results"] == [
        {"key": "drawn", "name": "Drawn", "newest": None, "has_draft": True}
    ]


def test_an_import_replaces_the_draft_it_names_and_leaves_versions_alone(ada: Client, drawn: Workflow) -> None:
    before = drawn.versions.get(n=1).hash
    tag = {"If-Match": ada.api("get", DRAFT)["ETag"]}
    answer = ada.api("post", "/workflows/import/", {"document": {**SECOND, "name": "Other"}}, **tag)
    assert (answer.status_code, answer.json()["document"]["name"], drawn.versions.count()) == (200, "Other", 2)
    assert (drawn.versions.get(n=1).hash, Workflow.objects.get().name) == (before, "Drawn")


@pytest.mark.parametrize(
    ("tag", "refusal"), [({}, (428, "precondition_required")), ({"If-Match": '"stale"'}, (412, "precondition_failed"))]
)
def test_an_import_writes_over_no_draft_that_it_does_not_name(
    ada: Client, drawn: Workflow, tag: dict[str, str], refusal: tuple[int, str]
) -> None:
    before = everything()
    answer = ada.api("post", "/workflows/import/", {"document": {**SECOND, "name": "Other"}}, **tag)
    assert (refused(answer), everything()) == (refusal, before)


@pytest.mark.parametrize("there", ["no workflow", "a workflow without a draft"])
def test_an_import_makes_a_new_draft_only_if_no_other_is_named(ada: Client, there: str) -> None:
    if there != "no workflow":
        create_workflow("drawn", name="Drawn")
    answer = ada.api("post", "/workflows/import/", {"document": FIRST}, **{"If-Match": "*"})
    assert (refused(answer), WorkflowVersion.objects.count()) == ((412, "precondition_failed"), 0)
    assert ada.api("post", "/workflows/import/", {"document": FIRST}).status_code == 201


def test_a_repeat_of_publishing_under_its_key_publishes_once(ada: Client, drawn: Workflow) -> None:
    answers = [ada.api("post", f"{DRAFT}publish/", **{"Idempotency-Key": "once"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert (answers[0].json()["n"], drawn.versions.count()) == (2, 2)


@pytest.mark.parametrize("path", ["/workflows/", "/workflows/drawn/versions/"])
def test_a_list_costs_the_same_with_one_row_and_with_three(
    ada: Client, drawn: Workflow, path: str, django_assert_num_queries: Any
) -> None:
    count = 3 if path == "/workflows/" else 4
    with django_assert_num_queries(count):
        ada.api("get", path)
    for name in ("One", "Two"):
        tag = {"If-Match": "*"} if drawn.versions.filter(status="draft").exists() else {}
        ada.api("post", "/workflows/import/", {"document": {**FIRST, "name": name}}, **tag)
        ada.api("post", f"{DRAFT}publish/")
        create_workflow(name, name=name)
    with django_assert_num_queries(count):
        assert len(ada.api("get", path).json()["results"]) == 3


# the draft and its tag


def test_a_draft_is_replaced_by_who_names_it(ada: Client, drawn: Workflow) -> None:
    seen = ada.api("get", DRAFT)
    answer = ada.api("put", DRAFT, {"document": FIRST}, **{"If-Match": f'"other", {seen["ETag"]}'})
    assert (answer.status_code, answer.json()["document"]) == (200, FIRST)
    assert answer["ETag"] != seen["ETag"]


def test_any_draft_is_replaced_by_who_says_so(ada: Client, drawn: Workflow) -> None:
    assert ada.api("put", DRAFT, {"document": FIRST}, **{"If-Match": "*"}).status_code == 200


def test_a_draft_is_not_replaced_without_naming_it(ada: Client, drawn: Workflow) -> None:
    before = everything()
    answer = ada.api("put", DRAFT, {"document": FIRST})
    assert refused(answer) == (428, "precondition_required")
    assert everything() == before


@pytest.mark.parametrize("tag", ['"stale"', 'W/"{hash}"', '"{hash}x"'])
def test_a_draft_is_not_replaced_by_who_names_another(ada: Client, drawn: Workflow, tag: str) -> None:
    before = everything()
    tag = tag.replace("{hash}", drawn.versions.get(status="draft").hash)
    assert refused(ada.api("put", DRAFT, {"document": FIRST}, **{"If-Match": tag})) == (412, "precondition_failed")
    assert everything() == before


@pytest.mark.parametrize("tag", ['"gone"', "*"])
def test_a_draft_that_is_not_there_is_not_replaced(ada: Client, tag: str) -> None:
    create_workflow("drawn", name="Drawn")
    answer = ada.api("put", DRAFT, {"document": FIRST}, **{"If-Match": tag})
    assert (refused(answer), WorkflowVersion.objects.count()) == ((412, "precondition_failed"), 0)


@pytest.mark.parametrize("tag", ["", "naked", '"open', '"a" "b"'])
def test_a_tag_that_is_none_is_refused(ada: Client, drawn: Workflow, tag: str) -> None:
    answer = ada.api("put", DRAFT, {"document": FIRST}, **{"If-Match": tag})
    assert errors(answer) == {"If-Match": ['This must be an entity tag such as "7", in its quotation marks.']}


def test_what_is_published_is_the_draft_that_was_named(ada: Client, drawn: Workflow) -> None:
    before = everything()
    answer = ada.api("post", f"{DRAFT}publish/", {}, **{"If-Match": '"stale"'})
    assert (refused(answer), everything()) == ((412, "precondition_failed"), before)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("there_is_one", [True, False])
def test_of_two_people_who_save_at_once_one_is_told(there_is_one: bool, request: pytest.FixtureRequest) -> None:
    ada: Client = request.getfixturevalue("ada")
    workflow = create_workflow("drawn", name="Drawn")
    if there_is_one:
        save_draft(workflow, document=FIRST, actor=None)
    tag = {"If-Match": ada.api("get", DRAFT)["ETag"]} if there_is_one else {}
    answers: dict[str, int] = {}

    def save(name: str) -> None:
        answers[name] = ada.api("put", DRAFT, {"document": {**SECOND, "name": name}}, **tag).status_code

    assert at_once(lambda: save("One"), lambda: save("Two")) == []
    (winner,) = [name for name, status in answers.items() if status < 300]
    (loser,) = [status for name, status in answers.items() if name != winner]
    assert loser in ((412,) if there_is_one else (412, 428))
    assert WorkflowVersion.objects.get().document["name"] == winner


# the gate


def test_an_unfinished_document_is_kept_and_its_problems_are_told(ada: Client) -> None:
    create_workflow("drawn", name="Drawn")
    assert ada.api("put", DRAFT, {"document": BROKEN}).status_code == 201
    assert ada.api("post", f"{DRAFT}check/").json() == {
        "publishable": False,
        "verified": False,
        "problems": [
            {
                "code": "unknown_key",
                "severity": "error",
                "step": "work",
                "transition": None,
                "message": "Step 'work': unknown key 'colour'.",
                "path": "steps/1/colour",
            }
        ],
    }


def test_a_document_with_problems_is_not_published(ada: Client, drawn: Workflow) -> None:
    save_draft(drawn, document=BROKEN, actor=None)
    before = everything()
    answer = ada.api("post", f"{DRAFT}publish/")
    assert errors(answer) == {"work": ["Step 'work': unknown key 'colour'."]}
    assert (answer.json()["code"], everything()) == ("broken_document", before)


def test_without_a_draft_there_is_nothing_to_check_or_publish(ada: Client) -> None:
    create_workflow("drawn", name="Drawn")
    assert refused(ada.api("post", f"{DRAFT}check/")) == (404, "not_found")
    assert refused(ada.api("post", f"{DRAFT}publish/")) == (409, "conflict")


def test_a_version_is_retired_once(ada: Client, drawn: Workflow) -> None:
    ada.api("post", "/workflows/drawn/versions/1/retire/")
    before = everything()
    assert refused(ada.api("post", "/workflows/drawn/versions/1/retire/")) == (409, "conflict")
    assert everything() == before


# rights

READS = (
    "/workflows/",
    "/workflows/drawn/",
    "/workflows/drawn/versions/",
    "/workflows/drawn/versions/1/",
    "/workflows/drawn/versions/1/export/",
    "/workflows/drawn/draft/",
    "/workflows/drawn/diff/?a=1&b=draft",
)
WRITES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("post", "/workflows/", {"key": "new", "name": "New"}),
    ("put", "/workflows/drawn/draft/", {"document": FIRST}),
    ("post", "/workflows/drawn/draft/publish/", {}),
    ("post", "/workflows/drawn/versions/1/retire/", {}),
    ("post", "/workflows/import/", {"document": FIRST}),
)
CHECK = ("post", "/workflows/drawn/draft/check/", {})


@pytest.mark.parametrize("path", READS)
def test_an_auditor_reads(drawn: Workflow, path: str) -> None:
    auditor = Client().of(make_person("audrey", roles=["auditor"]))
    assert auditor.api("get", path).status_code == 200


def test_an_auditor_may_ask_what_is_wrong_with_a_draft(drawn: Workflow) -> None:
    auditor = Client().of(make_person("audrey", roles=["auditor"]))
    assert auditor.api(*CHECK).json()["publishable"] is True


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_an_auditor_changes_nothing(drawn: Workflow, method: str, path: str, body: dict[str, Any]) -> None:
    auditor, before = Client().of(make_person("audrey", roles=["auditor"])), everything()
    answer = auditor.api(method, path, body, **{"If-Match": "*"})
    assert refused(answer) == (403, "not_permitted")
    assert answer.json()["detail"] == "You may read workflows, but not change them."
    assert everything() == before


@pytest.mark.parametrize(("method", "path", "body"), [*(("get", path, None) for path in READS), *WRITES, CHECK])
def test_to_all_others_there_are_no_workflows(drawn: Workflow, method: str, path: str, body: Any) -> None:
    stan, before = Client().of(make_person("stan", roles=["finance"])), everything()
    assert refused(stan.api(method, path, body, **{"If-Match": "*"})) == (404, "not_found")
    assert everything() == before


@pytest.mark.parametrize("path", READS)
def test_nothing_is_shown_without_a_token(drawn: Workflow, path: str) -> None:
    assert refused(Client().api("get", path)) == (401, "not_authenticated")
