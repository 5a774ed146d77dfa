"""The 43 workflow patterns through the product: its database, its people, its sweeps, all read again between events.

`make test` runs about 9 orders of each pattern, spread evenly over all that its definition allows; the long tests run
up to 30 more of each case, and `make patterns` every one that is left.
"""

from __future__ import annotations

import os

import pytest

from tests.engine.patterns.case import Case, Order, run
from tests.engine.patterns.catalogue import CASES, more_orders, some_orders
from tests.requests.pattern_world import Stored, make_office, one_order

pytestmark = pytest.mark.django_db
EVERY_ORDER = bool(os.environ.get("EVERY_ORDER"))  # `make patterns`
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
def test_a_pattern_holds_in_the_database_in_further_orders(case):
    left = [order for order in case.orders if order not in some_orders(case)]
    run_orders(case, left if EVERY_ORDER else more_orders(case))
