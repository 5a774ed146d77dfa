"""The frame of every write to a request: what is loaded under the lock, what gathers on the way, how it ends.

lock the stream -> ask the policy -> plan -> apply -> carry out the effects -> publish
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.accounts.cast import Cast
from apps.accounts.models import User
from apps.calendars.selectors import current_version
from apps.core import clock
from apps.core.errors import NotVisible, TransitionNotAllowed
from apps.core.locks import lock_rows
from apps.outbox.models import Note
from apps.outbox.publish import SYSTEM, NewEvent, publish, write_note
from apps.requests.enums import Relation, RequestEvent
from apps.requests.models import Request, RequestParticipant
from apps.sla.clock import Context
from apps.sla.services import Clocks
from apps.sla.targets import SlaPolicy
from apps.workflows.engine.effects import Effect
from apps.workflows.engine.planner import current_stage
from apps.workflows.engine.triggers import Trigger
from apps.workflows.models import Task, WorkflowRun
from apps.workflows.services.running import Passage, resume_run

LOADED = ("stream", "item", "run", "team", "requester", "requested_for")
SAVED = [
    "data", "assignee", "team", "status", "outcome", "stage", "pins", "selection", "priority", "run", "revision",
    "updated_at", "submitted_at", "held_from", "ended_at", "archive_at", "archived_at", "title", "impact", "urgency",
    "requested_for", "origin", "edited_by", "tags",
]  # fmt: skip


def lock_request(pk: int) -> Request:
    """The request with its stream locked, as it is now; the first statement of every write. Raises NotVisible.

    One statement as a rule: under a lock that was waited for, PostgreSQL gives the stream's newest row but the joined
    ones as they were before. `revision` equals the stream's `last_seq` after every write, so a mismatch shows that,
    and the request is read again.
    """
    rows = lock_rows(Request.objects.filter(pk=pk).select_related(*LOADED), of=("stream",))
    if not rows:
        raise NotVisible
    request = rows[0]
    if is_stale(request):
        request = Request.objects.select_related(*LOADED).get(pk=pk)
    return request


def is_stale(request: Request) -> bool:
    """Whether the row was read before the write that its locked stream already knows of."""
    return request.revision != request.stream.last_seq


@dataclass(kw_only=True)
class Write:
    """One write to one locked request. Services add to it; `finish` writes everything down, each row once.

    A replayed history takes several steps in one write (`go_on`), as the people of its `cast`.
    """

    request: Request
    actor: User | None
    at: datetime
    cast: Cast | None = None
    events: list[NewEvent] = field(default_factory=list)
    triggers: list[tuple[Passage, Trigger]] = field(default_factory=list)
    openings: list[tuple[Passage, Effect]] = field(default_factory=list)
    participants: set[tuple[str, str]] = field(default_factory=set)
    passage: Passage | None = None
    child_passages: dict[int, Passage] = field(default_factory=dict)
    tasks: dict[int, Task] = field(default_factory=dict)
    clocks: Clocks = field(init=False)
    followed: int = 0
    stage: str = field(init=False)

    def __post_init__(self) -> None:
        """Time never runs back within a stream, whichever machine's clock wrote last."""
        self.at = max(self.at, self.request.stream.last_at or self.at)
        self.stage = self.request.stage
        self.clocks = Clocks(stream=self.request.stream, context=context_of(self.request))

    def go_on(self, at: datetime, *, actor: User | None) -> None:
        """The next step of the same write, at its own time and in the name of another person."""
        self.let_clocks_follow()
        self.at, self.actor = max(self.at, at), actor
        for passage in self.passages:
            passage.at = self.at

    @property
    def actor_name(self) -> str:
        return f"user:{self.actor.pk}" if self.actor else SYSTEM

    @property
    def run(self) -> Passage:
        """The request's run on its way through this write."""
        if self.passage is None:
            if self.request.run is None:
                raise NotVisible("This request has no run.")
            self.passage = resume_run(self.request.run, at=self.at)
        return self.passage

    @property
    def passages(self) -> list[Passage]:
        """The runs that this write has touched: the request's own, then its children."""
        return ([self.passage] if self.passage else []) + list(self.child_passages.values())

    def passage_of(self, run_id: int) -> Passage:
        """The run of that id, the request's own or a child of it, on its way through this write."""
        if run_id == self.run.run.pk:
            return self.run
        if run_id not in self.child_passages:
            run = WorkflowRun.objects.get(pk=run_id, stream=self.request.stream)
            self.child_passages[run_id] = resume_run(run, at=self.at)
        return self.child_passages[run_id]

    def open_run(self, run_id: int) -> Passage:
        """`passage_of` for what comes from outside. Raises NotVisible unless it is a run of this request,
        TransitionNotAllowed once it has ended: that is asked under the lock.
        """
        if not WorkflowRun.objects.filter(pk=run_id, stream=self.request.stream).exists():
            raise NotVisible
        moving = self.passage_of(run_id)
        if moving.run.ended_at is not None:
            raise TransitionNotAllowed("This run has ended; nothing in it waits any more.")
        return moving

    def tell(self, kind: str, *, role: str = "", note: Note | None = None, **data: Any) -> None:
        """Adds an event in the name of the actor."""
        self.events.append(NewEvent(type=kind, actor=self.actor_name, role=role, at=self.at, data=data, note=note))

    def tell_by_itself(self, kind: str, *, note: Note | None = None, **data: Any) -> None:
        """Adds an event of what the product did by itself, whoever gave the occasion."""
        self.events.append(NewEvent(type=kind, actor=SYSTEM, at=self.at, data=data, note=note))

    def note(self, text: str) -> Note | None:
        """The text as a note of this request; None for an empty one."""
        return write_note(self.request.stream, text) if text.strip() else None

    def concerns(self, principal: str, relation: Relation) -> None:
        """From now on the principal may see the request."""
        self.participants.add((principal, relation))

    def finish(self) -> Request:
        """Clocks follow the events, participants and request are saved, events published: the end of the write."""
        request = self.request
        for passage in self.passages:
            passage.save()
        if self.passage is not None:
            request.run = self.passage.run
        self.let_clocks_follow()
        self.clocks.save()
        self._save_participants()
        request.updated_at = self.at
        request.revision = request.stream.last_seq + len(self.events)
        request.save(update_fields=SAVED)
        publish({request.stream: self.events})
        return request

    def let_clocks_follow(self) -> None:
        """The clocks as they are after everything told so far, and whose the request is, and its stage, by now."""
        if self.passage is not None:
            self.request.stage = current_stage(self.passage.definition, self.passage.marking) or ""
        self._tell_what_clocks_read()
        self.events += self.clocks.follow(self.events[self.followed :])
        self.followed = len(self.events)

    def _tell_what_clocks_read(self) -> None:
        """Who holds the request and which stage it is in are told only where a target of its policy reads that."""
        policy = self.clocks.policy
        if policy is None:
            return
        if policy.watches_stage and self.request.stage != self.stage:
            self.tell_by_itself(RequestEvent.STAGE_ENTERED, stage=self.request.stage, was=self.stage)
        self.stage = self.request.stage
        if holder := untold_holder(self.request, policy):
            self.request.pins = {**self.request.pins, "holder": holder}
            self.tell_by_itself(RequestEvent.OWNER_CHANGED, **holder)

    def _save_participants(self) -> None:
        rows = [
            RequestParticipant(
                request=self.request, principal=principal, relation=relation, sort_key=self.request.stream_id
            )
            for principal, relation in sorted(self.participants)
        ]
        if rows:
            RequestParticipant.objects.bulk_create(rows, ignore_conflicts=True)


