"""What moved the due times of a request's clocks: when, by what, and from when to when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from apps.accounts.models import User
from apps.outbox.models import Event
from apps.requests.enums import Priority, RequestEvent
from apps.requests.models import Request
from apps.requests.selectors.carried import Versions, carried_words, versions_named
from apps.requests.selectors.clocks import Explained
from apps.sla.clock import Move
from apps.sla.enums import SlaEvent

MOST_MOVES = 50


@dataclass(frozen=True, kw_only=True)
class Moved:
    """An event that moved a due time, and to when (None: the clock stood still); `cause` is what happened, `due`
    from when to when.
    """

    event: Event
    before: datetime | None
    after: datetime | None
    cause: str
    due: str

    @property
    def sentence(self) -> str:
        return f"{self.cause}: {self.due}."


@dataclass(frozen=True, kw_only=True)
class Names:
    """What sentences about due times need: people by id, versions, and the time zone of the request's item."""

    request: Request
    people: Mapping[int, str] = field(default_factory=dict)
    versions: Versions = field(default_factory=Versions)

    def person(self, pk: int) -> str:
        return self.people.get(pk, "somebody")

    def when(self, moment: datetime) -> str:
        """In the time zone of the item."""
        zone = ZoneInfo(self.request.item.time_zone)
        return f"{moment.astimezone(zone):%a %d %b %Y %H:%M} ({zone.key})"


def names_for(request: Request, events: Iterable[Event], *, people: Iterable[int | None] = ()) -> Names:
    """The names that sentences about these events need, and of these people: one statement, three if a rebase is among
    the events.
    """
    told = list(events)
    wanted = {event.data.get("assignee") for event in told if event.type == RequestEvent.OWNER_CHANGED} | {*people}
    found = User.objects.filter(pk__in=[pk for pk in wanted if pk])
    versions = versions_named(event.data for event in told if event.type == SlaEvent.REBASED)
    return Names(request=request, people={user.pk: str(user) for user in found}, versions=versions)


def moves_of(request: Request, clocks: Sequence[Explained]) -> list[list[Moved]]:
    """What moved the due time of each clock, oldest first, the newest `MOST_MOVES`; no statement if nothing did."""
    seqs = {move.event + 1 for one in clocks for move in one.reading.moves}  # a stream's events have no gap
    if not seqs:
        return [[] for _ in clocks]
    events = {event.seq - 1: event for event in Event.objects.filter(stream_id=request.pk, seq__in=seqs)}
    names = names_for(request, events.values())
    return [moved_by(one, events, names) for one in clocks]


def moved_by(one: Explained, events: Mapping[int, Event] | Sequence[Event], names: Names) -> list[Moved]:
    """The clock's moves in words; `events` by their place among the request's."""
    return [_moved(move, events[move.event], names) for move in one.reading.moves[-MOST_MOVES:]]


def _from_when_to_when(move: Move, names: Names) -> str:
    """ "due Tue 01 Dec 2026 17:00 (UTC), was Mon 30 Nov 2026 17:00 (UTC)"."""
    if move.after is None:
        return "it stands still"
    was = f", was {names.when(move.before)}" if move.before else ""
    return f"due {names.when(move.after)}{was}"


def _moved(move: Move, event: Event, names: Names) -> Moved:
    said = _MOVES.get(event.type, lambda data, names: "Something it listens to happened")(event.data, names)
    due = _from_when_to_when(move, names)
    return Moved(event=event, before=move.before, after=move.after, cause=said, due=due)


def _priority(data: Mapping[str, Any], names: Names) -> str:
    return (
        f"The priority changed from {Priority(data['was']).label.lower()} to {Priority(data['priority']).label.lower()}"
    )


def _owner(data: Mapping[str, Any], names: Names) -> str:
    person = names.person(data["assignee"]) if data.get("assignee") else ""
    team = f"the team {data['team']}" if data.get("team") else ""
    return f"The request went to {' of '.join(filter(None, (person, team)))}"


_MOVES: Mapping[str, Callable[[Mapping[str, Any], Names], str]] = {
    RequestEvent.PRIORITY_CHANGED: _priority,
    RequestEvent.OWNER_CHANGED: _owner,
    RequestEvent.HELD: lambda data, names: "The request was put on hold",
    RequestEvent.RESUMED: lambda data, names: "The request was taken up again",
    SlaEvent.REBASED: lambda data, names: f"It was measured anew {carried_words(data, names.versions)}",
}
