"""A second answer to what business time answers: windows laid minute by minute. Slow, and simple enough to believe."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from apps.calendars import business_time as bt

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ZONES = ["Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"]
STARTS = [datetime(2018, 10, 29, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 10, 22, tzinfo=UTC)]
MINUTE = timedelta(minutes=1)
MINUTES = 12 * 1440


@st.composite
def windows(draw: st.DrawFn, nights: bool = True) -> list[str]:
    edges = draw(st.lists(st.integers(0, 48), min_size=0, max_size=4, unique=True).map(sorted))
    found = [(low * 30, high * 30) for low, high in zip(edges[::2], edges[1::2], strict=False)]
    if found and nights and draw(st.booleans()):
        found[-1] = (found[-1][0], 1440 + draw(st.integers(0, found[0][0])))
    return [f"{low // 60:02}:{low % 60:02}-{high // 60:02}:{high % 60:02}" for low, high in found]


@st.composite
def documents(draw: st.DrawFn, start: datetime) -> dict[str, Any]:
    dates = st.integers(-1, 11).map(lambda n: str((start + timedelta(days=n)).date()))
    week = {day: draw(windows(nights=False)) for day in DAYS}
    week[draw(st.sampled_from(DAYS))] = ["10:00-12:00"]
    week[draw(st.sampled_from(DAYS))] = draw(st.sampled_from([["22:00-24:00"], ["01:30-03:15"], ["00:00-24:00"]]))
    return {
        "time_zone": draw(st.sampled_from(ZONES)),
        "week": week,
        "holidays": draw(st.dictionaries(dates, st.just("holiday"), max_size=2)),
        "overrides": draw(st.dictionaries(dates, windows(), max_size=2)),
        "breaks": draw(st.dictionaries(st.sampled_from(DAYS) | dates, windows(nights=False), max_size=2)),
    }


def naive_wall(zone: ZoneInfo, day: date, minute: int) -> datetime:
    """The first instant whose wall clock shows the time; a missing time is looked up with the offset of before."""
    wanted = datetime.combine(day, datetime.min.time()) + timedelta(minutes=minute)
    guesses = [wanted.replace(tzinfo=UTC) - timedelta(minutes=offset) for offset in range(-840, 841, 15)]
    found = [guess for guess in guesses if guess.astimezone(zone).replace(tzinfo=None) == wanted]
    if found:
        return min(found)
    before = (wanted - timedelta(days=1)).replace(tzinfo=zone).utcoffset()
    return wanted.replace(tzinfo=UTC) - before


def naive_open_minutes(document: dict, start: datetime) -> list[bool]:
    """Every minute of twelve days from `start`: is it open? Windows are laid on and cut off one by one."""
    zone, opened = ZoneInfo(document["time_zone"]), [False] * MINUTES

    def lay(day: date, window: str, value: bool) -> None:
        first, last = (int(time[:2]) * 60 + int(time[3:]) for time in window.split("-"))
        low, high = naive_wall(zone, day, first), naive_wall(zone, day, last if last > first else last + 1440)
        for minute in range(max(0, (low - start) // MINUTE), min(MINUTES, (high - start) // MINUTE)):
            opened[minute] = value

    days = [start.date() + timedelta(days=n) for n in range(-2, 14)]
    for day in days:
        week = document["week"].get(DAYS[day.weekday()], [])
        for window in document["overrides"].get(str(day), week):
            lay(day, window, True)
    for day in days:
        cuts = document["breaks"].get(DAYS[day.weekday()], []) + document["breaks"].get(str(day), [])
        for window in cuts + ["00:00-24:00"] * (str(day) in document["holidays"]):
            lay(day, window, False)
    return opened


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def random_windows(rng: Random, *, latest: int = 96) -> list[str]:
    """None to three windows on quarters of an hour; `latest` is in quarters."""
    edges = sorted(rng.sample(range(latest + 1), rng.choice((0, 2, 2, 4, 6))))
    return [f"{clock(low * 15)}-{clock(high * 15)}" for low, high in zip(edges[::2], edges[1::2], strict=True)]


def random_document(rng: Random, *, zone: str, start: datetime) -> dict[str, Any]:
    """A calendar with windows of every kind, also over midnight, around `start`."""
    dates = [str((start + timedelta(days=n)).date()) for n in range(MINUTES // 1440)]
    week = {day: random_windows(rng) for day in DAYS}
    first = rng.randrange(7)
    for place in (first, (first + 3) % 7):
        week[DAYS[place]] = [rng.choice(("22:00-06:00", "18:00-26:00", "00:00-24:00", "23:30-00:15"))]
        week[DAYS[(place + 1) % 7]] = rng.choice(([], ["06:30-12:00", "12:00-24:00"]))
    return {
        "time_zone": zone,
        "week": week,
        "holidays": dict.fromkeys(rng.sample(dates, 1), "holiday"),
        "overrides": {day: random_windows(rng) for day in rng.sample(dates, 2)},
        "breaks": {day: random_windows(rng) for day in rng.sample([*DAYS, *dates], 2)},
    }


def assert_agrees(calendar: bt.Calendar, opened: list[bool], start: datetime, low: int, high: int, wanted: int) -> None:
    """Every question about two minutes of the stretch is answered as by counting; `wanted` minutes are added."""
    begin, end = start + low * MINUTE, start + high * MINUTE
    assert bt.is_open(calendar, begin) == opened[low]
    assert bt.between(calendar, begin, end) == 60 * sum(opened[low:high])
    intervals = bt.open_intervals(calendar, begin, end)
    assert sum((b - a for a, b in intervals), timedelta()) == MINUTE * sum(opened[low:high])
    ahead = [minute for minute in range(low, MINUTES) if opened[minute]]
    if wanted <= len(ahead):
        assert bt.add(calendar, begin, wanted * 60) == start + (ahead[wanted - 1] + 1) * MINUTE
    if ahead:
        assert bt.next_open(calendar, begin) == start + ahead[0] * MINUTE
    behind = [minute for minute in range(high) if opened[minute]]
    if wanted <= len(behind):
        assert bt.add(calendar, end, -wanted * 60) == start + behind[-wanted] * MINUTE
