"""The history of a request, as sentences. Rendered when it is read: events hold no texts and no names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from apps.accounts.models import User
from apps.approvals.enums import ApprovalEvent
from apps.approvals.models import Approval, ApprovalLevel
from apps.outbox.models import Event, Note
from apps.requests.facts import fields_of
from apps.requests.models import Request
from apps.requests.selectors.carried import versions_named
from apps.requests.selectors.clock_sentences import measured
from apps.requests.selectors.clocks import explained_clocks
from apps.requests.selectors.moves import moves_of
from apps.requests.selectors.progress import workflow_of
from apps.requests.selectors.sentences import SENTENCES, Words
from apps.requests.selectors.visibility import readable_events, reads_internally
from apps.sla.enums import SlaEvent
from apps.sla.selectors import policy_of
from apps.workflows.engine.definition import Definition
from apps.workflows.enums import WorkflowEvent
from apps.workflows.selectors import definition_of


@dataclass(frozen=True, kw_only=True)
class HistoryLine:
    """One thing that happened: when, who, what, and what they wrote; `about` is the approval it tells of, if any."""

    event_id: int
    seq: int
    type: str
    at: datetime
    who: str
    what: str
    note: str
    about: int | None = None


History = list[HistoryLine]


def history_of(request: Request, *, reader: User) -> History:
    """The request's history as this person may read it, oldest first: what is internal only for those who work on it.

    The number of statements does not depend on how long the history is.
    """
    events = list(readable_events(request, reader=reader))
    names = {user.pk: str(user) for user in User.objects.filter(pk__in=_people(events))}
    notes = dict(Note.objects.filter(pk__in=_notes(events)).values_list("pk", "text"))
    children = _children(events)
    words = Words(
        names=names,
        workflow=workflow_of(request),
        children=children,
        approvals=_approvals_below(request) if children else {},
        skipped=_skipped(events),
        fields={name: one.label for name, one in fields_of(request).items()} if request.pins else {},
        sla=policy_of(request.pins["sla"]) if request.pins.get("sla") else None,
        internally=reads_internally(reader, request),
        versions=versions_named(event.data for event in events if event.type == SlaEvent.REBASED),
    )
    lines = [_line(event, words, notes) for event in events if event.type in SENTENCES]
    due = _due_since(request, reader, words) if any(event.type == SlaEvent.REBASED for event in events) else {}
    return [replace(line, what=f"{line.what}: {due[line.seq]}") if line.seq in due else line for line in lines]


def _due_since(request: Request, reader: User, words: Words) -> dict[int, str]:
    """Which due times each carrying over moved, by the number of its event."""
    clocks = explained_clocks(request, reader=reader)
    found = defaultdict[int, list[str]](list)
    for one, moves in zip(clocks, moves_of(request, clocks), strict=True):
        name = measured({"target": one.clock.target, "metric": one.clock.metric}, words)
        for move in moves:
            if move.event.type == SlaEvent.REBASED:
                found[move.event.seq].append(f"{name} is {move.due}")
    return {seq: "; ".join(said) for seq, said in found.items()}


def _line(event: Event, words: Words, notes: Mapping[int, str]) -> HistoryLine:
    return HistoryLine(
        event_id=event.pk,
        seq=event.seq,
        type=event.type,
        at=event.at,
        who=words.actor(event.actor),
        what=SENTENCES[event.type](event.data, words),
        note=notes.get(event.data.get("note", 0), ""),
        about=event.data.get("approval"),
    )


def _people(events: Iterable[Event]) -> set[int]:
    found: set[int] = set()
    for event in events:
        kind, _, pk = event.actor.partition(":")
        if kind == "user":
            found.add(int(pk))
        found.update(_people_in(event.data))
    return found


def _people_in(data: Mapping[str, Any]) -> set[int]:
    seats = {pk for seat in [*data.get("seats", []), *data.get("left", [])] for pk in (seat["user"], seat.get("for"))}
    seats = {pk for pk in {*seats, data.get("for")} if pk}
    return seats | set(data.get("users", [])) | ({data["assignee"]} if data.get("assignee") else set())


def _notes(events: Iterable[Event]) -> set[int]:
    return {event.data["note"] for event in events if "note" in event.data}


def _skipped(events: Iterable[Event]) -> dict[int, ApprovalLevel]:
    rows = [event.data["row"] for event in events if event.type == ApprovalEvent.LEVEL_SKIPPED]
    return ApprovalLevel.objects.in_bulk(rows) if rows else {}


def _approvals_below(request: Request) -> dict[int, int]:
    """The numbers of the child runs that approvals of the request belong to, by approval."""
    below = Approval.objects.filter(stream_id=request.pk, visit__run__parent__isnull=False)
    return dict(below.values_list("pk", "visit__run__n"))


def _children(events: Iterable[Event]) -> dict[int, Definition]:
    """The workflow of every child run, by the run's number."""
    started = (event.data for event in events if event.type == WorkflowEvent.SUBFLOW_STARTED)
    return {data["run"]: definition_of(data["version"]) for data in started}
