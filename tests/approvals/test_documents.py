"""Policies as values: every key of a document arrives, and what is left out has its default."""

from __future__ import annotations

from typing import Any

import pytest

from apps.approvals.documents import Deadline, Level, Policy, Rule, SignOff, parse_policy
from apps.approvals.policy_check import check_policy
from apps.core.errors import BrokenDocument

Json = dict[str, Any]
ANY = Rule(kind="any")

# The example of the design, word for word.
EXAMPLE: Json = {
    "levels": [
        {
            "id": "line",
            "name": "Line manager",
            "approvers": [{"manager_of": "requester", "up": 1}],
            "rule": {"kind": "any"},
        },
        {
            "id": "money",
            "name": "Budget",
            "when": "request.data.amount > 1000.0",
            "approvers": [
                {
                    "matrix": [
                        {"when": "request.data.amount > 10000.0", "approvers": [{"role": "director"}]},
                        {"otherwise": [{"field": "budget_owner"}]},
                    ]
                }
            ],
            "rule": {"kind": "quorum", "n": 2},
            "reject": {"kind": "any"},
            "deadline": {
                "business_seconds": 57600,
                "remind_at": [50, 80],
                "then": "escalate",
                "to": [{"role": "director"}],
            },
            "comment": "on_reject",
        },
    ],
    "separation": ["not_requester", "distinct_levels"],
    "separation_empties": "manager",
    "return": "restart",
    "fallback": [{"role": "administrator"}],
}


def level(**more: Any) -> Level:
    """The level of a document that says no more than it must, and this."""
    document = {"levels": [{"id": "one", "approvers": [{"role": "board"}], "rule": {"kind": "any"}, **more}]}
    return parse_policy(document).levels[0]


def test_the_example_of_the_design_is_read_whole() -> None:
    assert check_policy(EXAMPLE) == {}
    assert parse_policy(EXAMPLE) == Policy(
        levels=(
            Level(id="line", name="Line manager", approvers=({"manager_of": "requester", "up": 1},), rule=ANY),
            Level(
                id="money",
                name="Budget",
                when="request.data.amount > 1000.0",
                approvers=(EXAMPLE["levels"][1]["approvers"][0],),
                rule=Rule(kind="quorum", n=2),
                reject=ANY,
                deadline=Deadline(
                    business_seconds=57600, then="escalate", remind_at=(50, 80), to=({"role": "director"},)
                ),
                comment="on_reject",
            ),
        ),
        separation=("not_requester", "distinct_levels"),
        separation_empties="manager",
        returns="restart",
        fallback=({"role": "administrator"},),
    )


def test_what_a_policy_leaves_out_has_its_default() -> None:
    one = {"id": "one", "approvers": [{"team": "it"}], "rule": {"kind": "all"}}
    assert parse_policy({"levels": [one]}) == Policy(
        levels=(
            Level(
                id="one",
                name="one",
                approvers=({"team": "it"},),
                rule=Rule(kind="all"),
                reject=ANY,
                when=None,
                comment="never",
                deadline=None,
                chair=None,
                abstain=False,
                meaning=None,
            ),
        ),
        separation=(),
        separation_empties="skip",
        fallback=(),
        returns="restart",
        matters=(),
        earlier_answers="ask",
    )


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"kind": "any"}, Rule(kind="any")),
        ({"kind": "all"}, Rule(kind="all")),
        ({"kind": "majority"}, Rule(kind="majority")),
        ({"kind": "quorum", "n": 3}, Rule(kind="quorum", n=3)),
        ({"kind": "percent", "p": 66}, Rule(kind="percent", p=66)),
        ({"kind": "all_then_any"}, Rule(kind="all_then_any")),
        (
            {
                "kind": "per_group",
                "groups": [
                    {"id": "legal", "approvers": [{"team": "legal"}], "n": 2},
                    {"id": "finance", "approvers": [{"role": "finance"}, {"manager_of": "requested_for"}]},
                ],
            },
            Rule(
                kind="per_group",
                groups=(
                    SignOff(id="legal", n=2, approvers=({"team": "legal"},)),
                    SignOff(
                        id="finance", n=1, approvers=({"role": "finance"}, {"manager_of": "requested_for", "up": 1})
                    ),
                ),
            ),
        ),
    ],
)
def test_every_kind_of_rule_is_read(rule: Json, value: Rule) -> None:
    assert level(rule=rule).rule == value


