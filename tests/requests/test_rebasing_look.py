"""The look at a rebase: what would change."""

from __future__ import annotations

import pytest

from apps.requests.services.rebasing import preview
from apps.requests.services.rebasing_work import (
    rebase_to_calendar,
)
from tests.factories import make_calendar, make_request
from tests.requests.rebases import BUSINESS, shorter_hours
from tests.requests.test_clocks import policy, resolution

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_a_look_takes_the_same_statements_for_one_and_for_three(world, django_assert_num_queries):
    make_calendar()
    policy("standard", resolution(calendar="office", durations=BUSINESS))
    make_request(world.item, world.requester)
    shorter_hours()
    rebase = rebase_to_calendar("office", retroactive=True)
    preview(rebase)
    with django_assert_num_queries(7):
        assert preview(rebase).clocks == 1
    for _ in range(2):
        make_request(world.item, world.requester)
    with django_assert_num_queries(7):
        assert preview(rebase).clocks == 1
