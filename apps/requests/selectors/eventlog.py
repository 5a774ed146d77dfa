"""What people did, as lines of an event log: requests in the order of their streams, each from its first event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import F, Max, Q, QuerySet, Window

from apps.accounts.models import User
from apps.approvals.enums import ApprovalEvent, Verdict
from apps.approvals.models import Approval
from apps.outbox.models import Event
from apps.outbox.publish import SYSTEM
from apps.requests.enums import IMPORT, IMPORTED, RequestEvent
from apps.requests.eventlog.writing import LoggedEvent
from apps.requests.models import Request
from apps.workflows.engine.definition import Step
from apps.workflows.enums import WorkflowEvent
from apps.workflows.selectors import definition_of

ATTRIBUTES = ("number", "event", "step", "outcome")
TOGETHER = 2000
BY_ITSELF = "Service Flow"
FROM_A_LOG = (IMPORT, IMPORTED)
NEEDED = ("number", "origin", "external_id", "pins", "item__time_zone", "stream__quiet_until")
Data = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Told:
    """An event with the step it belongs to, if it does to one; `last_line`: the request's last that came from a log."""

    stream: int
    seq: int
    type: str
    actor: str
    role: str
    at: datetime
    data: Data
    last_line: int | None
    step_id: str = ""
    step: Step | None = None

    @property
    def by_person(self) -> bool:
        return self.actor != SYSTEM

    @property
    def step_name(self) -> str:
        return self.step.name if self.step else self.step_id

    @property
    def outcome(self) -> str:
        return str(self.data.get("verdict") or self.data.get("outcome") or "")


def _decided(told: _Told) -> str:
    return f"{told.step_name}: {Verdict(told.outcome).label}"


def _completed(told: _Told) -> str:
    outcome = told.step.outcome(told.outcome) if told.step else None
    return f"{told.step_name}: {outcome.label if outcome else told.outcome}"


# What counts as an activity, and how it is called. Cancelling with a reason tells of asking too: one activity.
ACTIVITIES: Mapping[str, Callable[[_Told], str]] = {
    RequestEvent.SUBMITTED: lambda told: "Submitted",
    RequestEvent.HELD: lambda told: "Put on hold",
    RequestEvent.RESUMED: lambda told: "Resumed",
    RequestEvent.CANCELLED: lambda told: "Cancelled" if told.by_person else "",
    RequestEvent.REOPENED: lambda told: "Reopened",
    RequestEvent.COMMENTED: lambda told: "Commented",
    ApprovalEvent.DECIDED: _decided,
    WorkflowEvent.TASK_CLAIMED: lambda told: f"{told.step_name}: taken up",
    WorkflowEvent.TASK_RELEASED: lambda told: f"{told.step_name}: given back",
    WorkflowEvent.TASK_COMPLETED: _completed,
    WorkflowEvent.WAIT_DONE: lambda told: f"{told.step_name}: waited",
}


def logged_events(*, item: str | None = None) -> Iterator[LoggedEvent]:
    """The activities of all requests, or of one item's, internal comments too; `at` is in the item's time zone.

    An event that came from an imported log is its line again: case, activity and role in the log's words. What such a
    line led to is no line of its own, so of imported history nothing else is told. Streamed: the events are one
    statement, and each 2,000 of them take at most three more.
    """
    events = _events(item).iterator(chunk_size=TOGETHER)
    names: dict[int, str] = {}
    while chunk := list(islice(events, TOGETHER)):
        surroundings = _Surroundings(names=names)
        surroundings.gather(chunk)
        yield from filter(None, map(surroundings.logged, chunk))


def _events(item: str | None) -> QuerySet[Event, Any]:
    of_a_log = Q(data__has_key="activity")
    events = Event.objects.filter(Q(type__in=ACTIVITIES) | of_a_log)
    if item is not None:
        events = events.filter(stream__request__item__slug=item)
    last_line = Window(Max("seq", filter=of_a_log), partition_by=F("stream"))
    told = events.annotate(last_line=last_line).order_by("stream", "seq")
    return told.values("stream", "seq", "type", "actor", "role", "at", "data", "last_line")


@dataclass(kw_only=True)
class _Surroundings:
    """What the events of a chunk refer to, read in bulk. The names of people are remembered from chunk to chunk."""

    names: dict[int, str]
    requests: dict[int, Request] = field(default_factory=dict)
    steps: dict[int, str] = field(default_factory=dict)

    def gather(self, chunk: Sequence[Data]) -> None:
        ids = {row["stream"] for row in chunk}
        found = Request.objects.filter(pk__in=ids).select_related("item", "stream").only(*NEEDED)
        self.requests = {request.pk: request for request in found}
        approvals = {row["data"]["approval"] for row in chunk if row["type"] == ApprovalEvent.DECIDED}
        self.steps = dict(Approval.objects.filter(pk__in=approvals).values_list("pk", "step"))
        unknown = {pk for row in chunk if (pk := _person(row["actor"], row["data"]))} - self.names.keys()
        if unknown:
            self.names |= dict(User.objects.filter(pk__in=unknown).values_list("pk", "username"))

    def logged(self, row: Data) -> LoggedEvent | None:
        """The line of the log, or None if the event is none."""
        told, request = self._told(row), self.requests[row["stream"]]
        line = told.data.get("activity")
        if line is None and (told.type not in ACTIVITIES or self._is_led_to(told, request)):
            return None
        activity = ACTIVITIES[told.type](told) if line is None else line
        return self._line(activity, told, request) if activity else None

    def _told(self, row: Data) -> _Told:
        data = row["data"]
        step_id = data.get("step") or self.steps.get(data.get("approval", 0), "")
        version = self.requests[row["stream"]].pins.get("workflow")
        steps = definition_of(version).steps if version and step_id else ()
        step = next((step for step in steps if step.id == step_id), None)
        return _Told(**row, step_id=step_id, step=step)

    def _is_led_to(self, told: _Told, request: Request) -> bool:
        """Whether the event is what a line of an imported log led to.

        It is if a line follows, or if the product did it by itself before the request was handed over.
        """
        if request.origin not in FROM_A_LOG:
            return False
        quiet = told.seq <= request.stream.quiet_until and not told.by_person
        return quiet or told.seq < (told.last_line or 0)

    def _line(self, activity: str, told: _Told, request: Request) -> LoggedEvent:
        known = {"number": request.number, "event": told.type, "step": told.step_id, "outcome": told.outcome}
        return LoggedEvent(
            case=_case(request),
            activity=activity,
            at=told.at.astimezone(ZoneInfo(request.item.time_zone)),
            resource=self._resource(told),
            role=told.role,
            attributes={name: value for name, value in known.items() if value},
        )

    def _resource(self, told: _Told) -> str:
        person = _person(told.actor, told.data)
        return self.names.get(person, told.actor) if person else BY_ITSELF


def _person(actor: str, data: Data) -> int | None:
    """Whose line it is: the person another acted for, else the actor, if it is a person."""
    kind, _, pk = actor.partition(":")
    return data.get("for") or (int(pk) if kind == "user" else None)


def _case(request: Request) -> str:
    """The request's number, or what the source of an imported one called it."""
    case = request.external_id.partition(":")[2] if request.origin in FROM_A_LOG else ""
    return case or request.number
