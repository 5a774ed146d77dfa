"""How often somebody was at a place, and how long it took. Pure; all times are plain time, in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

ENDED = "ended"


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How long something took: how often it was measured, the median, and the time within which nine of ten are done
    (nearest rank). Without a measurement both are None."""

    count: int = 0
    median: float | None = None
    p90: float | None = None

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Spread:
        if not seconds:
            return cls()
        ordered = sorted(seconds)
        rank = -(-len(ordered) * 9 // 10)
        return cls(count=len(ordered), median=median(ordered), p90=ordered[rank - 1])


class Stays:
    """How often somebody was at a place, is there now (the first of them since `oldest`), and how long it took."""

    def __init__(self) -> None:
        self.visits = 0
        self.now = 0
        self.oldest: datetime | None = None
        self.waits: list[float] = []

    def add(self, status: str, opened_at: datetime, ended_at: datetime | None) -> None:
        self.visits += 1
        if ended_at is None:
            self.now += 1
            self.oldest = opened_at if self.oldest is None else min(self.oldest, opened_at)
        elif status == ENDED:
            self.waits.append(seconds_between(opened_at, ended_at))


def seconds_between(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds()
