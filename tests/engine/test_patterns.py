"""The 43 workflow patterns on the planner alone, its marking stored as JSON text between all events.

Every order that a case allows is run, up to 120 of a case. `tests/requests/test_patterns.py` runs the same cases
through the product and its database.
"""

from __future__ import annotations

import pytest

from apps.workflows.engine.document import check_document
from scripts.patterns_table import TARGET, table
from tests.engine.patterns.case import Case, canonical, run
from tests.engine.patterns.catalogue import CASES, PATTERNS, PLAIN, Pattern, more_orders, some_orders, used_in
from tests.engine.patterns.planned import Planned

MOST = 120
WITH_LITERAL = [case for case in CASES if case.literal]


def name_of(value: Case | Pattern) -> str:
    return f"{value.pattern}: {value.shows}" if isinstance(value, Case) else f"{value.number}"


def test_there_are_43_patterns_and_each_has_a_whole_trace_by_hand():
    assert [pattern.number for pattern in PATTERNS] == list(range(1, 44))
    assert {case.pattern for case in WITH_LITERAL} == set(range(1, 44))


@pytest.mark.parametrize("pattern", PATTERNS, ids=name_of)
def test_a_pattern_is_drawn_with_the_construct_of_its_row_and_with_nothing_that_is_not_listed(pattern):
    (document,) = {str(case.document): case.document for case in pattern.cases}.values()
    assert set(used_in(document)) - PLAIN == pattern.uses


@pytest.mark.parametrize("pattern", PATTERNS, ids=name_of)
def test_the_documents_of_a_pattern_have_no_problems(pattern):
    for case in pattern.cases:
        for document in case.documents:
            assert check_document(document) == ()


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_every_order_tells_exactly_what_the_definition_says(case):
    for order in case.some_orders(MOST):
        run(Planned(case), case, order)


@pytest.mark.parametrize("case", WITH_LITERAL, ids=name_of)
def test_the_trace_of_an_order_is_the_one_written_by_hand(case):
    assert case.literal_order in case.orders
    world = Planned(case)
    world.start()
    told = [world.trace]
    for name in case.literal_order:
        world.trace = []
        world.send(case.named[name])
        told.append(world.trace)
    assert told == case.literal_trace


def test_orders_are_all_those_that_the_rules_allow():
    case = next(case for case in CASES if case.pattern == 1)
    assert case.orders == [("A", "B early", "B"), ("B early", "A", "B")]
    discriminator = next(case for case in CASES if case.pattern == 9)
    assert len(discriminator.orders) == 18
    assert some_orders(discriminator)[0] == discriminator.orders[0]
    assert len(set(discriminator.orders)) == 18


def test_further_orders_are_drawn_by_lot_from_those_that_are_left_and_always_the_same():
    case = next(case for case in CASES if len(case.orders) == 180)
    some, more = some_orders(case), more_orders(case)
    assert (len(some), len(more), len({*some, *more})) == (10, 30, 40)
    assert set(more) < set(case.orders)
    assert more == more_orders(case)


def test_what_an_event_did_is_compared_without_an_order_of_its_own():
    told = ["run completed", "B opened", "A withdrawn", "go lost", "C ended: no"]
    assert canonical(told) == ["go lost", "A withdrawn", "C ended: no", "B opened", "run completed"]


def test_the_page_about_the_patterns_is_up_to_date():
    assert TARGET.read_text(encoding="utf-8") == table(), "run: python -m scripts.patterns_table"


def test_a_pattern_that_is_not_shown_whole_says_what_is_missing():
    assert {pattern.shown for pattern in PATTERNS} <= {"yes", "part", "no"}
    assert [pattern.number for pattern in PATTERNS if (pattern.shown == "yes") == bool(pattern.lacks)] == []
