"""What an answer costs: the statements of its transaction, by what follows from it and by how many sit there."""

from __future__ import annotations

import pytest

from apps.approvals.models import Seat
from tests.factories import Json, make_calendar, make_request
from tests.factories.approvals import (
    decide,
    delegate,
    level,
    make_approval_item,
    make_people,
    quorum,
    status_of,
)
from tests.requests.test_decisions import statements

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
SEATS = pytest.mark.parametrize("seats", [3, 50])
EVERYTHING_APART = ["not_requester", "not_last_editor", "distinct_levels", "distinct_teams"]
TIME: Json = {"deadline": {"business_seconds": 3600, "then": "expire", "remind_at": [50, 80]}}


@pytest.fixture
def anna(world):
    make_calendar()
    return make_people("anna")[0]


def names(seats: int) -> Json:
    """The rule that names so many people."""
    return {"cel": "[" + ", ".join(f"'p{n}'" for n in range(seats)) + "]"}


def cost(world, anna, *levels: Json, ends: tuple[str, int], **policy) -> int:
    """The statements of Anna's answer at the first level, once all versions are cached."""
    item = make_approval_item(*levels, **policy)
    for _ in range(2):
        request = make_request(item, world.requester)
        taken = statements(lambda one=request: decide(one, anna))
        assert status_of(request) == ends
    return len(taken) - OF_THE_TEST


OF_THE_TEST = 2  # reading the newest round and the person, which a face does before the service


@SEATS
def test_an_answer_that_leads_to_a_task(world, anna, seats):
    make_people(*(f"p{n}" for n in range(seats - 1)))
    assert cost(world, anna, level("one", anna, names(seats - 1)), ends=("approved", 0)) == 14


@SEATS
def test_an_answer_that_ends_nothing(world, anna, seats):
    make_people(*(f"p{n}" for n in range(seats - 1)))
    assert cost(world, anna, level("one", anna, names(seats - 1), rule=quorum(2)), ends=("pending", 0)) == 8


@SEATS
@pytest.mark.parametrize(
    ("more", "policy", "expected"),
    [
        ({}, {}, 13),
        (TIME, {}, 14),
        ({}, {"separation": EVERYTHING_APART}, 15),
        (TIME, {"separation": EVERYTHING_APART}, 16),
        ({}, {"earlier_answers": "count"}, 14),
    ],
    ids=[
        "plain",
        "with a deadline",
        "with duties apart",
        "with both",
        "counting earlier answers",
    ],
)
def test_an_answer_that_opens_the_next_level(world, anna, seats, more, policy, expected):
    make_people(*(f"p{n}" for n in range(seats)))
    levels = level("one", anna), level("two", names(seats), **more)
    assert cost(world, anna, *levels, ends=("pending", 1), **policy) == expected
    assert Seat.objects.filter(level__index=1).count() == 2 * seats


@SEATS
def test_a_level_both_of_whose_first_people_are_away_costs_a_statement_for_each_link_of_deputies(world, anna, seats):
    first, second, *_ = make_people(*(f"p{n}" for n in range(seats)))
    delegate(first, world.worker)
    delegate(second, world.senior)
    levels = level("one", anna), level("two", names(seats))
    assert cost(world, anna, *levels, ends=("pending", 1)) == 15
