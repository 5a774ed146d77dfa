"""A clock as a bar from its start to its due time: what was counted, what is still to count, what is not, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from apps.portal.lines import clock_name
from apps.portal.ticks import Tick, ticks_between
from apps.requests.models import Request
from apps.requests.selectors.clocks import WHY, Explained, calendars_of, why_of
from apps.requests.selectors.moves import Moved, moves_of
from apps.sla import clock
from apps.sla.clock import Interval
from apps.sla.enums import ClockStatus
from apps.sla.selectors import CALENDARS
from apps.sla.words import duration_words, length_words
from apps.workflows.engine.definition import Definition

MOST_STRETCHES = 200
COUNTED, AHEAD = "counted", "ahead"
KINDS: Mapping[str, str] = {"closed": "closed", "holiday": "holiday"}


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A stretch of a clock's life: `kind` is how it is drawn (`counted`, `ahead`, `closed`, `holiday`, `held`), `why`
    its words; `business` whether its hours are those of a calendar. On the bar from `x`, so wide, in percent.
    """

    start: datetime
    end: datetime
    kind: str
    why: str
    calendar: str
    business: bool = False
    x: float = 0
    width: float = 0

    @property
    def seconds(self) -> int:
        """Between its instants as they are shown, in whole seconds: so stretches add up to the second."""
        return int(self.end.timestamp()) - int(self.start.timestamp())

    @property
    def length(self) -> str:
        return length_words(self.seconds, business=self.business)

    @property
    def counted(self) -> bool:
        return self.kind == COUNTED


@dataclass(frozen=True, kw_only=True)
class Part:
    """What the stretches of one kind on the bar come to."""

    kind: str
    name: str
    length: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """An instant on the bar, at `x` percent; `turned` where its name stands to the left of it."""

    name: str
    x: float

    @property
    def turned(self) -> bool:
        return self.x > 80


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A clock with its bar, which ends when the clock is due, also where it went on after that; now where it stands.

    `rule` is what the target allows ("8 business hours"), `rest` what is left of it while the clock stands; `live` is
    whether there is time left, or it gets later and later; `over` whether the due time is past or does not matter any
    more; `moves` are what moved it, oldest first; `rows` all stretches so far, the first `MOST_STRETCHES` of `count`.
    """

    name: str
    state: str
    rule: str
    rest: str
    due_at: datetime | None
    stopped_at: datetime | None
    live: bool
    over: bool
    used: str
    allowed: str
    policy: str
    start: datetime
    end: datetime
    mark: Mark | None
    stretches: Sequence[Stretch]
    parts: Sequence[Part]
    ticks: Sequence[Tick]
    rows: Sequence[Stretch]
    count: int
    moves: Sequence[Moved] = ()


def bars_of(request: Request, explained: Sequence[Explained], workflow: Definition | None) -> list[Bar]:
    """The bars of a request's clocks with what moved their due times; as many statements for one as for several."""
    names = {pk: f"{version.key}, version {version.n}" for pk, version in calendars_of(explained).items()}
    moves = moves_of(request, explained)
    to_come = [clock.ahead(one.reading, one.target, CALENDARS, one.until) for one in explained]
    bars = [bar_of(one, ahead, names, workflow) for one, ahead in zip(explained, to_come, strict=True)]
    return [replace(bar, moves=moved) for bar, moved in zip(bars, moves, strict=True)]


def bar_of(one: Explained, to_come: Sequence[Interval], names: Mapping[int, str], workflow: Definition | None) -> Bar:
    """The bar of one clock: its life, and what is to come until it is due; `names` are those of the calendar versions
    it is counted by, by id.
    """
    reading, state = one.reading, one.reading.state
    rows = [_stretch(interval, names) for interval in reading.intervals]
    ahead = [_stretch(interval, names, counted=AHEAD) for interval in to_come]
    start, counted = state.started_at, partial(length_words, business=one.in_business)
    end = max(reading.due_at or (rows[-1].end if rows else start), start)
    shown = [_placed(stretch, start, end) for stretch in (*rows, *ahead) if stretch.start < end]
    return Bar(
        name=clock_name(one.clock, one.target, workflow),
        state=ClockStatus(reading.status).label,
        rule=duration_words(one.target.durations[state.priority]),
        rest=counted(state.allowed - reading.elapsed) if reading.status == ClockStatus.PAUSED else "",
        due_at=reading.due_at,
        stopped_at=state.stopped_at,
        live=state.is_live and reading.due_at is not None,
        over=not state.is_live or (reading.due_at is not None and reading.due_at <= one.until),
        used=counted(sum(row.seconds for row in rows if row.counted)),
        allowed=counted(state.allowed),
        policy=f"{one.clock.policy.key}, version {one.clock.policy.n}",
        start=start,
        end=end,
        mark=_mark(one, start, end),
        stretches=shown,
        parts=_parts(shown),
        ticks=ticks_between(start, end),
        rows=rows[:MOST_STRETCHES],
        count=len(rows),
    )


def _stretch(interval: Interval, names: Mapping[int, str], *, counted: str = COUNTED) -> Stretch:
    return Stretch(
        start=interval.start,
        end=interval.end,
        kind=counted if interval.counted else KINDS.get(interval.why, "held"),
        why=why_of(interval),
        calendar=names.get(interval.calendar, "") if interval.calendar is not None else "",
        business=interval.counted and interval.calendar is not None,
    )


def _placed(one: Stretch, start: datetime, end: datetime) -> Stretch:
    """The stretch as far as it is on the bar."""
    until = min(one.end, end)
    x = percent(one.start, start, end)
    return Stretch(
        start=one.start,
        end=until,
        kind=one.kind,
        why=one.why,
        calendar=one.calendar,
        business=one.business,
        x=x,
        width=round(max(percent(until, start, end) - x, 0.05), 3),
    )


def percent(at: datetime, start: datetime, end: datetime) -> float:
    """Where an instant is between two others, 0 to 100."""
    return round(100 * ((at - start) / (end - start)), 3) if end > start else 0.0


def _mark(one: Explained, start: datetime, end: datetime) -> Mark | None:
    """Now, or when the clock was stopped, where that is on the bar."""
    stopped = one.reading.state.stopped_at
    at = stopped or one.until
    return Mark(name="stopped" if stopped else "now", x=percent(at, start, end)) if start < at <= end else None


def _parts(shown: Iterable[Stretch]) -> list[Part]:
    """What was counted and what is still to come first, then everything else by its reason."""
    first = {COUNTED: "counted", AHEAD: "still to count"}
    names = {**first, "holiday": WHY["holiday"]}
    found: dict[tuple[str, str], list[Stretch]] = {}
    for one in shown:
        found.setdefault((one.kind, names.get(one.kind, one.why)), []).append(one)
    ordered = sorted(found.items(), key=lambda item: item[0][0] not in first)
    return [Part(kind=kind, name=name, length=_sum(stretches)) for (kind, name), stretches in ordered]


def _sum(stretches: Sequence[Stretch]) -> str:
    return length_words(sum(one.seconds for one in stretches), business=any(one.business for one in stretches))
