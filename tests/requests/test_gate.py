from __future__ import annotations

import json
from copy import deepcopy
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import time_machine

from apps.accounts.models import User
from apps.approvals.models import ApprovalPolicyVersion
from apps.core import clock
from apps.core.errors import BrokenDocument, Conflict, InvalidInput, TransitionNotAllowed
from apps.outbox.models import Event
from apps.requests.services.checking import run_checks, sign_waiver
from apps.requests.services.gate import check_draft, check_workflow, publish_workflow
from apps.workflows.engine.gate import MOST_MARKINGS_LIVE, GateResult
from apps.workflows.models import GateCheck, Workflow
from apps.workflows.services.drafting import create_workflow, save_draft
from tests.engine.documents import arrow, join, split, task
from tests.factories import approval_document, make_item, make_person, make_team, make_workflow, refusal

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def document() -> dict[str, Any]:
    make_team("it", make_person("worker", roles=["senior", "administrator"]))
    return deepcopy(approval_document("gated"))


def drafted(document: dict[str, Any], *, by: User | None = None) -> Workflow:
    workflow = create_workflow(document["workflow"], name="Gated")
    save_draft(workflow, document=document, actor=by)
    return workflow


def found(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Code and path of every problem."""
    return [(problem.code, problem.path) for problem in check_workflow(document).problems]


def step(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in document["steps"] if one["id"] == name)


# what goes through


def test_a_document_that_holds_is_published_with_its_result(document):
    result = check_workflow(document)
    assert (result.problems, result.verified, result.publishable) == ((), True, True)
    assert publish_workflow(drafted(document), actor=None).n == 1


def test_the_example_of_the_design_is_publishable_where_its_policy_exists():
    make_person("ada", roles=["administrator"])
    make_person("maya", roles=["director"])
    level = {"id": "board", "approvers": [{"role": "director"}], "rule": {"kind": "any"}}
    ApprovalPolicyVersion.freeze("board", {"levels": [level]})
    result = check_workflow(json.loads((ROOT / "tests/requests/example.json").read_text()))
    assert result.publishable
    assert [problem.code for problem in result.problems] == ["unknown_secret"]


# what it names


@pytest.mark.parametrize(
    ("name", "rule", "message"),
    [
        ("work", {"assign": {"team": "nobody"}}, "There is no team 'nobody'."),
        ("work", {"assign": {"role": "nobody"}}, "There is no role 'nobody'."),
        ("work", {"assign": {"person": "nobody"}}, "There is no active person 'nobody'."),
        ("work", {"form": "nothing"}, "There is no form 'nothing'."),
    ],
)
def test_what_does_not_exist_keeps_a_document_from_being_published(document, name, rule, message):
    step(document, name).update(rule)
    workflow = drafted(document)
    with refusal(BrokenDocument) as refused:
        publish_workflow(workflow, actor=None)
    assert refused.value.errors == {name: [f"Step {name!r}: {message}"]}
    assert workflow.versions.get().status == "draft"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"id": "x", "kind": "subflow", "workflow": "other"}, ("unknown_reference", "steps/6/workflow")),
        (
            {"id": "x", "kind": "wait", "for": {"business_seconds": 1, "calendar": "nl"}},
            ("unknown_reference", "steps/6/for"),
        ),
        (
            {"id": "x", "kind": "action", "action": "create_request", "with": {"item": "car"}},
            ("unknown_reference", "steps/6/with/item"),
        ),
        (
            {"id": "x", "kind": "action", "action": "notify", "with": {"to": [{"team": "no"}], "text": "Hi"}},
            ("unknown_reference", "steps/6/with/to/0"),
        ),
        (
            {"id": "x", "kind": "action", "action": "assign", "with": {"to": {"team": "no"}}},
            ("unknown_reference", "steps/6/with/to/0"),
        ),
        (
            {
                "id": "x",
                "kind": "task",
                "assign": {"team": "it"},
                "deadlines": [{"id": "late", "after": {"business_seconds": 1, "calendar": "nl"}, "interrupt": True}],
            },
            ("unknown_reference", "steps/6/deadlines/0/after"),
        ),
    ],
)
def test_each_reference_is_looked_up_and_its_place_is_named(document, more, problem):
    document["steps"].append(more)
    leaving = [arrow("x", "end", deadline="late")] if "deadlines" in more else []
    document["transitions"][4] = arrow("mend", "x")
    document["transitions"] += [arrow("x", "approve"), *leaving]
    assert problem in found(document)


def test_a_secret_may_be_entered_later(document):
    call = {"id": "x", "kind": "action", "action": "webhook", "with": {"url": "https://x", "secret": {"secret": "s"}}}
    document["steps"].append(call)
    document["transitions"][4] = arrow("mend", "x")
    document["transitions"].append(arrow("x", "approve"))
    result = check_workflow(document)
    assert result.publishable
    assert ("unknown_secret", "warning", "steps/6/with/secret") in [
        (one.code, one.severity.value, one.path) for one in result.problems
    ]


def test_an_approval_policy_that_could_not_be_asked_keeps_a_document_from_being_published(document):
    document["steps"][1]["policy"]["levels"] *= 2
    workflow = drafted(document)
    with refusal(BrokenDocument) as refused:
        publish_workflow(workflow, actor=None)
    assert list(refused.value.errors) == ["approve"]
    assert "“id” is there twice" in refused.value.errors["approve"][0]


# guards against the forms


def selected_by_an_item(document: dict[str, Any]) -> dict[str, Any]:
    make_item("thing", workflow=make_workflow(approval_document("gated")))
    return document


@pytest.mark.parametrize(
    ("guard", "code"),
    [
        ("request.data.amonut > 1000", "unknown_field"),
        ("request.data.amount", "guard_type"),
        ("request.data.reason > 3", "guard_type"),
        ("request.data.amount * 2 > 3", "guard_type"),
    ],
)
def test_a_guard_that_does_not_fit_the_form_of_the_item_is_named(document, guard, code):
    selected_by_an_item(document)
    document["steps"].append({"id": "which", "kind": "choice"})
    document["transitions"][1] = arrow("approve", "which", outcome="approved")
    document["transitions"] += [arrow("which", "end", when=guard), arrow("which", "work", otherwise=True)]
    assert found(document) == [(code, "transitions/7/when")]


# liveness


@pytest.mark.parametrize(
    ("policy", "publishable"),
    [
        ({"levels": [{"approvers": [{"role": "administrator"}]}]}, True),
        ({"levels": [{"approvers": [{"team": "empty"}]}]}, False),
        ({"levels": [{"approvers": [{"manager_of": "requester"}]}]}, False),
        ({"levels": [{"approvers": [{"manager_of": "requester"}]}], "fallback": [{"role": "administrator"}]}, True),
        ({"levels": [{"approvers": [{"manager_of": "requester"}]}], "fallback": [{"team": "empty"}]}, False),
    ],
)
def test_an_approval_that_nobody_can_answer_is_refused(document, policy, publishable):
    make_team("empty")
    for level in policy["levels"]:
        level |= {"id": "one", "rule": {"kind": "any"}}
    step(document, "approve")["policy"] = policy
    result = check_workflow(document)
    assert (result.publishable, [problem.code for problem in result.problems]) == (
        publishable,
        [] if publishable else ["nobody_can_answer"],
    )


# what is sent back


@pytest.mark.parametrize("target", ["work", "no", "approve"])
def test_what_is_sent_back_must_come_to_the_requester(document, target):
    back = next(index for index, one in enumerate(document["transitions"]) if one.get("outcome") == "returned")
    document["transitions"][back]["to"] = target
    document["transitions"][0] = arrow("start", "mend")
    problem = next(one for one in check_workflow(document).errors if one.code == "return_without_task")
    assert (problem.step, problem.transition, problem.path) == ("approve", back, f"transitions/{back}")
    assert problem.message == "Step 'approve': what is sent back does not come to a task of the requester."


def test_the_task_of_the_requester_need_not_be_the_next_step(document):
    back = next(index for index, one in enumerate(document["transitions"]) if one.get("outcome") == "returned")
    document["steps"].append({"id": "first", "kind": "task", "assign": {"team": "it"}})
    document["transitions"][back]["to"] = "first"
    document["transitions"].append(arrow("first", "mend"))
    assert found(document) == []


def test_where_nothing_is_sent_back_no_task_of_the_requester_is_needed(document):
    step(document, "approve")["policy"]["return"] = "never"
    document["steps"] = [one for one in document["steps"] if one["id"] != "mend"]
    document["transitions"] = [one for one in document["transitions"] if "mend" not in (one["from"], one["to"])]
    assert found(document) == []


# soundness


def test_a_workflow_that_can_get_stuck_is_refused_with_the_place(document):
    document["steps"] += [split("two"), join("both")]
    document["transitions"][0] = arrow("start", "two")
    document["transitions"] += [arrow("two", "approve"), arrow("two", "both"), arrow("both", "end")]
    document["transitions"][5] = arrow("work", "both", outcome="done")
    result = check_workflow(document)
    assert not result.publishable
    assert {problem.code for problem in result.errors} == {"stuck_join"}
    assert {problem.step for problem in result.errors} == {"both"}


def test_a_workflow_that_calls_itself_without_end_is_refused(document):
    document["steps"].append({"id": "again", "kind": "subflow", "workflow": "gated"})
    document["transitions"][0] = arrow("start", "again")
    document["transitions"].append(arrow("again", "approve"))
    result = check_workflow(document)
    assert [(problem.code, problem.step) for problem in result.errors] == [("endless_recursion", "again")]


# what takes long, and what cannot be seen whole


def crossed(branches: int = 6, steps: int = 4) -> dict[str, Any]:
    """Branches that cancel steps of each other: nothing of it can be seen alone."""
    names = [[f"b{branch}s{place}" for place in range(steps)] for branch in range(branches)]
    tasks = [
        task(name, **({"cancels": [names[(branch + 1) % branches][0]]} if place == 2 else {}))
        for branch, row in enumerate(names)
        for place, name in enumerate(row)
    ]
    arrows = [arrow("start", "fork"), arrow("all", "end")]
    for row in names:
        arrows += [arrow("fork", row[0]), *(arrow(a, b) for a, b in pairwise(row))]
        arrows.append(arrow(row[-1], "all"))
    return {
        "format": 1,
        "workflow": "crossed",
        "name": "Crossed",
        "steps": [
            {"id": "start", "kind": "start"},
            split("fork"),
            *tasks,
            join("all", of="active"),
            {"id": "end", "kind": "end", "outcome": "completed"},
        ],
        "transitions": arrows,
    }


def at_most(most: int):
    def check(document: Any, progress: Any) -> GateResult:
        return check_workflow(document, most=most, progress=progress)

    return check


def test_what_the_live_check_cannot_see_whole_is_asked_of_a_worker_and_needs_a_signature_if_that_cannot_either():
    drawer, signer, publisher = (make_person(name, roles=["administrator"]) for name in ("drawer", "signer", "other"))
    workflow = drafted(crossed(), by=drawer)
    draft = workflow.versions.get()
    assert not check_draft(workflow, draft.document).verified
    with refusal(Conflict, match="Not every way"):
        publish_workflow(workflow, actor=publisher)
    with refusal(TransitionNotAllowed):
        sign_waiver(workflow, hash=GateCheck.objects.get().hash, reason="Looked at it", actor=signer)
    assert run_checks(at_most(MOST_MARKINGS_LIVE + 1_000)) == 1
    check = GateCheck.objects.get()
    assert (check.status, check.verified, check.markings >= MOST_MARKINGS_LIVE) == ("done", False, True)
    with refusal(Conflict, match="cannot sign"):
        sign_waiver(workflow, hash=check.hash, reason="I drew it", actor=drawer)
    with refusal(InvalidInput):
        sign_waiver(workflow, hash=check.hash, reason=" ", actor=signer)
    sign_waiver(workflow, hash=check.hash, reason="Looked at it", actor=signer)
    with refusal(Conflict, match="Not every way"):
        publish_workflow(workflow, actor=signer)
    assert publish_workflow(workflow, actor=publisher).n == 1
    told = Event.objects.filter(stream=workflow.stream).order_by("seq").values_list("type", "actor")
    assert list(told) == [
        ("workflow.waived", f"user:{signer.pk}"),
        ("workflow.published", f"user:{publisher.pk}"),
    ]


def test_a_check_of_a_worker_that_died_is_made_by_the_next_one():
    workflow = drafted(crossed())
    check_draft(workflow, workflow.versions.get().document)

    def dies(document: Any, progress: Any) -> GateResult:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_checks(dies)
    assert run_checks(at_most(100)) == 0
    with time_machine.travel(clock.now() + timedelta(minutes=6)):
        assert run_checks(at_most(100)) == 1
