"""Tallies by table and against an independent count; policies and what they may not say."""

from __future__ import annotations

from copy import deepcopy
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.approvals.quorum import Level, LevelRule, Policy, Rule, Tally, Vote, check_policy, parse_policy, tally
from apps.core.errors import BrokenDocument, InvalidInput

ANY, ALL = Rule(kind="any"), Rule(kind="all")
FIRST, EVERYBODY = LevelRule(rule=ANY), LevelRule(rule=ALL)


def votes(text: str) -> tuple[Vote, ...]:
    """ "a+ b- c0 d<" is: a approves, b rejects, c abstains, d returns."""
    verdicts = {"+": "approve", "-": "reject", "0": "abstain", "<": "return"}
    return tuple(Vote(seat=word[0], verdict=verdicts[word[1]]) for word in text.split())


def result(level: LevelRule, seats: str, text: str) -> tuple[str, str]:
    found = tally(level, tuple(seats), votes(text))
    return found.status, found.reason


# ------------------------------------------------------------------------------------ the tally


@pytest.mark.parametrize(
    ("level", "seats", "text", "status", "reason"),
    [
        (FIRST, "abc", "", "pending", "waiting"),
        (FIRST, "abc", "a+", "approved", "approve_rule"),
        (FIRST, "abc", "a- b+", "rejected", "reject_rule"),
        (FIRST, "abc", "a0 b+", "approved", "approve_rule"),
        (FIRST, "abc", "a0 b0 c0", "rejected", "tie"),
        (EVERYBODY, "abc", "a+ b+", "pending", "waiting"),
        (EVERYBODY, "abc", "a+ b+ c+", "approved", "approve_rule"),
        (EVERYBODY, "abc", "a+ b+ c0", "approved", "approve_rule"),
        (EVERYBODY, "abc", "a+ b-", "rejected", "reject_rule"),
        (EVERYBODY, "abc", "a+ b<", "returned", "return"),
        (EVERYBODY, "a", "a0", "rejected", "tie"),
        (LevelRule(rule=ANY, reject=ALL), "ab", "a- b+", "approved", "approve_rule"),
        (LevelRule(rule=ANY, reject=ALL), "ab", "a- b-", "rejected", "reject_rule"),
        (LevelRule(rule=ANY, reject=ALL), "ab", "a- b0", "rejected", "reject_rule"),
        (LevelRule(rule=ALL, reject=ALL), "abc", "a+ b-", "rejected", "tie"),
    ],
)
def test_a_level_ends_when_its_result_is_settled(
    level: LevelRule, seats: str, text: str, status: str, reason: str
) -> None:
    assert result(level, seats, text) == (status, reason)


def test_a_pending_tally_names_who_is_missing() -> None:
    assert tally(EVERYBODY, ("a", "b", "c"), votes("b+")) == Tally(
        status="pending", reason="waiting", missing=("a", "c"), can_still_change=True
    )


def test_a_decided_tally_waits_for_nobody_and_reads_no_further() -> None:
    assert tally(FIRST, ("a", "b", "c"), votes("b+ a- c<")) == Tally(
        status="approved", reason="approve_rule", missing=(), can_still_change=False
    )


def test_a_level_without_seats_is_never_decided() -> None:
    assert result(EVERYBODY, "", "") == ("pending", "no_seats")


@pytest.mark.parametrize("text", ["x+", "a+ a+", "a0 a-"])
def test_a_vote_from_nowhere_or_given_twice_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        tally(EVERYBODY, ("a", "b", "c"), votes(text))


def test_an_unknown_verdict_and_an_unknown_rule_are_refused() -> None:
    with pytest.raises(InvalidInput, match="shrug"):
        tally(FIRST, ("a",), (Vote(seat="a", verdict="shrug"),))
    with pytest.raises(InvalidInput, match="coin"):
        tally(LevelRule(rule=Rule(kind="coin")), ("a",), ())


def says(kind: str, yes: set, counted: set) -> bool:
    return bool(yes) if kind == "any" else bool(yes) and yes == counted


