from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers

from apps.workflows.engine.retry import delay_before, most_attempts

pytestmark = pytest.mark.sqlite


def test_the_delay_doubles_up_to_an_hour():
    delays = [delay_before(attempt, first_delay_s=2, jitter=1.0) for attempt in range(1, 15)]
    assert delays == [0.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 3600.0, 3600.0]


def test_jitter_takes_away_up_to_a_half_also_of_the_longest():
    assert delay_before(2, first_delay_s=10, jitter=0.5) == 5.0
    assert delay_before(3, first_delay_s=10, jitter=0.75) == 15.0
    assert delay_before(1000, first_delay_s=10, jitter=0.5) == 1800.0


@pytest.mark.parametrize("jitter", [0.49, 1.01, -1.0, float("nan")])
def test_jitter_of_another_size_is_a_mistake_of_the_caller(jitter):
    with pytest.raises(ValueError, match=r"jitter is from 0.5 to 1.0"):
        delay_before(2, first_delay_s=1, jitter=jitter)


@given(integers(min_value=2, max_value=10**9), floats(0.001, 86400), floats(0.5, 1.0))
def test_a_delay_is_never_longer_than_an_hour_nor_shorter_than_half_the_first(attempt, first, jitter):
    delay = delay_before(attempt, first_delay_s=first, jitter=jitter)
    assert min(first, 3600.0) * 0.5 <= delay <= 3600.0


@pytest.mark.parametrize(
    ("settings", "attempts"),
    [
        ({"action": "webhook"}, 5),
        ({"action": "webhook", "retry": {"attempts": 2}}, 2),
        ({"action": "webhook", "retry": {"first_delay_s": 9}}, 5),
        ({"action": "create_request"}, 1),
        ({"action": "create_request", "retry": {"attempts": 3}}, 3),
        ({"action": "comment", "retry": {"attempts": 3}}, 1),
    ],
)
def test_what_reaches_beyond_the_request_is_tried_as_often_as_the_step_says_and_anything_else_once(settings, attempts):
    assert most_attempts(settings) == attempts
