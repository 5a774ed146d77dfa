"""Why a request is carried out as it is: its workflow, who is asked to approve it, and when it is due.

Everything is told in ids and in sentences, and only of what everybody who sees the request may read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max

from apps.accounts.models import User
from apps.approvals.enums import ApprovalEvent, Why
from apps.approvals.models import Approval, Seat
from apps.calendars.models import CalendarVersion
from apps.outbox.models import Event
from apps.requests.enums import Priority
from apps.requests.models import Request
from apps.requests.selectors.approver_words import reason
from apps.requests.selectors.clocks import WHY, Explained, calendars_of, explained
from apps.requests.selectors.moves import Moved, Names, moved_by, names_for
from apps.requests.selectors.visibility import readable_clocks
from apps.sla.clock import ClockEvent
from apps.sla.enums import ClockStatus
from apps.sla.models import SlaClock
from apps.sla.words import duration_words, length_words, name_of

MOST_SEATS = 500
ASKING = (ApprovalEvent.LEVEL_OPENED, ApprovalEvent.ASKED)
NOT_COUNTED = ("closed", "holiday", "paused", "other team")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What a rule of the item selected: a workflow or an SLA policy with its version, and the rules passed over."""

    key: str
    version: int | None
    rule: str
    guard: str
    passed_over: Sequence[str]
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A seat and why it is there; `why` is a value of `Why` where somebody was asked after their level had opened."""

    seat: Seat
    why: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Due:
    """A clock, the calendar it counts by now, and what moved its due time, oldest first."""

    one: Explained
    calendar: CalendarVersion | None
    moved_by: Sequence[Moved]
    sentences: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """`workflow` and `sla` are None until the request is submitted, `sla` also where no target measures it.

    `approvers` are the seats of the newest round of each approval (the newest 500), `clocks` the latest of each target.
    """

    request: Request
    workflow: Chosen | None
    sla: Chosen | None
    approvers: Sequence[Asked]
    clocks: Sequence[Due]


def explain(request: Request, *, reader: User) -> Explanation:
    """Why this workflow, these approvers, these due times, of the clocks that the reader sees. The number of statements
    depends on nothing that grows.
    """
    events = list(Event.objects.filter(stream_id=request.pk).order_by("seq"))
    seats, clocks = _seats(request), _clocks(request, events, reader)
    people = {seat.because.get(key) for seat in seats for key in ("added_by", "reassigned_from")}
    names = names_for(request, events, people=people)
    return Explanation(
        request=request,
        workflow=_workflow(request),
        sla=_sla(request, clocks),
        approvers=list(_asked(seats, events, names)),
        clocks=_due(clocks, events, names),
    )


# ------------------------------------------------------------------------------------ workflow and policy


def _workflow(request: Request) -> Chosen | None:
    found = request.selection
    if "workflow" not in found:
        return None
    return _chosen(found, found["workflow"], found["version"], "the workflow {} carries it out")


def _sla(request: Request, clocks: Sequence[Explained]) -> Chosen | None:
    found = request.selection.get("sla") or {}
    if not found.get("policy"):
        return None
    versions = [one.clock.policy.n for one in clocks if one.clock.policy.key == found["policy"]]
    return _chosen(found, found["policy"], max(versions, default=None), "the SLA policy {} measures it")


def _chosen(found: Mapping[str, Any], key: str, version: int | None, what: str) -> Chosen:
    passed, rule = found.get("passed_over", []), found.get("rule", "")
    which = f"“{key}”" + (f", version {version}," if version else "")
    why = f"Because of the rule “{rule}”" if rule else "Because no rule of the item says otherwise"
    over = f" Passed over, as they did not hold: {', '.join(f'“{one}”' for one in passed)}." if passed else ""
    sentence = f"{why}, {what.format(which)}.{over}"
    return Chosen(
        key=key, version=version, rule=rule, guard=found.get("guard", ""), passed_over=passed, sentence=sentence
    )


# ------------------------------------------------------------------------------------ approvers


def _seats(request: Request) -> list[Seat]:
    """The seats of the newest round of each approval step (of each of its instances), oldest first."""
    rounds = Approval.objects.filter(stream_id=request.pk).values("visit__run", "step", "instance").order_by()
    newest = rounds.annotate(newest=Max("pk")).values("newest")
    found = Seat.objects.filter(level__approval__in=newest).select_related("user", "principal", "level__approval")
    return sorted(found.order_by("-pk")[:MOST_SEATS], key=lambda seat: seat.pk)


def _asked(seats: Iterable[Seat], events: Iterable[Event], names: Names) -> Iterator[Asked]:
    told = [event for event in events if event.type in ASKING]
    why = {seat["seat"]: event.data.get("why", "") for event in told for seat in event.data.get("seats", ())}
    for seat in seats:
        said = why.get(seat.pk, "")
        yield Asked(seat=seat, why=said, sentence=_why_asked(seat, said, names))


def _why_asked(seat: Seat, why: str, names: Names) -> str:
    """ "Mia is asked at ...: manager of the requester", "Ivo was asked at ... as the deputy of Mia (...)"."""
    rule = _named_by(seat.because, names)
    where = f" at the level “{seat.level.name}” of “{seat.level.approval.name}”"
    is_over = seat.left_at is not None or seat.level.approval.ended_at is not None
    asked = "was asked" if is_over else "is asked"
    if seat.principal is not None:
        return f"{seat.user} {asked}{where} as the deputy of {seat.principal} ({rule})."
    because = f", because {Why(why).label}" if why and why != Why.ADDED else ""
    return f"{seat.user} {asked}{where}: {rule}{because}."


def _named_by(rule: Mapping[str, Any], names: Names) -> str:
    if "added_by" in rule:
        return f"added by {names.person(rule['added_by'])}"
    if "reassigned_from" in rule:
        return f"took the seat of {names.person(rule['reassigned_from'])} over"
    return reason(rule) or "named by the policy"


# ------------------------------------------------------------------------------------ clocks


def _clocks(request: Request, events: Sequence[Event], reader: User) -> list[Explained]:
    """The latest clock of each target, oldest first."""
    seen = readable_clocks(request, reader=reader)
    latest = seen.values("target").order_by().annotate(newest=Max("pk"))
    rows = SlaClock.objects.filter(pk__in=latest.values("newest")).select_related("policy").order_by("pk")
    rows = rows.defer("policy__document")
    told = [ClockEvent(type=event.type, at=event.at, data=event.data) for event in events]
    return explained(request, list(rows), events=told)


def _due(clocks: Sequence[Explained], events: Sequence[Event], names: Names) -> list[Due]:
    calendars = calendars_of(clocks)
    found = []
    for one in clocks:
        pk = one.reading.state.calendar
        calendar = calendars.get(pk) if pk is not None and one.in_business else None
        sentences = list(_why_due(one, calendar, names))
        found.append(Due(one=one, calendar=calendar, moved_by=moved_by(one, events, names), sentences=sentences))
    return found


def _why_due(one: Explained, calendar: CalendarVersion | None, names: Names) -> Iterator[str]:
    state, policy = one.reading.state, one.clock.policy
    name = name_of(one.target)
    due = ""
    if one.reading.due_at and state.is_live:
        due = f"; {'due' if one.reading.due_at > one.until else 'it was due'} {names.when(one.reading.due_at)}"
    yield f"“{name}”: {ClockStatus(one.reading.status).label}{due}."
    duration = duration_words(one.target.durations[state.priority])
    by = f", counted by the calendar {calendar.key}, version {calendar.n}" if calendar else ""
    yield (
        f"The policy {policy.key}, version {policy.n}, allows {duration} at {Priority(state.priority).label.lower()}"
        f" priority{by}."
    )
    lengths = one.lengths
    parts = [f"{length_words(lengths[why])} {WHY[why]}" for why in NOT_COUNTED if lengths.get(why, 0) >= 1]
    not_counted = f"; not counted: {', '.join(parts)}" if parts else ""
    counted = length_words(one.reading.elapsed, business=one.in_business)
    yield f"Counted since {names.when(state.started_at)}: {counted}{not_counted}."