def brute_force(level: LevelRule, seats: tuple, decisions: tuple[Vote, ...]) -> str:
    """After each vote: who has won, or could anybody still win, whatever those who have not voted say?"""

    def winner(given: dict) -> str | None:
        counted = {seat for seat in seats if given.get(seat) != "abstain"}
        for kind, verdict, won in ((level.rule, "approve", "approved"), (level.reject, "reject", "rejected")):
            if says(kind.kind, {seat for seat in seats if given.get(seat) == verdict}, counted):
                return won
        return None

    given: dict = {}
    for vote in decisions:
        if vote.verdict == "return":
            return "returned"
        given[vote.seat] = vote.verdict
        if winner(given):
            return winner(given)
        silent = [seat for seat in seats if seat not in given]
        futures = product(("approve", "reject", "abstain"), repeat=len(silent))
        if not any(winner(given | dict(zip(silent, future, strict=True))) for future in futures):
            return "rejected"
    return "pending"


LEVELS = [LevelRule(rule=rule, reject=reject) for rule in (ANY, ALL) for reject in (ANY, ALL)]


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: f"{level.rule.kind}-{level.reject.kind}")
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_every_state_agrees_with_an_independent_count(level: LevelRule, size: int) -> None:
    seats = tuple("abcde"[:size])
    for verdicts in product(("approve", "reject", "abstain", "return", None), repeat=size):
        cast = [Vote(seat=seat, verdict=verdict) for seat, verdict in zip(seats, verdicts, strict=True) if verdict]
        orders = permutations(cast) if size <= 3 else (cast, cast[::-1], cast[1:] + cast[:1])
        for order in orders:
            assert tally(level, seats, tuple(order)).status == brute_force(level, seats, tuple(order))


@settings(max_examples=50, deadline=None)
@given(
    level=st.sampled_from(LEVELS), verdicts=st.lists(st.sampled_from("+-0<"), min_size=1, max_size=8), data=st.data()
)
def test_a_result_never_changes_with_further_votes(level: LevelRule, verdicts: list[str], data: st.DataObject) -> None:
    cast = votes(" ".join(f"{seat}{verdict}" for seat, verdict in zip("abcdefgh", verdicts, strict=False)))
    order = tuple(data.draw(st.permutations(cast)))
    found = [tally(level, tuple("abcdefgh"[: len(cast)]), order[:n]) for n in range(len(order) + 1)]
    decided = [one for one in found if one.status != "pending"]
    assert len(set(decided)) == 1
    assert found[-len(decided) :] == decided


# ------------------------------------------------------------------------------------ policies

POLICY = {
    "levels": [
        {
            "id": "line",
            "name": "Line manager",
            "approvers": [{"manager_of": "requester", "up": 2}],
            "rule": {"kind": "any"},
        },
        {
            "id": "money",
            "when": "request.data.amount > 1000.0",
            "approvers": [{"role": "director"}, {"team": "finance"}, {"person": "anna"}, {"manager_of": "requester"}],
            "rule": {"kind": "all"},
            "reject": {"kind": "all"},
            "comment": "on_reject",
        },
    ],
    "separation": [],
    "return": "never",
    "fallback": [{"role": "administrator"}],
}


def test_a_policy_is_read_whole() -> None:
    assert check_policy(POLICY) == {}
    assert parse_policy(POLICY) == Policy(
        levels=(
            Level(id="line", name="Line manager", approvers=({"manager_of": "requester", "up": 2},), rule=ANY),
            Level(
                id="money",
                name="money",
                approvers=(
                    {"role": "director"},
                    {"team": "finance"},
                    {"person": "anna"},
                    {"manager_of": "requester", "up": 1},
                ),
                rule=ALL,
                reject=ALL,
                when="request.data.amount > 1000.0",
                comment="on_reject",
            ),
        ),
        fallback=({"role": "administrator"},),
        returns="never",
    )


def test_the_level_of_a_policy_can_be_tallied() -> None:
    assert tally(parse_policy(POLICY).levels[1], ("a", "b"), votes("a+")).missing == ("b",)


