"""How often an action is tried, and how long to wait before it is tried again."""

from __future__ import annotations

from collections.abc import Mapping
from math import ldexp
from typing import Any

ATTEMPTS = {"webhook": 5, "create_request": 1}  # where the step does not say; any other action is tried once only
LONGEST_DELAY_S = 3600.0
MOST_DOUBLINGS = 32


def most_attempts(settings: Mapping[str, Any]) -> int:
    """How often the action of a step with these settings is tried at most."""
    action = settings["action"]
    attempts: int = settings.get("retry", {}).get("attempts", ATTEMPTS[action]) if action in ATTEMPTS else 1
    return attempts


def delay_before(attempt: int, *, first_delay_s: float, jitter: float) -> float:
    """Seconds between the failed attempt and this one: `first_delay_s` before attempt 2, then doubled each time.

    Attempt 1 is not waited for (0.0). At most an hour, times `jitter`, a random number from 0.5 to 1.0 that the caller
    draws, so that many failures at one instant do not all come back at one instant.
    """
    if not 0.5 <= jitter <= 1.0:
        raise ValueError("jitter is from 0.5 to 1.0")
    if attempt <= 1:
        return 0.0
    doublings = min(attempt - 2, MOST_DOUBLINGS)
    return min(ldexp(first_delay_s, doublings), LONGEST_DELAY_S) * jitter
