"""A policy document: the targets it gives, and what it may not say."""

from __future__ import annotations

from copy import deepcopy

import pytest

from apps.sla.clock import (
    Duration,
    parse_policy,
)
from apps.sla.policy_check import check_policy
from tests.sla.clocks import POLICY


def test_a_policy_gives_the_targets_of_a_priority() -> None:
    assert check_policy(POLICY) == {}
    (found,) = parse_policy(POLICY).targets
    assert (found.id, found.metric, found.calendar, found.warn_at) == ("response", "response", "office", (50, 75))
    assert found.durations["high"] == Duration(n=7200, unit="business")
    assert found.durations["low"] == Duration(n=86400, unit="elapsed")


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ([], "nonsense", "policy"),
        (["colour"], "red", "colour"),
        (["pause_on_hold"], "yes", "pause_on_hold"),
        (["targets"], [], "targets"),
        (["targets", 0], 7, "targets.0"),
        (["targets", 0, "colour"], "red", "targets.0.colour"),
        (["targets", 0, "id"], "No id", "targets.0.id"),
        (["targets", 0, "metric"], "speed", "targets.0.metric"),
        (["targets", 0, "metric"], "stage", "targets.0.of"),
        (["targets", 0, "metric"], ["response"], "targets.0.metric"),
        (["targets", 0, "calendar"], None, "targets.0.calendar"),
        (["targets", 0, "warn_at"], [0], "targets.0.warn_at"),
        (["targets", 0, "warn_at"], [100], "targets.0.warn_at"),
        (["targets", 0, "warn_at"], [50, 50], "targets.0.warn_at"),
        (["targets", 0, "warn_at"], ["50"], "targets.0.warn_at"),
        (["targets", 0, "durations"], None, "targets.0.durations"),
        (["targets", 0, "durations", "urgent"], {"seconds": 1}, "targets.0.durations.urgent"),
        (["targets", 0, "durations", "low"], None, "targets.0.durations.low"),
        (["targets", 0, "durations", "low"], {"seconds": -1}, "targets.0.durations.low"),
        (["targets", 0, "durations", "low"], {"seconds": True}, "targets.0.durations.low"),
        (["targets", 0, "durations", "low"], {"seconds": 1.5}, "targets.0.durations.low"),
        (["targets", 0, "durations", "low"], {"seconds": 10**12}, "targets.0.durations.low"),
        (["targets", 0, "durations", "low"], {"days": 1}, "targets.0.durations.low"),
        (["targets", 0, "durations", "low"], {"seconds": 1, "business_seconds": 1}, "targets.0.durations.low"),
    ],
)
def test_what_a_policy_may_not_say_is_a_problem_of_its_field(path: list, value: object, field: str) -> None:
    document = deepcopy(POLICY)
    place: object = document
    for key in path[:-1]:
        place = place[key]
    if path:
        place[path[-1]] = value
    else:
        document = value
    assert list(check_policy(document)) == [field]


def test_two_targets_with_one_id_and_a_missing_calendar_are_problems() -> None:
    target = {key: value for key, value in POLICY["targets"][0].items() if key != "calendar"}
    problems = check_policy({"targets": [*POLICY["targets"], target]})
    assert list(problems) == ["targets.1.id", "targets.1.calendar"]
