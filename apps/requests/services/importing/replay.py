"""One case of a log, replayed: every line at its own time, as its own person, through the ordinary services.

Several steps of the case are one write and one commit. A step that is refused undoes the whole write, and the steps
before it are taken again: so what a refused step began leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.core.errors import DomainError, InvalidInput, TransitionNotAllowed
from apps.core.locks import lock_rows
from apps.core.models import digest
from apps.requests.enums import IMPORT, RequestStatus
from apps.requests.eventlog.mapping import Activity, Call, LogMapping, Way, fill
from apps.requests.models import CatalogItem, ImportedCase
from apps.requests.services.effects import fire
from apps.requests.services.importing.calls import is_possible, make, open_steps
from apps.requests.services.importing.people import CaseCast, Figure
from apps.requests.services.lifecycle import Wish, create
from apps.requests.services.writing import Write, begin_write
from apps.workflows.models import Timer

STEPS_TOGETHER = 200
LONGEST = 400
NEW = "new"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A line of the log, read: what was done, when, by whom. `role` is the log's own word for it."""

    line: int
    at: datetime
    activity: Activity
    role: str
    figure: Figure
    values: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A case with its steps in order, and who asked."""

    name: str
    steps: Sequence[Step]
    requester: Figure


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a case. `status` is "none" if there is no request for it."""

    case: str
    accepted: int = 0
    number: str = ""
    status: str = "none"
    step: str = ""
    refused_at: datetime | None = None
    reason: str = ""


class Refused(Exception):
    """The product does not allow this step. `place` is its index among the steps that were tried."""

    def __init__(self, place: int, reason: str) -> None:
        super().__init__(reason)
        self.place = place
        self.reason = reason


def replay(case: Case, *, mapping: LogMapping, item: CatalogItem, cast: CaseCast, known: bool) -> tuple[Result, int]:
    """Replays what was not replayed before; the result, and how many steps were taken now.

    Each commit holds at most 200 steps and what they led to, `ImportedCase` included, so an interrupted import goes on
    where it stopped. `known` says whether it was begun before: if another import begins it at this very moment, the
    database refuses the second, which then goes on behind the first. A case that was refused before, or was handed
    over to live operation, stays as it is.
    """
    taken = 0
    while True:
        try:
            result, more = _some_steps(case, mapping, item, cast, known=known)
        except IntegrityError:
            if known or not _is_noted(mapping.source, case.name):
                raise
            cast.forget_late()
            known = True
            continue
        known, taken = True, taken + more
        if not more or result.reason or result.accepted == len(case.steps):
            return result, taken


def _is_noted(source: str, case: str) -> bool:
    return ImportedCase.objects.filter(source=source, case=case).exists()


def _some_steps(
    case: Case, mapping: LogMapping, item: CatalogItem, cast: CaseCast, *, known: bool
) -> tuple[Result, int]:
    most, refusal = STEPS_TOGETHER, None
    while True:
        cast.late = []
        try:
            with transaction.atomic():
                return _Passage(case=case, mapping=mapping, item=item, cast=cast).take(most, refusal, known=known)
        except Refused as refused:
            most, refusal = refused.place, refused
            cast.forget_late()


