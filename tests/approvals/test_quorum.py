"""Tallies by table: what each rule wants, chairs, closed votes, seats that decide, votes that cannot be.

Against everything that could be said they are counted in `test_tally_brute_force.py`.
"""

from __future__ import annotations

import pytest

from apps.approvals.documents import SignOff
from apps.approvals.policy_check import RULES
from apps.approvals.quorum import VOTE_RULES, LevelRule, Place, Rule, Tally, Vote, parse_policy, tally
from apps.core.errors import InvalidInput

ANY, ALL, MAJORITY, HEARD = (Rule(kind=kind) for kind in ("any", "all", "majority", "all_then_any"))
FIRST, EVERYBODY = LevelRule(rule=ANY), LevelRule(rule=ALL)
CHAIR = {"person": "carol"}
LAW_AND_MONEY = Rule(kind="per_group", groups=(SignOff(id="law"), SignOff(id="money")))
TWO_OF_LAW = Rule(kind="per_group", groups=(SignOff(id="law", n=2),))
NO_MONEY = Rule(kind="per_group", groups=(SignOff(id="money"),))


def two(n: int = 2) -> Rule:
    return Rule(kind="quorum", n=n)


def percent(p: int) -> Rule:
    return Rule(kind="percent", p=p)


def votes(text: str) -> tuple[Vote, ...]:
    """ "a+ b- c0 d<" is: a approves, b rejects, c abstains, d returns."""
    verdicts = {"+": "approve", "-": "reject", "0": "abstain", "<": "return"}
    return tuple(Vote(seat=word[0], verdict=verdicts[word[1]]) for word in text.split())


def places(text: str) -> tuple[Place, ...]:
    """ "a b! law:c" is: a, b who decides, and c who sits in the group law."""
    found = []
    for word in text.split():
        *groups, name = word.split(":")
        found.append(Place(seat=name[0], groups=frozenset(groups), decides=name.endswith("!")))
    return tuple(found)


def result(level: LevelRule, seats: str, text: str, *, closed: bool = False) -> tuple[str, str]:
    found = tally(level, places(seats), votes(text), closed=closed)
    return found.status, found.reason


@pytest.mark.parametrize(
    ("level", "seats", "text", "status", "reason"),
    [
        (FIRST, "a b c", "", "pending", "waiting"),
        (FIRST, "a b c", "a+", "approved", "approve_rule"),
        (FIRST, "a b c", "a- b+", "rejected", "reject_rule"),
        (FIRST, "a b c", "a0 b+", "approved", "approve_rule"),
        (FIRST, "a b c", "a0 b0 c0", "rejected", "tie"),
        (EVERYBODY, "a b c", "a+ b+", "pending", "waiting"),
        (EVERYBODY, "a b c", "a+ b+ c+", "approved", "approve_rule"),
        (EVERYBODY, "a b c", "a+ b+ c0", "approved", "approve_rule"),
        (EVERYBODY, "a b c", "a+ b-", "rejected", "reject_rule"),
        (EVERYBODY, "a b c", "a+ b<", "returned", "return"),
        (EVERYBODY, "a", "a0", "rejected", "tie"),
        (LevelRule(rule=ANY, reject=ALL), "a b", "a- b+", "approved", "approve_rule"),
        (LevelRule(rule=ANY, reject=ALL), "a b", "a- b-", "rejected", "reject_rule"),
        (LevelRule(rule=ANY, reject=ALL), "a b", "a- b0", "rejected", "reject_rule"),
        (LevelRule(rule=ALL, reject=ALL), "a b c", "a+ b-", "rejected", "tie"),
        (LevelRule(rule=MAJORITY), "a b c d", "a+ b+", "pending", "waiting"),
        (LevelRule(rule=MAJORITY), "a b c d", "a+ b+ c0", "approved", "approve_rule"),
        (LevelRule(rule=MAJORITY), "a b c d", "a+ b+ c-", "rejected", "reject_rule"),
        (LevelRule(rule=MAJORITY, reject=MAJORITY), "a b c d", "a- b- c+ d+", "rejected", "out_of_reach"),
        (LevelRule(rule=MAJORITY, reject=MAJORITY), "a b c", "a- b-", "rejected", "reject_rule"),
        (LevelRule(rule=two(), reject=two()), "a b c", "a- b+ c+", "approved", "approve_rule"),
        (LevelRule(rule=two(), reject=two(3)), "a b c", "a- b-", "rejected", "out_of_reach"),
        (LevelRule(rule=two(3), reject=ALL), "a b", "", "rejected", "out_of_reach"),
        (LevelRule(rule=percent(50), reject=percent(51)), "a b", "a- b+", "approved", "approve_rule"),
        (LevelRule(rule=percent(51), reject=percent(51)), "a b", "a- b+", "rejected", "out_of_reach"),
        (LevelRule(rule=percent(67)), "a b c", "a+ b+", "pending", "waiting"),
        (LevelRule(rule=percent(66)), "a b c", "a+ b+", "approved", "approve_rule"),
        (LevelRule(rule=percent(50), reject=percent(50)), "a b c", "a+ b- c0", "approved", "approve_rule"),
        (LevelRule(rule=HEARD), "a b c", "a- b- c+", "approved", "everybody"),
        (LevelRule(rule=HEARD), "a b c", "a+ b+", "pending", "waiting"),
        (LevelRule(rule=HEARD), "a b", "a- b0", "rejected", "everybody"),
        (LevelRule(rule=LAW_AND_MONEY), "law:a money:b", "a+", "pending", "waiting"),
        (LevelRule(rule=LAW_AND_MONEY), "law:a money:b c", "a+ c+", "pending", "waiting"),
        (LevelRule(rule=LAW_AND_MONEY), "law:a money:b", "a+ b+", "approved", "approve_rule"),
        (LevelRule(rule=LAW_AND_MONEY), "law:money:a money:b", "a+", "approved", "approve_rule"),
        (LevelRule(rule=LAW_AND_MONEY), "law:a money:b", "a+ b0", "rejected", "tie"),
        (LevelRule(rule=LAW_AND_MONEY), "law:a", "", "rejected", "out_of_reach"),
        (LevelRule(rule=TWO_OF_LAW), "law:a law:b law:c", "a+ c+", "approved", "approve_rule"),
        (LevelRule(rule=LAW_AND_MONEY, reject=NO_MONEY), "law:a law:b money:c", "a- b+", "pending", "waiting"),
        (LevelRule(rule=LAW_AND_MONEY, reject=NO_MONEY), "law:a law:b money:c", "c-", "rejected", "reject_rule"),
    ],
)
def test_a_level_ends_when_its_result_is_settled(
    level: LevelRule, seats: str, text: str, status: str, reason: str
) -> None:
    assert result(level, seats, text) == (status, reason)


