"""What every event carries: the one table of its fields. Whoever tells an event of another field adds it here.

A test holds it against all events that the tests publish. Texts are no fields: an event only points at its note.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.accounts.enums import PersonEvent
from apps.approvals.enums import ApprovalEvent, ApprovalStatus, Verdict, Why
from apps.outbox.enums import IncidentEvent
from apps.requests.enums import Level, Priority, RequestEvent
from apps.sla.enums import SlaEvent
from apps.workflows.engine.guard_types import BOOL, INT, LIST, MAP, STRING, Types
from apps.workflows.enums import WorkflowEvent


@dataclass(frozen=True, kw_only=True)
class Field:
    """The types its value may have in an expression; `values` where no others are possible."""

    types: Types
    values: frozenset[str] = frozenset()


Fields = Mapping[str, Any]  # a Field by name, or the Fields below it
NULL: Types = frozenset({"null"})
NUMBER, TEXT, FLAG = Field(types=INT), Field(types=STRING), Field(types=BOOL)
NUMBER_OR_NONE, NONE = Field(types=INT | NULL), Field(types=NULL)
ITEMS, ENTRIES = Field(types=LIST), Field(types=MAP)


def _one_of(values: Iterable[str]) -> Field:
    return Field(types=STRING, values=frozenset(str(value) for value in values))


def _numbers(*names: str) -> dict[str, Field]:
    return dict.fromkeys(names, NUMBER)


ENDS = ("completed", "rejected", "cancelled")
METRICS = ("response", "resolution", "stage", "step", "approval")
VISIT: Fields = {"step": TEXT, **_numbers("visit", "run")}  # `run` only of child runs
TASK: Fields = {"step": TEXT, **_numbers("task", "run")}
LEFT: Fields = {**VISIT, "arrow": NUMBER}
STAYED: Fields = {**VISIT, "arrow": NONE}
MESSAGE: Fields = {**dict.fromkeys(("step", "visit", "arrow"), NONE), "run": NUMBER}
VERSION: Fields = {**_numbers("workflow", "version", "n"), "hash": TEXT}
APPROVAL: Fields = {"approval": NUMBER, "step": TEXT}
LEVEL: Fields = {**APPROVAL, "level": TEXT}
CLOCK: Fields = {"clock": NUMBER, "target": TEXT, "metric": _one_of(METRICS), "internal": FLAG}
REACHED: Fields = {**CLOCK, "reached_at": TEXT}
ABSENCE: Fields = _numbers("delegation", "principal", "deputy")
RESULT = _one_of(status for status in ApprovalStatus if status != ApprovalStatus.PENDING)
PINS: Fields = {
    **_numbers("form", "workflow", "requester_calendar"),
    "sla": NUMBER_OR_NONE,
    **dict.fromkeys(("calendars", "policies", "forms"), ENTRIES),
}
CALLS = (
    "workflow", "task_without_assignee", "approval_without_approver", "guard", "separation_of_duties", "escalation",
)  # fmt: skip
CALLS_FROM_OUTSIDE = ("sweep", "rebase", "dead_letter")  # told without a write to the request: no clock hears of them
FIELDS: Mapping[str, Fields] = {
    RequestEvent.DRAFTED: {"item": NUMBER, "fields": ITEMS},
    RequestEvent.EDITED: {"fields": ITEMS},
    RequestEvent.VALIDATED: {"form": NUMBER, "fields": ITEMS},
    RequestEvent.WORKFLOW_SELECTED: _numbers("workflow", "version", "rule"),
    RequestEvent.SUBMITTED: {"priority": _one_of(Priority), "pins": PINS},
    RequestEvent.FIRST_RESPONSE: {},
    RequestEvent.PRIORITY_CHANGED: {
        **dict.fromkeys(("priority", "was"), _one_of(Priority)),
        **dict.fromkeys(("impact", "urgency"), _one_of(Level)),
        "target": TEXT,
        "metric": _one_of(METRICS),
        "escalation": TEXT,
    },
    RequestEvent.OWNER_CHANGED: {
        "team": TEXT,
        **dict.fromkeys(("assignee", "team_calendar", "calendar"), NUMBER_OR_NONE),
    },
    RequestEvent.STAGE_ENTERED: {"stage": TEXT, "was": TEXT},
    RequestEvent.HELD: {},
    RequestEvent.RESUMED: {},
    RequestEvent.COMPLETED: {"outcome": _one_of(["completed"])},
    RequestEvent.REJECTED: {"outcome": _one_of(["rejected"])},
    RequestEvent.CANCELLED: {"outcome": _one_of(["cancelled"])},
    RequestEvent.CANCEL_ASKED: {},
    RequestEvent.REOPENED: {"run": NUMBER},
    RequestEvent.ARCHIVED: {"outcome": _one_of(ENDS)},
    RequestEvent.FIELDS_SET: {"fields": ITEMS, "step": TEXT, "run": NUMBER},
    RequestEvent.COMMENTED: {"internal": FLAG, "comment": NUMBER, "step": TEXT, "run": NUMBER},
    RequestEvent.NOTICE: {"step": TEXT, "users": ITEMS, "run": NUMBER},
    RequestEvent.HANDED_OVER: {},
    RequestEvent.ASSIGNED: {"assignee": NUMBER_OR_NONE, "team": NUMBER_OR_NONE, "step": TEXT, "run": NUMBER},
    RequestEvent.STEP_SKIPPED: VISIT,
    RequestEvent.TOKEN_MOVED: {"step": TEXT, "source": TEXT, "run": NUMBER},
    RequestEvent.VISIT_CANCELLED: VISIT,
    WorkflowEvent.RUN_STARTED: _numbers("run", "version"),
    WorkflowEvent.RUN_ENDED: {"run": NUMBER, "outcome": _one_of(ENDS)},
    WorkflowEvent.TASK_OPENED: {
        **TASK,
        "visit": NUMBER,
        **dict.fromkeys(("assignee", "group", "team"), NUMBER_OR_NONE),
    },
    WorkflowEvent.TASK_CLAIMED: TASK,
    WorkflowEvent.TASK_RELEASED: TASK,
    WorkflowEvent.TASK_COMPLETED: {**TASK, "visit": NUMBER, "outcome": TEXT},
    WorkflowEvent.TASK_WITHDRAWN: VISIT,
    WorkflowEvent.ACTION_DONE: LEFT,
    WorkflowEvent.ACTION_DUE: {"step": TEXT, **_numbers("visit", "call", "attempt")},
    WorkflowEvent.ACTION_FAILED: {**VISIT, "attempts": NUMBER},
    WorkflowEvent.WAIT_OPENED: STAYED,
    WorkflowEvent.WAIT_DONE: LEFT,
    WorkflowEvent.WAIT_WITHDRAWN: STAYED,
    WorkflowEvent.DEADLINE_PASSED: {**LEFT, "deadline": TEXT},
    WorkflowEvent.KEY_ASKED: {**VISIT, "claim": NUMBER},
    WorkflowEvent.KEY_GRANTED: {**VISIT, "claim": NUMBER},
    WorkflowEvent.KEY_RELEASED: {"step": TEXT, **_numbers("visit", "claim")},
    WorkflowEvent.SUBFLOW_STARTED: {**VISIT, **_numbers("version", "parent")},
    WorkflowEvent.SUBFLOW_ENDED: LEFT,
    WorkflowEvent.INSTANCE_ADDED: VISIT,
    WorkflowEvent.INSTANCES_CLOSED: VISIT,
    WorkflowEvent.INSTANCES_FINISHED: VISIT,
    WorkflowEvent.CHOICE_TAKEN: {**LEFT, "visit": NUMBER_OR_NONE},
    WorkflowEvent.MESSAGE_KEPT: MESSAGE,
    WorkflowEvent.MESSAGE_LOST: MESSAGE,
    WorkflowEvent.WAIVER_SIGNED: {**_numbers("workflow", "check"), "hash": TEXT},
    WorkflowEvent.VERSION_PUBLISHED: VERSION,
    WorkflowEvent.VERSION_RETIRED: VERSION,
    ApprovalEvent.OPENED: {**APPROVAL, "resumed": NUMBER},
    ApprovalEvent.LEVEL_OPENED: {**LEVEL, "row": NUMBER, "seats": ITEMS, "why": _one_of([Why.FALLBACK])},
    ApprovalEvent.LEVEL_SKIPPED: {**LEVEL, "row": NUMBER, "why": _one_of(["guard", "resumed"])},
    ApprovalEvent.ASKED: {**LEVEL, "row": NUMBER, "seats": ITEMS, "left": ITEMS, "why": _one_of(Why)},
    ApprovalEvent.REMINDED: {**LEVEL, "percent": NUMBER, "seats": ITEMS},
    ApprovalEvent.TIMED_OUT: {**LEVEL, "then": _one_of(["escalate", "approve", "reject", "return", "expire"])},
    ApprovalEvent.DECIDED: {**LEVEL, **_numbers("seat", "for"), "verdict": _one_of(Verdict), "counted": FLAG},
    ApprovalEvent.VOTE_CLOSED: LEVEL,
    ApprovalEvent.OVERRIDDEN: {**APPROVAL, "result": _one_of([ApprovalStatus.APPROVED, ApprovalStatus.REJECTED])},
    ApprovalEvent.ENDED: {**APPROVAL, "result": RESULT},
    SlaEvent.STARTED: CLOCK,
    SlaEvent.PAUSED: CLOCK,
    SlaEvent.RESUMED: CLOCK,
    SlaEvent.WARNED: {**REACHED, "percent": NUMBER},
    SlaEvent.BREACHED: REACHED,
    SlaEvent.ESCALATED: {**REACHED, "escalation": TEXT, "do": TEXT},
    SlaEvent.REBASED: {
        "policy": NUMBER_OR_NONE,
        **dict.fromkeys(("replaces", "calendars", "done"), ENTRIES),
        "retroactive": FLAG,
        "timers": ITEMS,
    },
    SlaEvent.MET: CLOCK,
    SlaEvent.VOIDED: CLOCK,
    IncidentEvent.OPENED: {"incident": NUMBER, "kind": _one_of((*CALLS, *CALLS_FROM_OUTSIDE)), "key": TEXT},
    IncidentEvent.RESOLVED: {"incident": NUMBER, "cause": _one_of(["step_over"])},
    PersonEvent.ROLES_CHANGED: {"person": NUMBER},
    PersonEvent.DELEGATED: ABSENCE,
    PersonEvent.DELEGATION_ENDED: ABSENCE,
}
ADDED = frozenset({"note", "note_mac", "activity"})  # to any event, later: by its note, or by the log it comes from
BEFORE_SUBMISSION = (
    RequestEvent.DRAFTED, RequestEvent.EDITED, RequestEvent.VALIDATED, RequestEvent.WORKFLOW_SELECTED,
)  # fmt: skip
OF_WORKFLOWS = (WorkflowEvent.WAIVER_SIGNED, WorkflowEvent.VERSION_PUBLISHED, WorkflowEvent.VERSION_RETIRED)
UNHEARD: Mapping[str, str] = {  # what no clock hears, and why
    **dict.fromkeys(BEFORE_SUBMISSION, "it comes before a request is submitted"),
    **dict.fromkeys(OF_WORKFLOWS, "it is told of a workflow, not of a request"),
    **dict.fromkeys(SlaEvent, "no clock follows another one"),
    **dict.fromkeys(PersonEvent, "it is told of a person, not of a request"),
}
HEARD: Mapping[str, Fields] = {
    **{str(kind): fields for kind, fields in FIELDS.items() if kind not in UNHEARD},
    str(IncidentEvent.OPENED): {**FIELDS[IncidentEvent.OPENED], "kind": _one_of(CALLS)},
}


def fields_told(fields: Fields) -> str:
    """The fields as people read them: "step, run, result (approved, rejected)"; "" for none."""
    return ", ".join(_told(name, one) for name, one in fields.items())


def _told(name: str, one: Any) -> str:
    if not isinstance(one, Field):
        return ", ".join(_told(f"{name}.{below}", field) for below, field in one.items())
    return f"{name} ({', '.join(sorted(one.values))})" if one.values else name