@dataclass(kw_only=True)
class _Passage:
    """Some steps of a case within one transaction."""

    case: Case
    mapping: LogMapping
    item: CatalogItem
    cast: CaseCast
    write: Write | None = None
    where: str = NEW

    def take(self, most: int, refusal: Refused | None, *, known: bool) -> tuple[Result, int]:
        """Takes up to `most` steps that were not taken before, and notes the refusal of the one after them."""
        row = self._locked_row() if known else None
        before = row.accepted if row else 0
        steps = self.case.steps[before : before + most]
        if row and (row.reason or not (steps or refusal)):
            return result_of(row), 0
        if row and steps and (moved := self._cannot_go_on(row)):
            return replace(result_of(row), reason=moved), 0
        for place, step in enumerate(steps):
            try:
                self._take(step)
            except DomainError as error:
                raise Refused(place, self._reason(step, error)) from error
        return self._note(row, before + len(steps), refusal), len(steps)

    def _cannot_go_on(self, row: ImportedCase) -> str:
        """Takes the request up again; or says why the case takes no further lines."""
        last = self.case.steps[row.accepted - 1].at
        self.write = begin_write(row.pk, actor=None, at=last, cast=self.cast)
        request = self.write.request
        for person in (request.requester, request.requested_for):
            person.is_active = True
        if request.origin != IMPORT:
            return "the request was handed over"
        if request.revision != row.revision:
            return "somebody acted on the request here"
        changed = row.accepted_digest != digest_of(self.case.steps[: row.accepted])
        return "the lines that were accepted have changed" if changed else ""

    def _locked_row(self) -> ImportedCase | None:
        found = ImportedCase.objects.filter(source=self.mapping.source, case=self.case.name).select_related("request")
        return next(iter(lock_rows(found, of=("self",))), None)

    def _take(self, step: Step) -> None:
        """One step: what fell due before it, what comes first, the call itself, which is told as the log tells it."""
        self.where = NEW
        if self.write is not None:
            catch_up(self.write, step.at)
            self.where = place_of(self.write)
        way = self._way(step)
        person = self.cast.person(step.figure)
        for call in way.first:
            self._call(call, step, way, person)
        mark = len(self.write.events) if self.write else 0
        self._call(way.call, step, way, person)
        assert self.write is not None
        _tell_as(self.write, step, person, since=mark)

    def _way(self, step: Step) -> Way:
        for way in step.activity.ways:
            if self.write is not None and is_possible(self.write, way):
                return way
            if self.write is None and NEW in (way.statuses or {NEW}) and _begins(way):
                return way
        raise TransitionNotAllowed

    def _call(self, call: Call, step: Step, way: Way, person: User) -> None:
        if self.write is None:
            self.write = self._created(call, step)
            return
        actor = self._actor(call, person)
        self.write.go_on(step.at, actor=actor)
        make(call, self.write, way, fill(call.settings, step.values), actor)

    def _actor(self, call: Call, person: User) -> User:
        assert self.write is not None
        if call.by == "requester" or call.verb in ("save", "submit"):
            return self.cast.person(self.case.requester)
        if call.by != "lead":
            return person
        team = self.write.request.team
        if team is None or team.lead is None:
            raise TransitionNotAllowed("No team has the request, so there is no lead.")
        team.lead.is_active = True
        return team.lead

    def _created(self, call: Call, step: Step) -> Write:
        wanted = fill(_leveled(self.mapping.request, step.values), step.values)
        wish = Wish(**{"title": "", "data": {}, **wanted})
        return create(
            self.item,
            wish,
            actor=self.cast.person(self.case.requester),
            submit=call.verb == "submit",
            origin=IMPORT,
            external_id=f"{self.mapping.source}:{self.case.name}",
            quiet=True,
            cast=self.cast,
            at=step.at,
        )

    def _reason(self, step: Step, error: DomainError) -> str:
        """The refusal as it is counted: the activity, where the request was, and why if it is not just the place."""
        if type(error) is TransitionNotAllowed:
            return f"{step.activity.name} is not possible at {self.where}"
        why = error.detail if isinstance(error, InvalidInput) else error.code
        return f"{step.activity.name} at {self.where}: {why}"

    def _note(self, row: ImportedCase | None, accepted: int, refusal: Refused | None) -> Result:
        """Writes down what became of the case; a case without a request is not noted, and tried again next time."""
        refused_at = self.case.steps[accepted].at if refusal else None
        reason = refusal.reason[:LONGEST] if refusal else ""
        if self.write is None and row is None:
            return Result(case=self.case.name, refused_at=refused_at, reason=reason)
        noted = row or ImportedCase(source=self.mapping.source, case=self.case.name)
        noted.accepted, noted.refused_at, noted.reason = accepted, refused_at, reason
        noted.accepted_digest = digest_of(self.case.steps[:accepted])
        if self.write is not None:
            noted.request = self.write.finish()
            noted.status, noted.revision = noted.request.status, noted.request.revision
            kept = "" if noted.status == RequestStatus.CANCELLED else noted.step  # of a case that had ended before
            noted.step = (step_of(self.write) or kept)[:LONGEST]
        noted.save(force_insert=row is None)
        return result_of(noted)


