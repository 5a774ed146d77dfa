"""Deadlines a second in one process, near and far, and as a ratio to two floors of the same run.

The floors: bare datetime additions (what a deadline costs at least), and a loop over days that knows the same week and
holidays but neither breaks, nights nor changes of clocks (what one would write at first).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from time import perf_counter

from apps.calendars import business_time as bt

DAYS = ("mon", "tue", "wed", "thu", "fri")
HOLIDAYS = [f"2026-{month:02}-14" for month in range(1, 11)]
OFFICE = {
    "time_zone": "Europe/Amsterdam",
    "week": {day: ["09:00-17:00"] for day in DAYS},
    "holidays": dict.fromkeys(HOLIDAYS, "closed"),
}
CLOSED = {datetime.fromisoformat(day).date() for day in HOLIDAYS}
STARTS = [datetime(2026, 3, 2, 10, tzinfo=UTC) + timedelta(minutes=n) for n in range(10_000)]
ROUNDS = 5
Deadline = Callable[[datetime, int], datetime]


def by_days(start: datetime, hours: int) -> datetime:
    """The loop over days, in UTC."""
    left = timedelta(hours=hours)
    day = start
    while True:
        opening, closing = day.replace(hour=9, minute=0), day.replace(hour=17, minute=0)
        if day.weekday() < 5 and day.date() not in CLOSED:
            begin = max(start, opening)
            if begin < closing and begin + left <= closing:
                return begin + left
            left -= max(closing - begin, timedelta())
        day += timedelta(days=1)


def added(start: datetime, hours: int) -> datetime:
    return start + timedelta(hours=hours)


def rate(deadline: Deadline, hours: int, *, count: int) -> float:
    began = perf_counter()
    for start in STARTS[:count]:
        deadline(start, hours)
    return count / (perf_counter() - began)


def run() -> dict[str, float]:
    """Medians of some rounds: deadlines per second, with 16 and with 2,000 business hours."""
    calendar = bt.Calendar.from_document(OFFICE)
    measured: dict[str, tuple[Deadline, int, int]] = {
        "16 business hours": (lambda start, hours: bt.add(calendar, start, hours * 3600), 16, 10_000),
        "2,000 business hours": (lambda start, hours: bt.add(calendar, start, hours * 3600), 2000, 10_000),
        "a loop over days, 16 hours": (by_days, 16, 2000),
        "a loop over days, 2,000 hours": (by_days, 2000, 40),
        "bare datetime additions": (added, 16, 10_000),
    }
    for start in STARTS[::97]:
        assert bt.between(calendar, start, bt.add(calendar, start, 57_600)) == 57_600
    found: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(ROUNDS):
        for name, (deadline, hours, count) in measured.items():
            found[name].append(rate(deadline, hours, count=count))
    return {name: median(rates) for name, rates in found.items()}


def main() -> None:
    figures = run()
    floor = figures["bare datetime additions"]
    print("deadlines per second in one process, ten holidays (docs/performance.md)")
    for name, value in figures.items():
        print(f"{name:<30} {value:>12,.0f}   {value / floor:.3f} of bare additions")
    near, far = figures["16 business hours"], figures["2,000 business hours"]
    print(f"near against far: {near / far:.2f}")
    for hours, value in (("16", near), ("2,000", far)):
        print(f"against the loop, {hours} hours: {value / figures[f'a loop over days, {hours} hours']:.1f} times")


if __name__ == "__main__":
    main()
