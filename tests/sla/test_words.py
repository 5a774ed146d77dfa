from __future__ import annotations

from typing import Any

import pytest

from apps.sla.targets import parse_policy
from apps.sla.words import changes_words, length_words

DURATIONS = {level: {"seconds": 60} for level in ("critical", "high", "medium", "low")}


def words(*, pause_on_hold: bool = True, **on: list[dict[str, str]]) -> tuple[str, ...]:
    target: dict[str, Any] = {"id": "a", "metric": "resolution", "durations": DURATIONS, "on": on}
    return changes_words(parse_policy({"targets": [target], "pause_on_hold": pause_on_hold}).targets[0])


@pytest.mark.parametrize("pauses", [True, False])
def test_what_the_metric_says_is_not_said_again(pauses: bool) -> None:
    assert words(pause_on_hold=pauses) == ()


def test_other_events_are_said_in_the_order_of_a_clocks_life() -> None:
    answered = {"event": "comment.added", "where": "event.internal == false"}
    assert words(reset=[answered], stop=[{"event": "request.completed"}, {"event": "task.completed"}], pause=[]) == (
        "pauses at no event",
        "stops at request.completed or task.completed",
        "begins anew at comment.added if event.internal == false",
    )


def test_a_length_is_said_to_the_second_and_business_time_without_days() -> None:
    lengths = (0, 73, 400, 3_600, 86_400, 97_205)
    assert [length_words(seconds) for seconds in lengths] == [
        "0 s",
        "1 min 13 s",
        "6 min 40 s",
        "1 h",
        "1 day",
        "1 day 3 h 5 s",
    ]
    assert [length_words(seconds, business=True) for seconds in lengths[-2:]] == ["24 h", "27 h 5 s"]
