"""Everything a request's page shows, read once and put into words; the templates only lay it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from apps.accounts.models import User
from apps.core import clock
from apps.outbox.selectors import feed_position
from apps.portal.forms import Entry, entries_as_sent, task_entries
from apps.portal.lines import ApprovalLine, ClockLine, approval_line, clock_line
from apps.portal.now import NowLine, Waiting, instance_label
from apps.portal.phrases import STATUS_HINTS, day, listed
from apps.portal.priority_form import PriorityForm, priority_form
from apps.portal.repairs import IncidentBox, InstancesBox, incident_boxes, instances_boxes
from apps.portal.rounds import DecisionBox, decision_boxes, round_boxes
from apps.requests import policies
from apps.requests.enums import ENDED_STATES, RequestStatus
from apps.requests.facts import fields_of
from apps.requests.forms.fields import DateField, Field, MoneyField, PersonField
from apps.requests.models import Request
from apps.requests.policies import Act
from apps.requests.selectors import (
    HistoryLine,
    approvals_of,
    history_of,
    incidents_of,
    readable_clocks,
    tasks_of,
)
from apps.requests.selectors.people import names_of
from apps.requests.selectors.progress import due_times, form_asked_by, open_runs, visits_of, workflow_of
from apps.requests.selectors.rounds import levels_of
from apps.sla.enums import ClockStatus
from apps.workflows.engine.definition import Definition, Outcome
from apps.workflows.enums import TaskStatus
from apps.workflows.models import StepVisit, Task
from apps.workflows.selectors import definition_of


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A form of the page that was sent and refused: what was entered, and what is wrong by field."""

    form: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def of_the_reason(self) -> list[str]:
        """What is wrong with the reason; forms that repair call it so, all others a comment."""
        return self.errors.get("comment", []) or self.errors.get("reason", [])

    @property
    def written_reason(self) -> str:
        return self.values.get("reason") or self.values.get("comment", "")


NOTHING_SENT = Attempt()


@dataclass(frozen=True, kw_only=True)
class StageLine:
    """A stage of the workflow: `done`, `now` or `later`."""

    name: str
    state: str


@dataclass(frozen=True, kw_only=True)
class TaskBox:
    """A task the reader may move, with the buttons that are for them."""

    task: Task
    may_claim: bool
    may_release: bool
    outcomes: list[Outcome]
    entries: list[Entry]

    @property
    def form(self) -> str:
        return f"task-{self.task.pk}"

    @property
    def which(self) -> str:
        """Which instance of its step it is, where there are several."""
        task = self.task
        return task.name if task.instance is None else f"{task.name} {instance_label(task.instance, task.item)}"

    @property
    def comment_hint(self) -> str:
        """Which buttons want a comment, or what it is for."""
        wanting = [f"“{outcome.label}”" for outcome in self.outcomes if outcome.comment == "required"]
        if not wanting:
            return "What was done, if it is worth knowing."
        return f"Say why if you choose {listed(wanting, 'or')}."


@dataclass(frozen=True, kw_only=True)
class RequestPage:
    """The page of one request for one reader. `after` is the feed position it surely includes."""

    request: Request
    after: int
    hint: str
    now: list[NowLine]
    stages: list[StageLine]
    rows: list[tuple[str, str]]
    clocks: list[ClockLine]
    approvals: list[ApprovalLine]
    decisions: list[DecisionBox]
    tasks: list[TaskBox]
    incidents: list[IncidentBox]
    instances: list[InstancesBox]
    history: list[HistoryLine]
    priority_form: PriorityForm
    may: Mapping[str, bool]


def page_of(request: Request, *, reader: User, attempt: Attempt = NOTHING_SENT) -> RequestPage:
    """Reads the request's page for somebody who may see it; the number of statements does not depend on its length.

    A task's form shows what the refused `attempt` entered into it.
    """
    after = feed_position()
    visits = visits_of(request)
    approvals, tasks = list(approvals_of(request)), list(tasks_of(request))
    moment, workflow = clock.now(), workflow_of(request)
    history = history_of(request, reader=reader)
    levels = {one.pk: levels_of(one) for one in approvals}
    opened = [one for rows in levels.values() for one in rows if one.is_open]
    changes = round_boxes(opened, request, reader)
    works = policies.may(reader, Act.READ_INTERNALLY, request)
    runs, clocks = open_runs(request), readable_clocks(request, reader=reader)
    waiting = Waiting(runs=runs, opened=opened, tasks=tasks, due=due_times(runs))
    return RequestPage(
        request=request,
        after=after,
        hint=STATUS_HINTS.get(request.status, ""),
        now=waiting.lines(),
        stages=_stages(request, visits),
        rows=rows_of(request),
        clocks=[clock_line(one, moment, workflow) for one in clocks if one.status != ClockStatus.VOID],
        approvals=[approval_line(one, levels[one.pk], changes.get(one.pk), history) for one in approvals],
        decisions=decision_boxes(opened, reader),
        tasks=[box for one in tasks if (box := _task_box(one, reader, attempt))],
        incidents=incident_boxes(incidents_of(request), runs, approvals) if works else [],
        instances=instances_boxes(runs) if policies.may(reader, Act.SIGNAL, request) else [],
        history=history,
        priority_form=priority_form(request, attempt.values if attempt.form == "priority" else {}),
        may=_allowed(request, reader, moment),
    )


