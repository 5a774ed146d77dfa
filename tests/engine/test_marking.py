from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from apps.workflows.engine.marking import Kept, Marking, Round, Token, Visit

NAMES = st.text(max_size=5)
NUMBERS = st.integers(1, 50)
VISITS = st.builds(Visit, id=NUMBERS, step=NAMES, begun=st.booleans(), incident=st.booleans(), key=st.none() | NAMES)
TOKENS = st.builds(
    Token,
    id=NUMBERS,
    step=NAMES,
    came_from=st.none() | NAMES,
    seq=NUMBERS,
    visits=st.lists(VISITS, max_size=3).map(tuple),
)
MARKINGS = st.builds(
    Marking,
    tokens=st.lists(TOKENS, max_size=4).map(tuple),
    joins=st.lists(st.builds(Round, step=NAMES, seen=st.lists(NAMES).map(tuple)), max_size=2).map(tuple),
    kept=st.lists(st.builds(Kept, name=NAMES, key=NAMES), max_size=3).map(tuple),
    next=NUMBERS,
    outcome=st.none() | NAMES,
)


@given(MARKINGS)
def test_a_marking_comes_back_from_json_as_it_was(marking):
    assert Marking.from_json(json.loads(json.dumps(marking.to_json()))) == marking


def test_an_empty_object_is_a_run_that_has_not_started():
    assert Marking.from_json({}) == Marking.empty()
    assert not Marking.empty().started


def test_visits_are_found_by_number_oldest_first():
    first, second = Visit(id=2, step="a"), Visit(id=5, step="b")
    tokens = (
        Token(id=1, step="b", came_from=None, seq=4, visits=(second,)),
        Token(id=3, step="a", came_from=None, seq=3, visits=(first,)),
    )
    marking = Marking(tokens=tokens, next=6)
    assert marking.open_visits() == (first, second)
    assert (marking.visit(5), marking.visit(4)) == (second, None)
