"""Moving runs: plans are applied in memory, then the run and its visits are written once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.outbox.models import Stream
from apps.workflows.engine.definition import Definition
from apps.workflows.engine.marking import Marking
from apps.workflows.engine.planner import Plan, TraceEntry, TraceKind, plan
from apps.workflows.engine.triggers import Trigger
from apps.workflows.enums import VisitStatus
from apps.workflows.models import StepVisit, WorkflowRun
from apps.workflows.selectors import definition_of

COLUMNS = ["status", "outcome", "ended_at"]


@dataclass(kw_only=True)
class Passage:
    """A run on its way through one write: triggers move it in memory, `save` writes run and visits.

    `known` are the visits that were opened on this way: their rows are known whole. `reached` is the end passed last.
    """

    run: WorkflowRun
    definition: Definition
    marking: Marking
    at: datetime
    visits: dict[int, StepVisit] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    opened: set[int] = field(default_factory=set)
    changed: set[int] = field(default_factory=set)
    moved: bool = False
    reached: str | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What guards see as `run`."""
        return {"n": self.run.n, "input": self.run.input, "outcome": self.run.outcome}

    @property
    def is_stuck(self) -> bool:
        """Whether tokens are left and nothing can move them: none of them has a visit."""
        return bool(self.marking.tokens) and not self.marking.open_visits()

    def move(self, trigger: Trigger, facts: Mapping[str, Any]) -> Plan:
        """Plans the trigger and takes the new marking over. Raises TransitionNotAllowed; then nothing moved."""
        planned = plan(self.definition, self.marking, trigger, facts, self.at)
        self.marking, self.moved = planned.marking, True
        for entry in planned.trace:
            self._follow(entry)
            if entry.kind is TraceKind.PASSED and entry.step and self.definition.step(entry.step).kind == "end":
                self.reached = entry.step
        return planned

    def save(self) -> None:
        """Writes the visits that changed, and the run once if it moved."""
        self.save_visits()
        if self.moved:
            self._note_marking()
            self.run.save(update_fields=["marking", "revision", "outcome", "ended_at"])

    def save_visits(self) -> None:
        """One upsert of the visits that changed (ended ones first, so a token never has two open), for work items that
        refer to them; a run that is new is inserted first.

        Visits of earlier writes whose `begun_at` was not read must keep it: where there are such, those that are begun
        only now take a second upsert.
        """
        if self.run.pk is None:
            self._note_marking()
            self.run.save(force_insert=True)
        rows = [self.visits[number] for number in sorted(self.changed, key=self._ended_first)]
        whole = all(row.begun_at or row.number in self.known for row in rows)
        begun = rows if whole else [row for row in rows if row.begun_at and row.number not in self.opened]
        self._upsert(begun, columns=[*COLUMNS, "begun_at"])
        self._upsert([row for row in rows if row not in begun], columns=COLUMNS)
        self.changed, self.opened = set(), set()

    def _note_marking(self) -> None:
        self.run.marking = self.marking.to_json()
        self.run.revision += 1
        self.moved = False

    def _ended_first(self, number: int) -> tuple[bool, int]:
        return self.visits[number].ended_at is None, number

    def _upsert(self, rows: list[StepVisit], *, columns: list[str]) -> None:
        if rows:
            StepVisit.objects.bulk_create(
                rows, update_conflicts=True, unique_fields=["run", "number"], update_fields=columns
            )

    def _follow(self, entry: TraceEntry) -> None:
        follow = _FOLLOW.get(entry.kind)
        if follow:
            follow(self, entry)

    def _visit(self, entry: TraceEntry) -> StepVisit:
        """The row of a visit as this write leaves it. What an upsert does not touch need not be read first."""
        number = entry.visit or 0
        self.changed.add(number)
        return self.visits.setdefault(
            number,
            StepVisit(run=self.run, number=number, token=entry.token or 0, step=entry.step or "", opened_at=self.at),
        )

    def _opened(self, entry: TraceEntry) -> None:
        self._visit(entry)
        self.known.add(entry.visit or 0)
        self.opened.add(entry.visit or 0)

    def _begun(self, entry: TraceEntry) -> None:
        row = self._visit(entry)
        row.status, row.begun_at = VisitStatus.BEGUN, self.at

    def _ended(self, entry: TraceEntry) -> None:
        row = self._visit(entry)
        row.status, row.outcome, row.ended_at = VisitStatus.ENDED, entry.outcome or "", self.at

    def _withdrawn(self, entry: TraceEntry) -> None:
        row = self._visit(entry)
        row.status, row.ended_at = VisitStatus.WITHDRAWN, self.at

    def _finished(self, entry: TraceEntry) -> None:
        self.run.outcome, self.run.ended_at = entry.outcome or "", self.at


_FOLLOW = {
    TraceKind.OPENED: Passage._opened,
    TraceKind.BEGUN: Passage._begun,
    TraceKind.ENDED: Passage._ended,
    TraceKind.WITHDRAWN: Passage._withdrawn,
    TraceKind.FINISHED: Passage._finished,
}


def begin_run(stream: Stream, *, version_id: int, n: int, at: datetime, **child: Any) -> Passage:
    """A new run of the stream, not yet written: the first `save` inserts it.

    `child` holds the columns of a child run: `parent`, `parent_visit`, `parent_instance`, `input`.
    """
    run = WorkflowRun(stream=stream, version_id=version_id, n=n, marking={}, started_at=at, **child)
    return Passage(run=run, definition=definition_of(version_id), marking=Marking.empty(), at=at)


def resume_run(run: WorkflowRun, *, at: datetime) -> Passage:
    """A run as it was stored. Its stream is locked by the caller."""
    marking = Marking.from_json(run.marking)
    return Passage(run=run, definition=definition_of(run.version_id), marking=marking, at=at)
