"""One sentence per event type; an event type without one is not shown to people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.approvals.enums import SKIPPED_BY_GUARD, ApprovalEvent, ApprovalStatus, Verdict, Why
from apps.approvals.models import ApprovalLevel
from apps.outbox.enums import IncidentEvent
from apps.outbox.incidents import STEP_OVER
from apps.requests.enums import Priority, RequestEvent
from apps.requests.selectors.carried import Versions
from apps.requests.selectors.clock_sentences import OF_CLOCKS, priority_changed
from apps.requests.selectors.guard_words import why_not
from apps.sla.targets import SlaPolicy
from apps.workflows.engine.definition import Definition, Step
from apps.workflows.enums import WorkflowEvent

Data = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Words:
    """The names a history needs: people by id, the workflow the request runs on (its version says what stages, steps
    and outcomes are called), and those of its child runs by the run's number. `approvals` are the numbers of the child
    runs that approvals belong to, `skipped` the levels that were skipped, by the id of their row; `fields` the labels
    of the forms' fields; `internally` whether the reader may know of teams' own targets; `versions` what those are
    called that clocks were carried over to.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    workflow: Definition | None = None
    children: Mapping[int, Definition] = field(default_factory=dict)
    approvals: Mapping[int, int] = field(default_factory=dict)
    skipped: Mapping[int, ApprovalLevel] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    sla: SlaPolicy | None = None
    internally: bool = True
    versions: Versions = field(default_factory=Versions)

    def actor(self, actor: str) -> str:
        """A person's name, or the product's own for what it did by itself."""
        kind, _, pk = actor.partition(":")
        return self.person(int(pk)) if kind == "user" else "Service Flow"

    def person(self, pk: int) -> str:
        return self.names.get(pk, "somebody")

    def people(self, pks: list[int]) -> str:
        return ", ".join(self.person(pk) for pk in pks) or "nobody"

    def step(self, data: Data, *, run: str = "run") -> str:
        """The step an event is about; `run` is where the event says in which child run, if its approval does not."""
        found = self._step(data, run=run)
        return f"“{found.name if found else data.get('step', '')}”"

    def outcome(self, data: Data) -> str:
        """How the work of a step ended, as the button for it says."""
        found = self._step(data)
        outcome = found.outcome(data["outcome"]) if found else None
        return outcome.label if outcome else in_words(data["outcome"])

    def stage(self, stage: str) -> str:
        """A stage of the request's own workflow."""
        found = self.workflow.stage(stage) if self.workflow else None
        return f"“{found.name if found else stage}”"

    def label(self, name: str) -> str:
        """A field as its form calls it; one that no form has was filled in by the workflow."""
        return self.fields.get(name) or in_words(name)

    def _step(self, data: Data, *, run: str = "run") -> Step | None:
        """In the run the event names, else in whichever knows the step: older events do not say their run."""
        number = data.get(run) or self.approvals.get(data.get("approval", 0), 0)
        own = self.children.get(number, self.workflow)
        known = (one for one in (own, *self.children.values()) if one and one.has_step(data.get("step", "")))
        return next((one.step(data["step"]) for one in known), None)


def in_words(ident: str) -> str:
    """What has no name: its id, without the underscores."""
    return ident.replace("_", " ")


def _seated(seats: list[dict[str, int]], words: Words) -> str:
    """The people of seats: "B for A" where B is A's deputy."""
    named = [
        words.person(seat["user"]) + (f" for {words.person(seat['for'])}" if "for" in seat else "") for seat in seats
    ]
    return ", ".join(named) or "nobody"


def _asked(data: Data, words: Words) -> str:
    because = f" because {Why(data['why']).label}" if "why" in data else ""
    return f"asked {_seated(data.get('seats', []), words)} to approve {words.step(data)}{because}"


def _asked_more(data: Data, words: Words) -> str:
    instead = f" instead of {_seated(data['left'], words)}" if data.get("left") else ""
    return f"asked {_seated(data['seats'], words)} to approve {words.step(data)}{instead}: {Why(data['why']).label}"


def _decided(data: Data, words: Words) -> str:
    said = str(Verdict(data["verdict"]).label) + (f" for {words.person(data['for'])}" if "for" in data else "")
    return said + (": the earlier answer counts again" if data.get("counted") else "")


def _level_skipped(data: Data, words: Words) -> str:
    row = words.skipped[data["row"]]
    _, guarded, guard = row.skipped.partition(SKIPPED_BY_GUARD)
    why = why_not(guard) if guarded else "it was approved before the request was sent back"
    return f"skipped level {row.index + 1} “{row.name}”: {why}"


def _timed_out(data: Data, words: Words) -> str:
    what = {
        "escalate": "it goes to others",
        "approve": "that counts as approved",
        "reject": "that counts as rejected",
        "return": "it is sent back",
        "expire": "it expires",
    }
    return f"noted that {words.step(data)} was not decided in time: {what[data['then']]}"


def _approval_ended(data: Data, words: Words) -> str:
    return f"closed the approval {words.step(data)}: {ApprovalStatus(data['result']).label}"


def _task_opened(data: Data, words: Words) -> str:
    whom = f" for {words.person(data['assignee'])}" if data.get("assignee") else ""
    return f"opened the task {words.step(data)}{whom}"


def _assigned(data: Data, words: Words) -> str:
    return f"gave the request to {words.person(data['assignee']) if data.get('assignee') else 'a team or role'}"


