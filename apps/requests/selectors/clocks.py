"""Why a request is due when it is: its clocks read from its events, with every stretch and its reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from apps.accounts.models import User
from apps.calendars.models import CalendarVersion
from apps.core import clock as time
from apps.core.text import in_brackets
from apps.requests.models import Request
from apps.requests.selectors.visibility import readable_clocks
from apps.sla import clock
from apps.sla.clock import ClockEvent, ClockReading, Interval, Move, Target
from apps.sla.clock.context import REBASED, is_retroactive
from apps.sla.models import SlaClock
from apps.sla.selectors import CALENDARS, events_told, target_of, targets_told


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A stored clock with its target, and what a replay of the events says of it at `until`."""

    clock: SlaClock
    target: Target
    reading: ClockReading
    until: datetime

    @property
    def in_business(self) -> bool:
        """Whether it counts the open hours of a calendar now, not all time."""
        return self.target.durations[self.reading.state.priority].by_calendar

    @property
    def lengths(self) -> dict[str, float]:
        """The seconds of its life by what became of them: `running` is what was counted."""
        found: dict[str, float] = defaultdict(float)
        for interval in self.reading.intervals:
            found[interval.why] += (interval.end - interval.start).total_seconds()
        return dict(found)


WHY = {
    "closed": "outside working hours",
    "holiday": "a holiday",
    "paused": "on hold",
    "other team": "another team had it",
}


def why_of(interval: Interval) -> str:
    """Why a stretch counted or not, as people say it; a holiday bears its name."""
    if interval.counted:
        return "time runs" if interval.calendar is None else "within working hours"
    return WHY.get(interval.why, interval.why) + in_brackets(interval.names)


def explained_clocks(request: Request, *, reader: User | None = None, until: datetime | None = None) -> list[Explained]:
    """The latest clock of every target of the request that the reader sees (None sees all), oldest first."""
    latest: dict[str, SlaClock] = {}
    rows = readable_clocks(request, reader=reader).select_related("policy", "calendar")
    for row in rows.defer("policy__document", "calendar__document"):
        latest[row.target] = row
    return explained(request, list(latest.values()), until=until)


def explained(
    request: Request,
    rows: Sequence[SlaClock],
    *,
    until: datetime | None = None,
    events: Sequence[ClockEvent] | None = None,
) -> list[Explained]:
    """These clocks of the request, in their order, each with what a replay says of it.

    One statement for the events (none if they are given), and one for each version of a policy or calendar that this
    process has not read yet.
    """
    if not rows:
        return []
    told = events_told(request.pk) if events is None else events
    moment = until or max(time.now(), told[-1].at)
    lives = _Lives(told, moment)
    return [Explained(clock=row, target=target_of(row), reading=lives.of(row), until=moment) for row in rows]


def calendars_of(clocks: Iterable[Explained]) -> dict[int, CalendarVersion]:
    """The calendar versions that clocks were counted by, by id, without their documents. One statement."""
    read = list(clocks)
    wanted = {interval.calendar for one in read for interval in one.reading.intervals}
    wanted |= {one.reading.state.calendar for one in read}
    return CalendarVersion.objects.defer("document").in_bulk([pk for pk in wanted if pk is not None])


class _Lives:
    """The clocks of each target as the events tell them; a target's are read once."""

    def __init__(self, events: Sequence[ClockEvent], until: datetime) -> None:
        self.events, self.until = events, until
        self.retroactive = [n for n, event in enumerate(events) if is_retroactive(event)]
        self.read: dict[tuple[str, int, datetime], tuple[ClockReading, ...]] = {}

    def of(self, row: SlaClock) -> ClockReading:
        """The reading of the clock that began and stopped when the row did; else of the one that began then."""
        count, until = self._heard(row)
        target, lives = target_of(row), self._lives(target_of(row), count, until)
        began = [one for one in lives if one.state.started_at == row.started_at] or lives
        reading = next((one for one in began if one.state.stopped_at == row.stopped_at), began[-1])
        reading = replace(reading, moves=self._moves(target, reading, count))
        if count == len(self.events) or not reading.state.is_live:
            return reading
        state = clock.dropped(reading.state, target, CALENDARS, until)  # by the rebase that it does not hear any more
        return replace(reading, status=state.status, due_at=state.due_at, state=state)

    def _lives(self, target: Target, count: int, until: datetime) -> tuple[ClockReading, ...]:
        """The target's clocks as the first events told them by then."""
        key = (target.id, count, until)
        if key not in self.read:
            heard = self.events[:count]
            told = targets_told(target.id, heard)
            self.read[key] = clock.replay_all(target, CALENDARS, heard, until, targets=told)
        return self.read[key]

    def _moves(self, target: Target, reading: ClockReading, count: int) -> tuple[Move, ...]:
        """What moved the due time, as it was known each time: a retroactive rebase makes it seem that it had always
        been what it is since then, so each part of the life is read without those that came later.
        """
        found: list[Move] = []
        since, stopped = -1, reading.state.stopped_at
        for n in self.retroactive:
            at = self.events[n].at
            if n >= count or (stopped is not None and at > stopped):
                break
            before, after = self._live(target, n, at), self._live(target, n + 1, at)
            if before is None or after is None:
                continue
            found += [move for move in before.moves if move.event > since]
            if before.due_at != after.due_at:
                found.append(Move(event=n, before=before.due_at, after=after.due_at))
            since = n
        return (*found, *(move for move in reading.moves if move.event > since))

    def _live(self, target: Target, count: int, at: datetime) -> ClockReading | None:
        """The clock of the target that ran then, as was known by the first events."""
        lives = self._lives(target, count, at)
        return lives[-1] if lives and lives[-1].state.is_live else None

    def _heard(self, row: SlaClock) -> tuple[int, datetime]:
        """How many of the events the row heard, and until when it is read.

        A retroactive rebase leaves clocks alone that had stopped before it, or that it drops; what had stopped before
        the policy of its row was in force was measured by the rebase to that.
        """
        stopped = row.stopped_at
        if stopped is not None:
            brought = next((n for n, event in enumerate(self.events) if _brings(event, row.policy_id)), -1)
            for n in self.retroactive:
                at, is_another = self.events[n].at, bool(self.events[n].data.get("policy"))
                if n > brought and (at > stopped or (at == stopped and is_another)):
                    return n, max(stopped, self.events[brought].at) if brought >= 0 else stopped
        return len(self.events), self.until


def _brings(event: ClockEvent, policy: int) -> bool:
    return event.type == REBASED and event.data.get("policy") == policy
