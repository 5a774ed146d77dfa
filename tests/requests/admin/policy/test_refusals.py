"""A problem stands beside the field that it is about."""

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.approvals.models import ApprovalPolicyVersion
from tests.requests.admin.policy.pages import (
    ADD,
    NAMED,
    begin,
    make_flow,
    policy_form,
    press,
    problems_in,
    sent_by,
    versions,
)

REFUSED = [
    ({"levels-0-id": "Not An Id"}, "levels-0-id", "must be a short name"),
    ({"levels-0-approvers-0-value": "nobody"}, "levels-0-approvers-0-value", "must be one of requester"),
    ({"levels-1-rule_number": "two"}, "levels-1-rule_number", "must be a whole number from 1 to 200"),
    ({"levels-1-deadline_hours": "soon"}, "levels-1-deadline_hours", "such as 16, 1.5 or 0:30"),
    ({"levels-1-deadline_remind_at": "50, 50"}, "levels-1-deadline_remind_at", "50 is there twice"),
    ({"levels-1-deadline_then": "return"}, "levels-1-deadline_then", "contradicts"),
    ({"levels-1-to-0-kind": ""}, "levels-1-to-0-kind", "Choose what the value names."),
    ({"levels-1-approvers-0-value": "{"}, "levels-1-approvers-0-value", "Line 1, column 2"),
    ({"levels-1-expert": '{"colour": 1}'}, "levels-1-expert", "is an unknown key"),
    ({"levels-1-expert": '{"name": "Twice"}'}, "levels-1-expert", "stands here and in the fields"),
    ({"levels-1-when": "request.numbr == 'x'"}, "levels-1-when", "There is no request.numbr"),
    ({"levels-0-chair-kind": "person"}, "levels-0-chair-value", "must be text"),
    ({"return": "sometimes"}, "return", "must be one of restart, resume, never"),
    ({"earlier_answers": "count", "separation": "distinct_levels"}, "earlier_answers", "contradicts"),
    ({"fallback-0-value": ""}, "fallback-0-value", "must be text"),
]


@pytest.mark.parametrize(("entered_by_hand", "field", "words"), REFUSED)
def test_a_problem_stands_beside_its_field_and_what_was_entered_stays(
    client: Client, people: dict[str, User], entered_by_hand: dict[str, str], field: str, words: str
) -> None:
    answer = press(client, begin(client), "look", **entered_by_hand)
    assert list(answer.context["errors"]) == [field]
    assert words in " ".join(answer.context["errors"][field])
    assert len(problems_in(answer)) == len(answer.context["errors"][field])
    kept = sent_by(policy_form(answer))
    for name, value in entered_by_hand.items():
        if name != "return":
            assert kept[name] == value
    assert versions() == [("board", 1)]


def test_what_a_published_workflow_could_not_use_is_said_at_its_level(client: Client, people: dict[str, User]) -> None:
    make_flow()
    answer = press(client, begin(client, NAMED), "look", **{"levels-0-when": "request.data.amonut > 1.0"})
    assert list(answer.context["errors"]) == ["levels-0-when"]
    assert "workflows/flow/ask: Step 'ask', policy 'board', levels/0/when" in problems_in(answer)[0]
    answer = press(client, begin(client, NAMED), "look", **{"levels-0-approvers-0-value": "gone"})
    assert list(answer.context["errors"]) == ["levels-0-approvers"]
    assert versions() == [("board", 1)]


def test_what_may_be_left_empty_is_filled_in(client: Client) -> None:
    changes = {"levels-0-name": "Head of IT", "levels-0-id": "", "levels-0-approvers-0-value": ""}
    press(client, press(client, client.get(ADD), "look", key="board", **changes), "publish")
    (level,) = ApprovalPolicyVersion.objects.get().document["levels"]
    assert (level["id"], level["approvers"]) == ("head-of-it", [{"manager_of": "requester"}])


def test_a_key_that_is_none_is_refused_beside_it(client: Client) -> None:
    answer = press(client, client.get(ADD), "look", key="not a key")
    assert list(answer.context["errors"]) == ["key"]
    assert sent_by(policy_form(answer))["key"] == "not a key"