def digest_of(steps: Sequence[Step]) -> str:
    """SHA-256 of what the lines say, by which a log that has grown is known from one that has changed."""
    lines = [(step.at.isoformat(), step.activity.name, step.role, step.figure.name) for step in steps]
    return digest(lines)


def catch_up(write: Write, until: datetime) -> None:
    """Lets everything of the request that fell due until then happen, in order, each at its own time."""
    if not write.request.is_open:
        return
    while True:
        write.let_clocks_follow()
        timer, clock_at = _next_timer(write), write.clocks.next_at()
        due = min((at for at in (timer and timer.due_at, clock_at) if at), default=None)
        if due is None or due > until:
            return
        write.go_on(due, actor=None)
        if timer and timer.due_at == due:
            fire(write, timer)
        else:
            write.events += write.clocks.fall_due(due)


def place_of(write: Write) -> str:
    """Where a request is, for people: its open steps, or its state."""
    if write.request.status == "on_hold":
        return f"{'+'.join(open_steps(write))} (on hold)"
    return "+".join(open_steps(write)) or step_of(write) or write.request.status


def step_of(write: Write) -> str:
    """The open steps by id, joined by "+", or the end that was reached; empty for a draft."""
    if write.request.run is None and write.passage is None:
        return ""
    return "+".join(open_steps(write)) or (write.run.reached or "")


def result_of(row: ImportedCase) -> Result:
    """What was noted of a case."""
    return Result(
        case=row.case,
        accepted=row.accepted,
        number=row.request.number,
        status=row.status,
        step=row.step,
        refused_at=row.refused_at,
        reason=row.reason,
    )


def _begins(way: Way) -> bool:
    """Whether the way can be the first of a case: it begins by saving or submitting."""
    return (way.first[0] if way.first else way.call).verb in ("save", "submit")


def _next_timer(write: Write) -> Timer | None:
    """The timer of this run that is due first; looked up only while a step waits."""
    visits = write.run.marking.open_visits()
    if not any(write.run.definition.step(visit.step).kind == "wait" for visit in visits):
        return None
    return Timer.objects.filter(run=write.run.run, closed_at=None).order_by("due_at", "id").first()


def _leveled(wanted: Mapping[str, object], values: Mapping[str, str]) -> dict[str, object]:
    """Impact and urgency that depend on a column, looked up; a value that is not listed is left to the default."""
    return {key: one for key, one in _lookups(wanted, values) if one is not None}


def _lookups(wanted: Mapping[str, object], values: Mapping[str, str]) -> Iterator[tuple[str, object]]:
    for key, one in wanted.items():
        if key in ("impact", "urgency") and isinstance(one, Mapping):
            yield key, one["values"].get(values.get(one["column"], ""))
        else:
            yield key, one


def _tell_as(write: Write, step: Step, person: User, *, since: int) -> None:
    """Marks the event of the step with the log's words: `role` is the log's, `data` has the activity.

    It is the last that was told in the name of somebody, else the last of all (a message only wakes what waits); `for`
    names the log's person where another acted, or nobody.
    Raises TransitionNotAllowed if the step changed nothing.
    """
    told = range(since, len(write.events))
    own = [place for place in told if write.events[place].actor == write.actor_name]
    if not told:
        raise TransitionNotAllowed("The step changes nothing.")
    place = own[-1] if own else told[-1]
    event = write.events[place]
    acted_for = {} if event.actor == f"user:{person.pk}" else {"for": person.pk}
    data = {**event.data, "activity": step.activity.name, **acted_for}
    write.events[place] = replace(event, role=step.role, data=data)
