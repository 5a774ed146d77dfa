"""Whether somebody can decide each approval of a document, as things are now."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import Team, User
from apps.approvals.models import ApprovalPolicyVersion
from apps.requests.models import CatalogItem
from apps.requests.services.gate import check_workflow
from tests.factories import approval_document, make_item, make_person, make_team, make_workflow

pytestmark = pytest.mark.django_db

NOBODY, TOO_FEW = "nobody_can_answer", "too_few_approvers"
ANY, ALL = {"kind": "any"}, {"kind": "all"}
ADMIN, BOARD, SALES, GONE = {"role": "administrator"}, {"role": "board"}, {"team": "sales"}, {"role": "gone"}
MANAGER, FIELD, CEL = {"manager_of": "requester"}, {"field": "owner"}, {"cel": "request.data.owner"}
IN_FALLBACK = "in its fallback, which it needs because its approvers depend on the request"


@pytest.fixture(autouse=True)
def people():
    """One administrator, a board of two, a role and a team without anybody, a team with a lead."""
    make_person("ada", roles=["administrator"])
    make_team("it", make_person("ida", roles=["senior"]))
    make_person("bea", roles=["board"])
    make_person("bo", roles=["board"])
    make_person("past", roles=["gone"], is_active=False)
    make_team("sales")
    Team.objects.filter(key="it").update(lead=User.objects.get(username="ida"))


def level(*approvers: Any, rule: Any = ANY, **more: Any) -> Any:
    return {"id": "one", **({"approvers": list(approvers)} if approvers else {}), "rule": rule, **more}


def found(*levels: Any, **policy: Any) -> list[tuple[str, str, str]]:
    """Code, place in the level and words of each problem about people; the others are about names that are missing."""
    document = approval_document("gated")
    document["steps"][1]["policy"] = {"levels": list(levels), **policy}
    problems = [one for one in check_workflow(document).problems if one.code in (NOBODY, TOO_FEW)]
    assert {one.step for one in problems} <= {"approve"}
    return [
        (one.code, one.path.removeprefix("steps/1/policy/levels/0/"), one.message.removeprefix("Step 'approve': "))
        for one in problems
    ]


def quorum(n: int) -> Any:
    return {"kind": "quorum", "n": n}


def per_group(**groups: Any) -> Any:
    return {
        "kind": "per_group",
        "groups": [{"id": key, "n": n, "approvers": [who]} for key, (n, who) in groups.items()],
    }


@pytest.mark.parametrize(
    "approvers",
    [
        [ADMIN],
        [BOARD],
        [{"person": "bea"}],
        [{"team": "it"}],
        [{"manager_of_team": "it"}],
        [SALES, BOARD],
        [MANAGER, BOARD],
    ],
)
def test_somebody_named_outright_who_is_active_is_enough(approvers):
    assert found(level(*approvers)) == []
    assert found(level(*approvers, rule=ALL)) == []


@pytest.mark.parametrize("approver", [GONE, SALES, {"manager_of_team": "sales"}, {"person": "past"}])
def test_where_nobody_named_outright_is_active_a_fallback_does_not_help(approver):
    problem = (NOBODY, "approvers", "level 'one' names nobody active.")
    assert found(level(approver)) == [problem]
    assert found(level(approver), fallback=[ADMIN]) == [problem]


@pytest.mark.parametrize("approver", [MANAGER, FIELD, CEL])
def test_a_level_that_depends_on_the_request_needs_a_fallback_that_names_somebody(approver):
    problem = (NOBODY, "approvers", f"level 'one' names nobody active {IN_FALLBACK}.")
    assert found(level(approver)) == [problem]
    assert found(level(approver), fallback=[GONE]) == [problem]
    assert found(level(approver), fallback=[MANAGER]) == [problem]
    assert found(level(approver), fallback=[ADMIN]) == []


def test_the_owner_of_an_item_must_be_there():
    item = make_item("thing", workflow=make_workflow(approval_document("other")))
    assert found(level({"owner_of": "thing"})) == [(NOBODY, "approvers", "level 'one' names nobody active.")]
    CatalogItem.objects.filter(pk=item.pk).update(owner=User.objects.get(username="bea"))
    assert found(level({"owner_of": "thing"})) == []
    User.objects.filter(username="bea").update(is_active=False)
    assert found(level({"owner_of": "thing"})) == [(NOBODY, "approvers", "level 'one' names nobody active.")]


def test_every_row_of_a_matrix_must_name_somebody():
    def rows(first: Any, last: Any) -> Any:
        return {"matrix": [{"when": "request.priority == 'high'", "approvers": [first]}, {"otherwise": [last]}]}

    nobody = (NOBODY, "approvers", "level 'one' names nobody active.")
    assert found(level(rows(BOARD, ADMIN))) == []
    assert found(level(rows(BOARD, GONE))) == [nobody]
    assert found(level(rows(GONE, ADMIN))) == [nobody]
    assert found(level(rows(BOARD, FIELD))) == [
        (NOBODY, "approvers", f"level 'one' names nobody active {IN_FALLBACK}.")
    ]
    assert found(level(rows(BOARD, FIELD)), fallback=[ADMIN]) == []
    assert found(level(rows(GONE, GONE), BOARD)) == []


def test_a_quorum_must_be_seated_the_fallback_counted():
    short = (TOO_FEW, "approvers", "level 'one' needs 3 active people and has 2.")
    assert found(level(BOARD, rule=quorum(2))) == []
    assert found(level(BOARD, rule=quorum(3))) == [short]
    assert found(level(BOARD, rule=quorum(3)), fallback=[BOARD]) == [short]
    assert found(level(BOARD, rule=quorum(3)), fallback=[ADMIN]) == []
    assert found(level(BOARD, MANAGER, rule=quorum(3))) == []


def test_each_group_must_be_seated():
    assert found(level(rule=per_group(law=(1, BOARD), it=(1, {"team": "it"})))) == []
    assert found(level(rule=per_group(law=(2, BOARD), it=(2, {"team": "it"}), off=(1, SALES)))) == [
        (TOO_FEW, "rule/groups/1/approvers", "the group 'it' of level 'one' needs 2 active people and has 1."),
        (NOBODY, "rule/groups/2/approvers", "the group 'off' of level 'one' names nobody active."),
    ]
    assert found(level(rule=per_group(law=(1, BOARD), own=(1, FIELD)))) == [
        (NOBODY, "rule/groups/1/approvers", f"the group 'own' of level 'one' names nobody active {IN_FALLBACK}.")
    ]


def test_a_deadline_must_escalate_to_somebody_or_to_the_fallback():
    def late(to: Any) -> Any:
        return level(BOARD, deadline={"business_seconds": 60, "then": "escalate", "to": [to]})

    assert found(late(ADMIN)) == []
    assert found(late(GONE)) == [(NOBODY, "deadline/to", "the deadline of level 'one' names nobody active.")]
    assert found(late(GONE), fallback=[ADMIN]) == []
    assert found(late(MANAGER)) == [
        (NOBODY, "deadline/to", f"the deadline of level 'one' names nobody active {IN_FALLBACK}.")
    ]
    assert found(late(MANAGER), fallback=[ADMIN]) == []


def test_the_chair_must_be_there_or_the_fallback():
    assert found(level(BOARD, rule=ALL, chair=ADMIN)) == []
    assert found(level(BOARD, chair={"person": "past"})) == [
        (NOBODY, "chair", "the chair of level 'one' names nobody active.")
    ]
    assert found(level(BOARD, chair={"person": "past"}), fallback=[ADMIN]) == []


def test_where_the_requester_may_not_answer_it_takes_one_more():
    apart = {"separation": ["not_requester"]}
    assert found(level(BOARD), **apart) == []
    assert found(level(ADMIN), **apart) == [(NOBODY, "approvers", "level 'one' names fewer than two active people.")]
    assert found(level(ADMIN), **apart, fallback=[BOARD]) == []
    assert found(level(MANAGER), **apart, fallback=[ADMIN]) == [
        (NOBODY, "approvers", f"level 'one' names fewer than two active people {IN_FALLBACK}.")
    ]
    assert found(level(MANAGER), **apart, fallback=[BOARD]) == []
    assert found(level(BOARD, rule=quorum(2)), **apart) == [
        (TOO_FEW, "approvers", "level 'one' needs 3 active people and has 2.")
    ]
    assert found(level(BOARD, rule=quorum(2)), **apart, fallback=[ADMIN]) == []
    assert found(level(rule=per_group(law=(1, BOARD), off=(1, ADMIN))), **apart) == [
        (NOBODY, "rule/groups/1/approvers", "the group 'off' of level 'one' names fewer than two active people.")
    ]


def test_a_policy_that_is_named_is_looked_into_too():
    document = approval_document("gated")
    document["steps"][1] = {"id": "approve", "kind": "approval", "policy_ref": "board"}
    ApprovalPolicyVersion.freeze("board", {"levels": [level(BOARD, rule=quorum(3))]})
    assert [(one.code, one.step, one.path) for one in check_workflow(document).problems] == [
        (TOO_FEW, "approve", "steps/1/policy_ref")
    ]


def test_a_policy_that_is_broken_is_not_looked_into():
    assert found({"id": "one", "approvers": [{"person": ["x"]}], "rule": 3}) == []


def test_the_calendar_of_a_deadline_must_exist():
    document = approval_document("gated")
    late = {"business_seconds": 60, "then": "reject", "calendar": "moon"}
    document["steps"][1]["policy"]["levels"][0]["deadline"] = late
    problems = [(one.code, one.path, one.message) for one in check_workflow(document).problems]
    assert problems == [
        ("unknown_reference", "steps/1/policy/levels/0/deadline", "Step 'approve': There is no calendar 'moon'.")
    ]
