"""How long to wait before an action is tried again."""

from __future__ import annotations

from math import ldexp

LONGEST_DELAY_S = 3600.0
MOST_DOUBLINGS = 32


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