def test_a_reject_rule_by_group_names_its_groups_without_people() -> None:
    groups = [{"id": "legal", "approvers": [{"team": "legal"}]}, {"id": "finance", "approvers": [{"team": "money"}]}]
    read = level(
        rule={"kind": "per_group", "groups": groups}, reject={"kind": "per_group", "groups": [{"id": "legal"}]}
    )
    assert read.reject == Rule(kind="per_group", groups=(SignOff(id="legal", n=1),))


@pytest.mark.parametrize(
    "approver",
    [
        {"person": "anna"},
        {"team": "it"},
        {"role": "board"},
        {"manager_of": "requester", "up": 5},
        {"manager_of": "requested_for", "up": 1},
        {"manager_of_team": "it"},
        {"field": "budget_owner"},
        {"owner_of": "laptop"},
        {"cel": "request.data.owner"},
        {"matrix": [{"otherwise": [{"role": "board"}]}]},
        {
            "matrix": [
                {"when": "true", "approvers": [{"team": "it"}, {"cel": "'anna'"}]},
                {"otherwise": [{"role": "b"}]},
            ]
        },
    ],
)
def test_every_kind_of_approver_is_read(approver: Json) -> None:
    assert level(approvers=[approver]).approvers == (approver,)


def test_a_manager_is_one_level_up_unless_it_says_more() -> None:
    assert level(approvers=[{"manager_of": "requester"}]).approvers == ({"manager_of": "requester", "up": 1},)


@pytest.mark.parametrize("then", ["approve", "reject", "return", "expire"])
def test_a_deadline_is_read_with_its_reminders_in_order(then: str) -> None:
    deadline = {"business_seconds": 3600, "then": then, "remind_at": [80, 50], "calendar": "office"}
    assert level(deadline=deadline).deadline == Deadline(
        business_seconds=3600, then=then, remind_at=(50, 80), to=(), calendar="office"
    )


def test_the_chair_abstentions_comment_and_meaning_are_read() -> None:
    read = level(chair={"person": "carol"}, abstain=True, comment="on_any", reauthenticate={"meaning": "I reviewed it"})
    assert (read.chair, read.abstain, read.comment, read.meaning) == (
        {"person": "carol"},
        True,
        "on_any",
        "I reviewed it",
    )


def test_a_chair_who_is_a_manager_is_one_level_up() -> None:
    assert level(chair={"manager_of": "requester"}).chair == {"manager_of": "requester", "up": 1}


@pytest.mark.parametrize(
    ("more", "field", "value"),
    [
        ({"return": "never"}, "returns", "never"),
        ({"return": "resume"}, "returns", "resume"),
        ({"return": "resume", "matters": ["amount", "reason"]}, "matters", ("amount", "reason")),
        ({"earlier_answers": "count"}, "earlier_answers", "count"),
        ({"separation_empties": "incident"}, "separation_empties", "incident"),
        ({"separation": ["not_last_editor", "distinct_teams"]}, "separation", ("not_last_editor", "distinct_teams")),
    ],
)
def test_every_key_of_a_policy_is_read(more: Json, field: str, value: object) -> None:
    document = {"levels": [{"id": "one", "approvers": [{"role": "board"}], "rule": {"kind": "any"}}], **more}
    assert getattr(parse_policy(document), field) == value


def test_the_people_of_a_level_are_those_of_its_groups_too() -> None:
    groups = [{"id": "legal", "approvers": [{"team": "legal"}]}]
    read = level(rule={"kind": "per_group", "groups": groups})
    assert read.asked == ({"role": "board"}, {"team": "legal"})


def test_what_was_read_cannot_be_changed() -> None:
    read = level()
    with pytest.raises(TypeError):
        read.approvers[0]["role"] = "anybody"


def test_a_broken_document_is_refused_with_everything_that_is_wrong() -> None:
    with pytest.raises(BrokenDocument) as refused:
        parse_policy({"levels": [{"id": "one", "approvers": [], "rule": {"kind": "coin"}}]})
    assert set(refused.value.errors) == {"levels.0.approvers", "levels.0.rule.kind"}