def _allowed(request: Request, reader: User, moment: datetime) -> dict[str, bool]:
    """Which buttons the page offers; the services have the last word."""
    status = request.status
    draft, held, ended = status == RequestStatus.DRAFT, status == RequestStatus.ON_HOLD, status in ENDED_STATES
    reopenable = request.ended_at is not None and moment <= request.ended_at + timedelta(days=request.item.reopen_days)
    possible = {
        Act.EDIT: draft,
        Act.SUBMIT: draft,
        Act.CANCEL: draft or request.is_open,
        Act.HOLD: request.is_open and not held,
        Act.RESUME: held,
        Act.PRIORITISE: request.is_open,
        Act.REOPEN: ended and reopenable and request.run is not None,
        Act.REPAIR: True,
        Act.COMMENT: status != RequestStatus.ARCHIVED,
        Act.COMMENT_INTERNALLY: status != RequestStatus.ARCHIVED,
    }
    return {act.name.lower(): yes and policies.may(reader, act, request) for act, yes in possible.items()}


def rows_of(request: Request) -> list[tuple[str, str]]:
    """The form's values, then those of the tasks' forms; what the workflow filled in itself comes last, by its name."""
    fields = fields_of(request)
    filled = {name: one for name, one in fields.items() if name in request.data}
    names = names_of(str(request.data[name]) for name, one in filled.items() if one.kind == PersonField.kind)
    known = [(one.label, _text(request.data[name], one, names)) for name, one in filled.items()]
    return known + [(_named(name), _plain(value)) for name, value in request.data.items() if name not in fields]


def _text(value: Any, one: Field, names: Mapping[str, str]) -> str:
    """The value as a person reads it, also where a draft was written on an earlier form."""
    if isinstance(value, Mapping) != (one.kind == MoneyField.kind):
        return _plain(value)
    if one.kind == DateField.kind:
        return day(str(value))
    return names.get(value, value) if one.kind == PersonField.kind else one.text(value)


def _plain(value: Any) -> str:
    return " ".join(str(part) for part in value.values()) if isinstance(value, Mapping) else str(value)


def _named(name: str) -> str:
    return name.replace("_", " ").capitalize()


# where it is


def _stages(request: Request, visits: list[StepVisit]) -> list[StageLine]:
    if request.run is None:
        return []
    definition = definition_of(request.run.version_id)
    visited = {definition.step(visit.step).stage for visit in visits}
    return [
        StageLine(name=stage.name, state=_stage_state(stage.id, definition, request, visited))
        for stage in definition.stages
    ]


def _stage_state(stage: str, definition: Definition, request: Request, visited: set[str | None]) -> str:
    order = [one.id for one in definition.stages]
    if request.is_open and request.stage in order:
        place, now = order.index(stage), order.index(request.stage)
        return "now" if place == now else "done" if place < now else "later"
    if request.outcome == "completed":
        return "done"
    return "done" if stage in visited else "later"


def _task_box(task: Task, reader: User, attempt: Attempt) -> TaskBox | None:
    """What the reader may do with a task; None if nothing."""
    if task.status not in (TaskStatus.OPEN, TaskStatus.CLAIMED) or not policies.may_take(reader, task):
        return None
    step = definition_of(task.visit.run.version_id).step(task.visit.step)
    claimed = task.status == TaskStatus.CLAIMED
    return TaskBox(
        task=task,
        may_claim=not claimed,
        may_release=claimed and task.group_id is not None,
        outcomes=[one for one in step.work_outcomes if policies.has_outcome_right(reader, one.by)],
        entries=_entries(task, attempt),
    )


def _entries(task: Task, attempt: Attempt) -> list[Entry]:
    form, place = form_asked_by(task), f"{task.pk}-"
    if form is None:
        return []
    if attempt.form == f"task-{task.pk}":
        return entries_as_sent(form, attempt.values, attempt.errors, place=place)
    return task_entries(form, task.stream.request.data, place=place)
