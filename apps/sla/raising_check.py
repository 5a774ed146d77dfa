"""Where raising the priority would use up the time that it means to save. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from apps.sla.targets import Target, parse_policy

LOWEST_FIRST = ("low", "medium", "high", "critical")


def raising_warnings(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """By place of each escalation that would miss its target by raising the priority. The document has no problems."""
    return {
        f"targets.{number}.escalations.{index}.at": [said]
        for number, target in enumerate(parse_policy(document).targets)
        for index, escalation in enumerate(target.escalations)
        if escalation.do == "raise_priority" and escalation.at is not None
        for said in _late_at_once(target, escalation.at)
    }


def _late_at_once(target: Target, percent: int) -> Iterator[str]:
    late = [
        f"{was} to {raised}"
        for was, raised in pairwise(LOWEST_FIRST)
        if target.durations[was].unit == target.durations[raised].unit
        and target.durations[was].n * percent >= target.durations[raised].n * 100
    ]
    if late:
        steps = ", ".join(late)
        yield f"Raised then from {steps}, the target is missed at once: by then that priority's time is used up."
