"""The 43 workflow patterns through the product: its database, its people, its sweeps, all read again between events.

`make test` runs about 24 orders of each pattern, spread evenly over all that its definition allows; the long tests run
every one.
"""

from __future__ import annotations

import pytest

from tests.engine.patterns.case import Case, Order, run
from tests.engine.patterns.catalogue import CASES, some_orders
from tests.requests.pattern_world import Stored, make_office, one_order

pytestmark = pytest.mark.django_db
WITH_MORE = [case for case in CASES if len(some_orders(case)) < len(case.orders)]


def name_of(case: Case) -> str:
    return f"{case.pattern}: {case.shows}"


def run_orders(case: Case, orders: list[Order]) -> None:
    office = make_office(case)
    for order in orders:
        with one_order():
            world = Stored(case, office)
            run(world, case, order)
            assert world.incidents() == []


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_pattern_holds_in_the_database_in_many_orders(case):
    run_orders(case, some_orders(case))


@pytest.mark.long
@pytest.mark.parametrize("case", WITH_MORE, ids=name_of)
def test_a_pattern_holds_in_the_database_in_every_order(case):
    run_orders(case, case.orders)
