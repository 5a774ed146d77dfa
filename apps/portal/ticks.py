"""Where days, weeks or months begin on a bar of time: few enough to be read, in the reader's time zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone
from django.utils.formats import date_format

MOST = 7
LAST_NAMED = 91  # percent: further right there is no room for a name
HOUR, DAY = "H:i", "D j"
HOURS = (1, 2, 3, 6, 12)
DAYS = (1, 2, 7, 14)
MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A line at `x` percent, and its name; "" where there is no room for one."""

    x: float
    name: str


def ticks_between(start: datetime, end: datetime) -> list[Tick]:
    """At most seven, at the finest of some even steps."""
    for pattern, places in _steps(timezone.localtime(start), timezone.localtime(end)):
        found = [at for at in places if start < at < end]
        if len(found) <= MOST:
            return [_tick(at, start, end, pattern) for at in found]
    return []


def _steps(start: datetime, end: datetime) -> Iterator[tuple[str, list[datetime]]]:
    """The way a step is named, and its instants, beginning with the finest that may be few enough."""
    for hours in HOURS:
        if end - start <= timedelta(hours=hours * (MOST + 1)):
            yield HOUR, _by_hours(start, end, hours)
    for days in DAYS:
        if end - start <= timedelta(days=days * (MOST + 1)):
            yield DAY if days < 7 else "j M", _by_days(start, end, days)
    for months in MONTHS:
        yield "M Y" if months < 12 else "Y", _by_months(start, end, months)


def _by_hours(start: datetime, end: datetime, step: int) -> list[datetime]:
    midnight = _midnight(start.date())
    count = int((end - midnight) / timedelta(hours=step)) + 1
    return [midnight + timedelta(hours=step * n) for n in range(count)]


def _by_days(start: datetime, end: datetime, step: int) -> list[datetime]:
    """Every day, or every second; weeks from Monday."""
    first = start.date() - timedelta(days=start.weekday() if step >= 7 else 0)
    return [_midnight(first + timedelta(days=n)) for n in range(0, (end.date() - first).days + 1, step)]


def _by_months(start: datetime, end: datetime, step: int) -> list[datetime]:
    first = start.year * 12 + (start.month - 1) // step * step
    last = end.year * 12 + end.month - 1
    return [_midnight(date(n // 12, n % 12 + 1, 1)) for n in range(first, last + 1, step)]


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _tick(at: datetime, start: datetime, end: datetime, pattern: str) -> Tick:
    x, local = round(100 * ((at - start) / (end - start)), 3), timezone.localtime(at)
    shown = DAY if pattern == HOUR and local.time() == time.min else pattern
    return Tick(x=x, name=date_format(local, shown) if x <= LAST_NAMED else "")