def context_of(request: Request) -> Context:
    """What the events have told about everything the clocks of a request depend on, as it is stored with it."""
    pins, holder = request.pins, request.pins.get("holder") or {}
    return Context(
        priority=request.priority,
        policy=pins.get("sla"),
        calendars=pins.get("calendars") or {},
        requester=pins.get("requester_calendar"),
        team=holder.get("team") or "",
        team_calendar=holder.get("team_calendar"),
        owner=holder.get("calendar"),
    )


def newest_of(calendar: str) -> int | None:
    """The newest version of the calendar with this key, by id; None for none."""
    found = current_version(calendar) if calendar else None
    return found.pk if found else None


def untold_holder(
    request: Request, policy: SlaPolicy, *, version_of: Callable[[str], int | None] = newest_of
) -> dict[str, Any] | None:
    """Whose the request is, with the calendar versions in force for them, where a target of the policy reads that and
    it has not been told yet; None also while it is nobody's. `version_of` finds the newest version of a calendar.
    """
    assignee, team, known = request.assignee, request.team, request.pins.get("holder") or {}
    if not policy.watches_owner or (assignee is None and team is None):
        return None
    who = {"assignee": assignee.pk if assignee else None, "team": team.key if team else ""}
    if all(known.get(key) == value for key, value in who.items()):
        return None
    team_calendar, own = team.calendar if team else "", assignee.calendar if assignee else ""
    return {**who, "team_calendar": version_of(team_calendar), "calendar": version_of(own)}


def within(run: WorkflowRun) -> dict[str, Any]:
    """What an event about a step says of its run: the number of a child run; nothing of the request's own."""
    return {} if run.parent_id is None else {"run": run.n}


def begin_write(pk: int, *, actor: User | None, at: datetime | None = None, cast: Cast | None = None) -> Write:
    """Locks the request and opens a write to it. `at` and `cast` are given for imports only."""
    return Write(request=lock_request(pk), actor=actor, at=at or clock.now(), cast=cast)