def _called(data: Data, words: Words) -> str:
    """Where an operator is needed, if the incident is at a step of a run."""
    kind, _, place = data.get("key", "").partition(":")
    run, _, step = place.partition(":")
    if kind != "run" or not step:
        return "called an operator: the request needs help"
    return f"called an operator: {words.step({'step': step, 'run': int(run)})} needs help"


def _call_closed(data: Data, words: Words) -> str:
    over = ": the step is over" if data.get("cause") == STEP_OVER else ""
    return f"closed the call for an operator{over}"


SENTENCES: Mapping[str, Callable[[Data, Words], str]] = {
    RequestEvent.DRAFTED: lambda data, words: "wrote the request",
    RequestEvent.EDITED: lambda data, words: "changed the draft",
    RequestEvent.VALIDATED: lambda data, words: "checked the form: all fields are in order",
    RequestEvent.WORKFLOW_SELECTED: lambda data, words: "selected the workflow",
    RequestEvent.SUBMITTED: lambda data, words: (
        f"submitted the request, priority {Priority(data['priority']).label.lower()}"
    ),
    RequestEvent.PRIORITY_CHANGED: priority_changed,
    RequestEvent.HELD: lambda data, words: "put the request on hold",
    RequestEvent.RESUMED: lambda data, words: "took the request up again",
    RequestEvent.COMPLETED: lambda data, words: "completed the request",
    RequestEvent.REJECTED: lambda data, words: "closed the request as rejected",
    RequestEvent.CANCELLED: lambda data, words: "cancelled the request",
    RequestEvent.CANCEL_ASKED: lambda data, words: "asked to cancel the request",
    RequestEvent.REOPENED: lambda data, words: "reopened the request",
    RequestEvent.ARCHIVED: lambda data, words: "archived the request",
    RequestEvent.FIELDS_SET: lambda data, words: f"filled in {', '.join(map(words.label, data['fields']))}",
    RequestEvent.COMMENTED: lambda data, words: "noted internally" if data.get("internal") else "commented",
    RequestEvent.NOTICE: lambda data, words: f"sent a message to {words.people(data['users'])}",
    RequestEvent.HANDED_OVER: lambda data, words: "handed the imported request over to live operation",
    WorkflowEvent.TASK_OPENED: _task_opened,
    WorkflowEvent.TASK_CLAIMED: lambda data, words: f"took up {words.step(data)}",
    WorkflowEvent.TASK_RELEASED: lambda data, words: f"gave {words.step(data)} back",
    WorkflowEvent.TASK_COMPLETED: lambda data, words: f"finished {words.step(data)}: {words.outcome(data)}",
    WorkflowEvent.TASK_WITHDRAWN: lambda data, words: f"took the task {words.step(data)} back",
    WorkflowEvent.WAIT_OPENED: lambda data, words: f"is waiting: {words.step(data)}",
    WorkflowEvent.WAIT_DONE: lambda data, words: f"stopped waiting: {words.step(data)}",
    WorkflowEvent.ACTION_FAILED: lambda data, words: f"could not carry out {words.step(data)}",
    WorkflowEvent.DEADLINE_PASSED: lambda data, words: f"noted that {words.step(data)} is late",
    WorkflowEvent.KEY_ASKED: lambda data, words: f"put {words.step(data)} in line: somebody else has what it needs",
    WorkflowEvent.KEY_GRANTED: lambda data, words: f"began {words.step(data)}: its turn has come",
    WorkflowEvent.SUBFLOW_STARTED: lambda data, words: f"started {words.step(data, run='parent')}",
    WorkflowEvent.SUBFLOW_ENDED: lambda data, words: f"finished {words.step(data)}",
    WorkflowEvent.INSTANCE_ADDED: lambda data, words: f"added one more to {words.step(data)}",
    WorkflowEvent.INSTANCES_CLOSED: lambda data, words: f"closed {words.step(data)}: no more can be added",
    WorkflowEvent.INSTANCES_FINISHED: lambda data, words: f"finished {words.step(data)} with what was done",
    WorkflowEvent.MESSAGE_KEPT: lambda data, words: "kept a message until a step waits for it",
    WorkflowEvent.MESSAGE_LOST: lambda data, words: "took in a message that no step waits for, and let it go",
    RequestEvent.ASSIGNED: _assigned,
    RequestEvent.STEP_SKIPPED: lambda data, words: f"skipped {words.step(data)}",
    RequestEvent.TOKEN_MOVED: lambda data, words: f"moved the request on to {words.step(data)}",
    RequestEvent.VISIT_CANCELLED: lambda data, words: f"took {words.step(data)} back",
    ApprovalEvent.LEVEL_OPENED: _asked,
    ApprovalEvent.LEVEL_SKIPPED: _level_skipped,
    ApprovalEvent.ASKED: _asked_more,
    ApprovalEvent.REMINDED: lambda data, words: (
        f"reminded {_seated(data['seats'], words)} of {words.step(data)}: {data['percent']} % of the time is over"
    ),
    ApprovalEvent.TIMED_OUT: _timed_out,
    ApprovalEvent.VOTE_CLOSED: lambda data, words: f"closed the vote on {words.step(data)}",
    ApprovalEvent.OVERRIDDEN: lambda data, words: (
        f"overrode the approval {words.step(data)}: {ApprovalStatus(data['result']).label}"
    ),
    ApprovalEvent.DECIDED: _decided,
    ApprovalEvent.ENDED: _approval_ended,
    **OF_CLOCKS,
    IncidentEvent.OPENED: _called,
    IncidentEvent.RESOLVED: _call_closed,
}