def test_the_order_of_the_votes_decides_where_both_rules_could_be_met() -> None:
    level = LevelRule(rule=two(), reject=two())
    assert result(level, "a b c d", "a- b+ c+ d-") == ("approved", "approve_rule")
    assert result(level, "a b c d", "a- d- b+ c+") == ("rejected", "reject_rule")


def test_a_return_ends_the_level_unless_it_has_ended_before() -> None:
    assert result(EVERYBODY, "a b", "a+ b<") == ("returned", "return")
    assert result(FIRST, "a b", "a+ b<") == ("approved", "approve_rule")
    assert result(LevelRule(rule=HEARD), "a b c", "a+ b<") == ("returned", "return")


def test_every_kind_of_a_document_can_be_counted() -> None:
    assert VOTE_RULES.keys() == RULES.keys()


# ------------------------------------------------------------------------------------ what is told of it


def test_a_pending_tally_names_who_is_missing() -> None:
    assert tally(EVERYBODY, ("a", "b", "c"), votes("b+")) == Tally(
        status="pending", reason="waiting", missing=("a", "c"), can_still_change=True
    )


def test_a_decided_tally_waits_for_nobody_and_reads_no_further() -> None:
    assert tally(FIRST, ("a", "b", "c"), votes("b+ a- c<")) == Tally(
        status="approved", reason="approve_rule", missing=(), can_still_change=False
    )


def test_a_level_without_seats_is_never_decided() -> None:
    for level in (FIRST, EVERYBODY, LevelRule(rule=HEARD), LevelRule(rule=ALL, chair=CHAIR)):
        assert tally(level, (), (), closed=True) == Tally(
            status="pending", reason="no_seats", missing=(), can_still_change=True
        )


# ------------------------------------------------------------------------------------ the chair


def test_a_tie_waits_for_the_chair_and_for_nobody_else() -> None:
    level = LevelRule(rule=ALL, reject=ALL, chair=CHAIR)
    assert tally(level, ("a", "b", "c"), votes("a+ b-")) == Tally(
        status="pending", reason="tie", missing=(), can_still_change=True
    )


def test_the_chair_is_asked_as_late_as_a_rejection_is_possible() -> None:
    level = LevelRule(rule=ALL, reject=two(), chair=CHAIR)
    assert result(level, "a b c", "a-") == ("pending", "waiting")
    assert result(level, "a b c", "a- b+") == ("pending", "waiting")
    assert result(level, "a b c", "a- b+ c+") == ("pending", "tie")
    assert result(level, "a b c", "a- b+ c-") == ("rejected", "reject_rule")


@pytest.mark.parametrize(("text", "status"), [("+", "approved"), ("-", "rejected"), ("<", "returned")])
def test_the_chair_who_sits_settles_the_tie(text: str, status: str) -> None:
    level = LevelRule(rule=ALL, reject=ALL, chair=CHAIR)
    reason = "return" if status == "returned" else "decider"
    assert result(level, "a b x!", f"a+ b- x{text}") == (status, reason)


