"""The tally against a second one that tries everything (`brute_force.py`): the same answer, and no later, everywhere.

Every kind of rule meets every kind of reject rule, with a chair and without. Compared are status, reason, who is
missing, and so the moment: a level ends exactly when nothing that could still be said would change its result, but
where everybody is heard (`all_then_any`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations_with_replacement, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.approvals.documents import SignOff
from apps.approvals.quorum import LevelRule, Place, Rule, Tally, Vote, tally
from tests.approvals.brute_force import expected

VERDICTS = ("approve", "reject", "abstain")
CHAIR = {"person": "chair"}
EXAMPLES = 200
LEGAL_AND_FINANCE = Rule(kind="per_group", groups=(SignOff(id="legal"), SignOff(id="finance")))
TWO_OF_LEGAL = Rule(kind="per_group", groups=(SignOff(id="legal", n=2), SignOff(id="finance")))
ANY, ALL, MAJORITY = Rule(kind="any"), Rule(kind="all"), Rule(kind="majority")
RULES = (ANY, ALL, MAJORITY, Rule(kind="quorum", n=2), Rule(kind="percent", p=60), LEGAL_AND_FINANCE)
EVERYBODY = Rule(kind="all_then_any")
NUMBERS = (
    *(Rule(kind="quorum", n=n) for n in range(1, 8)),
    *(Rule(kind="percent", p=p) for p in (1, 16, 17, 20, 25, 33, 34, 40, 50, 51, 66, 67, 75, 80, 83, 84, 99, 100)),
)


def levels(rules: Iterable[Rule], rejects: Iterable[Rule]) -> list[LevelRule]:
    return [
        LevelRule(rule=rule, reject=reject, chair=chair)
        for rule, reject, chair in product(rules, tuple(rejects), (None, CHAIR))
    ]


def name_of(level: object) -> str:
    if not isinstance(level, LevelRule):
        return str(level)
    return "-".join((*map(_name, (level.rule, level.reject)), *(("chair",) if level.chair else ())))


def _name(rule: Rule) -> str:
    return f"{rule.kind}{rule.n or rule.p or ''}{''.join(str(group.n) for group in rule.groups)}"


EVERY_KIND = [*levels(RULES, RULES), *levels([EVERYBODY], [ANY])]
NUMBERED = [
    *levels(NUMBERS, (ANY, MAJORITY)),
    *levels((ALL, MAJORITY), NUMBERS),
    *(LevelRule(rule=rule, reject=rule, chair=chair) for rule in NUMBERS for chair in (None, CHAIR)),
]
EVERY_NUMBER = levels((*NUMBERS, ANY, ALL, MAJORITY), (*NUMBERS, ANY, ALL, MAJORITY))


def seated(size: int) -> tuple[Place, ...]:
    """Seats in turn of legal, of finance, of both, and of neither."""
    groups = ({"legal"}, {"finance"}, {"legal", "finance"}, set())
    return tuple(Place(seat=seat, groups=frozenset(groups[seat % 4])) for seat in range(size))


def compared(level: LevelRule, places: Sequence[Place], votes: Sequence[Vote], **how: Any) -> Tally:
    found = tally(level, places, votes, **how)
    assert found == expected(level, places, votes, **how), (votes, how)
    return found


def cast(places: Sequence[Place], verdicts: Sequence[str | None]) -> tuple[Vote, ...]:
    return tuple(
        Vote(seat=place.seat, verdict=said) for place, said in zip(places, verdicts, strict=True) if said is not None
    )


def try_all_states(level: LevelRule, places: Sequence[Place]) -> int:
    """Every seat silent or with one of three answers, read in the order of the seats; how many states."""
    tried = 0
    for verdicts in product((*VERDICTS, None), repeat=len(places)):
        compared(level, places, cast(places, verdicts))
        tried += 1
    return tried


def try_states_reached(level: LevelRule, places: Sequence[Place]) -> int:
    """The same without what comes after the end, with the vote closed too; how many states."""
    tried = 0

    def go_on(votes: tuple[Vote, ...], left: Sequence[Place]) -> None:
        nonlocal tried
        tried += 1
        compared(level, places, votes, closed=True)
        if compared(level, places, votes).status != "pending":
            return
        for index, place in enumerate(left):
            for said in VERDICTS:
                go_on((*votes, Vote(seat=place.seat, verdict=said)), left[index + 1 :])

    go_on((), places)
    return tried


def try_all_orders(level: LevelRule, places: Sequence[Place]) -> int:
    """Every order of answers up to the end, returns too, and one answer more; how many orders."""
    tried = 0

    def go_on(votes: tuple[Vote, ...], *, has_ended: bool) -> None:
        nonlocal tried
        tried += 1
        ended = compared(level, places, votes).status != "pending" and bool(votes)
        if not has_ended:
            for more in _answers(places, votes):
                go_on((*votes, more), has_ended=ended)

    go_on((), has_ended=False)
    return tried


def _answers(places: Sequence[Place], votes: Sequence[Vote]) -> Iterator[Vote]:
    given = {vote.seat for vote in votes}
    for place in places:
        if place.seat not in given:
            yield from (Vote(seat=place.seat, verdict=verdict) for verdict in (*VERDICTS, "return"))


def try_counts(level: LevelRule, size: int) -> None:
    """So many seats that are all alike: every number of approvals, rejections and abstentions, in two orders."""
    places = tuple(Place(seat=seat) for seat in range(size))
    for verdicts in combinations_with_replacement((*VERDICTS, None), size):
        votes = cast(places, verdicts)
        for order in {votes, votes[::-1]}:
            compared(level, places, order)


# ------------------------------------------------------------------------------------ all of them


@pytest.mark.parametrize("level", EVERY_KIND, ids=name_of)
def test_every_state_of_up_to_five_seats_is_counted_alike(level: LevelRule) -> None:
    for size in (1, 2, 3, 4):
        assert try_all_states(level, seated(size)) == 4**size
    assert try_states_reached(level, seated(5)) >= 1


@pytest.mark.parametrize("level", EVERY_KIND, ids=name_of)
def test_every_order_of_up_to_three_seats_ends_alike_and_at_the_same_vote(level: LevelRule) -> None:
    for size in (1, 2, 3):
        assert try_all_orders(level, seated(size)) >= 1


@pytest.mark.parametrize("level", NUMBERED, ids=name_of)
def test_every_number_of_votes_and_every_share_is_counted_alike(level: LevelRule) -> None:
    for size in range(1, 7):
        try_counts(level, size)


# ------------------------------------------------------------------------------------ beyond


@st.composite
def rules(draw: st.DrawFn, seats: int) -> Rule:
    kind = draw(st.sampled_from(["any", "all", "majority", "quorum", "percent"]))
    n = draw(st.integers(1, seats + 1)) if kind == "quorum" else None
    return Rule(kind=kind, n=n, p=draw(st.integers(1, 100)) if kind == "percent" else None)


@st.composite
def group_rules(draw: st.DrawFn) -> Rule:
    names = draw(st.lists(st.sampled_from(["legal", "finance"]), min_size=1, unique=True))
    return Rule(kind="per_group", groups=tuple(SignOff(id=name, n=draw(st.integers(1, 3))) for name in names))


@st.composite
def votings(draw: st.DrawFn, *, most: int, grouped: bool = False) -> tuple[LevelRule, list[Place], list[Vote]]:
    """A level, its seats, and answers of some of them in some order."""
    size = draw(st.integers(1, most))
    kinds = rules(size) | group_rules() if grouped else rules(size)
    level = LevelRule(rule=draw(kinds), reject=draw(kinds), chair=draw(st.sampled_from([None, CHAIR])))
    groups = st.frozensets(st.sampled_from(["legal", "finance"])) if grouped else st.just(frozenset())
    places = [Place(seat=seat, groups=draw(groups)) for seat in range(size)]
    order = draw(st.permutations(range(size)))[: draw(st.integers(0, size))]
    answers = st.sampled_from([*VERDICTS * 3, "return"])
    return level, places, [Vote(seat=seat, verdict=draw(answers)) for seat in order]


@settings(max_examples=EXAMPLES, deadline=None)
@given(voting=votings(most=12), closed=st.booleans())
def test_up_to_twelve_seats_are_counted_alike(voting: tuple, closed: bool) -> None:
    level, places, votes = voting
    compared(level, places, votes, closed=closed)


@settings(max_examples=EXAMPLES // 4, deadline=None)
@given(voting=votings(most=8, grouped=True), closed=st.booleans())
def test_groups_that_share_people_are_counted_alike(voting: tuple, closed: bool) -> None:
    level, places, votes = voting
    compared(level, places, votes, closed=closed)


@settings(max_examples=EXAMPLES, deadline=None)
@given(voting=votings(most=12, grouped=True))
def test_a_result_never_changes_with_further_answers(voting: tuple) -> None:
    level, places, votes = voting
    found = [tally(level, places, votes[:number]) for number in range(1, len(votes) + 1)]
    decided = [one for one in found if not one.can_still_change]
    assert len(set(decided)) <= 1
    assert found[len(found) - len(decided) :] == decided


@settings(max_examples=EXAMPLES, deadline=None)
@given(voting=votings(most=8, grouped=True), deciding=st.integers(1, 3))
def test_where_somebody_decides_the_others_are_heard_in_vain(voting: tuple, deciding: int) -> None:
    level, places, votes = voting
    places = [replace(place, decides=number < deciding) for number, place in enumerate(places)]
    compared(level, places, votes)


@settings(max_examples=EXAMPLES, deadline=None)
@given(verdicts=st.lists(st.sampled_from([*VERDICTS, None]), min_size=1, max_size=12), data=st.data())
def test_where_everybody_is_heard_the_last_answer_ends_it(verdicts: list[str | None], data: st.DataObject) -> None:
    places = seated(len(verdicts))
    votes = data.draw(st.permutations(cast(places, verdicts)))
    compared(LevelRule(rule=EVERYBODY, chair=data.draw(st.sampled_from([None, CHAIR]))), places, votes)


# ------------------------------------------------------------------------------------ more of it, for longer


@pytest.mark.long
@pytest.mark.parametrize("level", EVERY_KIND, ids=name_of)
def test_every_state_of_six_seats_even_after_the_end_is_counted_alike(level: LevelRule) -> None:
    assert try_all_states(level, seated(6)) == 4**6


@pytest.mark.long
@pytest.mark.parametrize("level", EVERY_KIND, ids=name_of)
def test_every_order_of_four_seats_ends_alike_and_at_the_same_vote(level: LevelRule) -> None:
    assert try_all_orders(level, seated(4)) >= 1


@pytest.mark.long
@pytest.mark.parametrize("level", [level for level in EVERY_KIND if not level.chair], ids=name_of)
def test_every_order_of_five_seats_ends_alike_and_at_the_same_vote(level: LevelRule) -> None:
    assert try_all_orders(level, seated(5)) >= 1


@pytest.mark.long
def test_every_number_is_counted_alike_against_every_number() -> None:
    for level in EVERY_NUMBER:
        for size in range(1, 7):
            try_counts(level, size)