def changed(path: list, value: object) -> object:
    document = deepcopy(POLICY)
    place: object = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (["colour"], "red", "colour"),
        (["levels"], [], "levels"),
        (["levels", 0], "line", "levels.0"),
        (["levels", 0, "colour"], "red", "levels.0.colour"),
        (["levels", 0, "id"], "money", "levels.1.id"),
        (["levels", 0, "id"], "No id", "levels.0.id"),
        (["levels", 0, "name"], "", "levels.0.name"),
        (["levels", 0, "name"], "x" * 201, "levels.0.name"),
        (["levels", 0, "when"], 1, "levels.0.when"),
        (["levels", 0, "when"], None, "levels.0.when"),
        (["levels", 0, "comment"], "always", "levels.0.comment"),
        (["levels", 0, "rule"], "any", "levels.0.rule"),
        (["levels", 0, "rule"], None, "levels.0.rule"),
        (["levels", 0, "rule"], {"kind": "coin"}, "levels.0.rule.kind"),
        (["levels", 0, "rule"], {"kind": ["any"]}, "levels.0.rule.kind"),
        (["levels", 0, "rule"], {"kind": "any", "n": 2}, "levels.0.rule.n"),
        (["levels", 0, "reject"], {"kind": "coin"}, "levels.0.reject.kind"),
        (["levels", 0, "approvers"], [], "levels.0.approvers"),
        (["levels", 0, "approvers"], [{}], "levels.0.approvers.0"),
        (["levels", 0, "approvers"], ["anna"], "levels.0.approvers.0"),
        (["levels", 0, "approvers"], [{"role": "a", "team": "b"}], "levels.0.approvers.0"),
        (["levels", 0, "approvers"], [{"role": "a", "up": 1}], "levels.0.approvers.0.up"),
        (["levels", 0, "approvers"], [{"role": 7}], "levels.0.approvers.0.role"),
        (["levels", 0, "approvers"], [{"manager_of": "anna"}], "levels.0.approvers.0.manager_of"),
        (["levels", 0, "approvers"], [{"manager_of": "requester", "up": 0}], "levels.0.approvers.0.up"),
        (["levels", 0, "approvers"], [{"manager_of": "requester", "up": True}], "levels.0.approvers.0.up"),
        (["fallback"], [{"nobody": "x"}], "fallback.0"),
        (["fallback"], None, "fallback"),
        (["separation"], "not_requester", "separation"),
        (["separation"], ["whatever"], "separation"),
        (["return"], "perhaps", "return"),
        (["return"], ["restart"], "return"),
    ],
)
def test_what_a_policy_may_not_say_is_a_problem_of_its_place(path: list, value: object, field: str) -> None:
    assert list(check_policy(changed(path, value))) == [field]


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        *[(["levels", 0, key], {}, f"levels.0.{key}") for key in ("deadline", "chair", "reauthenticate", "abstain")],
        *[
            (["levels", 0, "approvers"], [{kind: "x"}], "levels.0.approvers.0")
            for kind in ("manager_of_team", "field", "owner_of", "cel", "matrix")
        ],
        *[
            (["levels", 0, "rule"], {"kind": kind, "n": 2}, "levels.0.rule.kind")
            for kind in ("majority", "quorum", "percent", "all_then_any", "per_group")
        ],
        (["separation"], ["not_requester"], "separation"),
        (["separation_empties"], "manager", "separation_empties"),
        (["matters"], ["amount"], "matters"),
        (["return"], "resume", "return"),
    ],
)
def test_what_comes_later_is_said_to_be_not_available_yet(path: list, value: object, field: str) -> None:
    problems = check_policy(changed(path, value))
    assert list(problems) == [field]
    assert "not available yet" in problems[field][0]


def test_a_problem_names_the_level_and_the_key() -> None:
    problems = check_policy(changed(["levels", 1, "colour"], "red"))
    assert problems == {"levels.1.colour": ["Level “money”: “colour” is an unknown key."]}


@pytest.mark.parametrize("nonsense", [None, 3, "policy", [], [[]], {"levels": {"id": 1}}, {"levels": [None]}])
def test_nonsense_is_refused_and_never_crashes(nonsense: object) -> None:
    with pytest.raises(BrokenDocument):
        parse_policy(nonsense)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["levels", "id", "rule", "kind", "approvers", "role", "up"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(document=JSON, level=JSON)
def test_whatever_json_it_is_given_the_check_answers(document: object, level: object) -> None:
    assert check_policy(document)
    check_policy({"levels": [level]})