def test_nobody_but_the_chair_is_waited_for_once_they_sit() -> None:
    level = LevelRule(rule=ALL, reject=ALL, chair=CHAIR)
    assert tally(level, places("a b c x!"), votes("a+ b-")).missing == ("x",)


# ------------------------------------------------------------------------------------ a vote that is closed


@pytest.mark.parametrize(
    ("level", "text", "status", "reason"),
    [
        (LevelRule(rule=MAJORITY), "a+", "approved", "approve_rule"),
        (LevelRule(rule=ALL), "a+ b+", "approved", "approve_rule"),
        (LevelRule(rule=two()), "a+", "rejected", "tie"),
        (LevelRule(rule=two(), chair=CHAIR), "a+", "pending", "tie"),
        (LevelRule(rule=MAJORITY, reject=MAJORITY), "a-", "rejected", "reject_rule"),
        (LevelRule(rule=HEARD), "a+", "approved", "everybody"),
        (LevelRule(rule=HEARD), "", "rejected", "everybody"),
        (LevelRule(rule=MAJORITY, chair=CHAIR), "", "pending", "tie"),
    ],
)
def test_in_a_closed_vote_those_who_were_silent_abstain(level: LevelRule, text: str, status: str, reason: str) -> None:
    assert result(level, "a b c d", text, closed=True) == (status, reason)


# ------------------------------------------------------------------------------------ too few seats


@pytest.mark.parametrize(
    ("level", "text", "status", "reason"),
    [
        (LevelRule(rule=two(3)), "", "pending", "waiting"),
        (LevelRule(rule=two(3)), "a+", "pending", "waiting"),
        (LevelRule(rule=two(3)), "a+ b+", "pending", "tie"),
        (LevelRule(rule=two(3)), "a+ b-", "rejected", "reject_rule"),
        (LevelRule(rule=two(3)), "a+ b<", "returned", "return"),
        (LevelRule(rule=two(3), reject=two(3)), "a- b-", "pending", "tie"),
        (LevelRule(rule=LAW_AND_MONEY), "a+ b-", "rejected", "reject_rule"),
    ],
)
def test_where_more_people_are_waited_for_only_a_veto_or_a_return_ends_it(
    level: LevelRule, text: str, status: str, reason: str
) -> None:
    found = tally(level, ("a", "b"), votes(text), waits=True)
    assert (found.status, found.reason) == (status, reason)


# ------------------------------------------------------------------------------------ seats that decide


def test_one_of_those_who_decide_settles_the_level_alone() -> None:
    assert result(LevelRule(rule=ALL), "a b x! y!", "a+ y+") == ("approved", "decider")
    assert result(LevelRule(rule=two(3)), "x!", "x+") == ("approved", "decider")
    assert result(LevelRule(rule=ANY, reject=ALL), "a b x! y!", "x- y+") == ("rejected", "decider")


def test_where_somebody_decides_the_votes_of_the_others_do_not() -> None:
    assert result(FIRST, "a b x!", "a+ b-") == ("pending", "waiting")
    assert result(FIRST, "a b x!", "a-") == ("pending", "waiting")


# ------------------------------------------------------------------------------------ votes that cannot be


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("z+", "Seat z is not at this level."),
        ("a+ a+", "Seat a has decided already."),
        ("a0 a-", "Seat a has decided already."),
    ],
)
def test_a_vote_from_nowhere_or_given_twice_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        tally(EVERYBODY, ("a", "b", "c"), votes(text))
    assert refused.value.errors == {"decisions": [message]}


@pytest.mark.parametrize("verdict", ["shrug", "", "APPROVE", "approved", "withdraw"])
def test_an_unknown_verdict_is_refused(verdict: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        tally(FIRST, ("a",), (Vote(seat="a", verdict=verdict),))
    assert refused.value.errors == {"decisions": [f"“{verdict}” is no verdict."]}


@pytest.mark.parametrize("level", [LevelRule(rule=Rule(kind="coin")), LevelRule(rule=ANY, reject=Rule(kind="coin"))])
def test_an_unknown_rule_is_refused_even_where_nobody_sits(level: LevelRule) -> None:
    for seats in ((), ("a",)):
        with pytest.raises(InvalidInput) as refused:
            tally(level, seats, ())
        assert refused.value.errors == {"rule": ["There is no rule “coin”."]}


def test_the_level_of_a_policy_can_be_tallied() -> None:
    level = {"id": "one", "approvers": [{"role": "director"}], "rule": {"kind": "all"}}
    assert tally(parse_policy({"levels": [level]}).levels[0], ("a", "b"), votes("a+")).missing == ("b",)
