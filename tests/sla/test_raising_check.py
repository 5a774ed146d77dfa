"""An author is told where raising the priority would miss the target at once."""

from __future__ import annotations

from typing import Any

import pytest

from apps.sla.policy_check import check_policy
from apps.sla.raising_check import raising_warnings

MINUTES = {"critical": 5, "high": 10, "medium": 15, "low": 60}


def raising(at: int, **durations: dict[str, int]) -> dict[str, Any]:
    """A policy of one target that raises the priority at a percentage of its time."""
    raises = {"id": "up", "at": at, "do": "raise_priority"}
    lasts = {level: {"seconds": 60 * minutes} for level, minutes in MINUTES.items()} | durations
    document = {"targets": [{"id": "a", "metric": "resolution", "durations": lasts, "escalations": [raises]}]}
    assert check_policy(document) == {}
    return document


@pytest.mark.parametrize(
    ("at", "steps"),
    [(24, ""), (25, "low to medium"), (50, "low to medium, high to critical"),
     (67, "low to medium, medium to high, high to critical")],
)  # fmt: skip
def test_a_raised_priority_whose_time_is_used_up_by_then_is_said(at: int, steps: str) -> None:
    said = f"Raised then from {steps}, the target is missed at once: by then that priority's time is used up."
    assert raising_warnings(raising(at)) == ({"targets.0.escalations.0.at": [said]} if steps else {})


def test_times_in_different_units_are_not_compared() -> None:
    days = {"medium": {"calendar_days": 1}}
    assert raising_warnings(raising(40, **days)) == {}


def test_after_the_breach_nothing_is_said() -> None:
    document = raising(50)
    document["targets"][0]["escalations"] = [{"id": "up", "after_breach": 60, "do": "raise_priority"}]
    assert raising_warnings(document) == {}
