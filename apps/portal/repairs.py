"""Incidents with what an operator can do about each, and open-ended steps with what those who work on them can do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from apps.approvals.models import Approval
from apps.outbox.models import Incident
from apps.portal.now import instance_label, name_of
from apps.requests.selectors.incidents import place_of
from apps.requests.selectors.progress import OpenRun
from apps.workflows.engine.definition import Definition, Outcome, Step
from apps.workflows.engine.marking import InstanceStatus, Token, Visit

CANNOT_BE_SKIPPED = ("start", "join", "end")
TRIES_AGAIN = ("workflow", "approval_without_approver")
OF_APPROVALS = ("approval_without_approver", "guard", "separation_of_duties", "escalation")
SKIP_HINTS = {
    "choice": "It goes the way that is meant for all other cases (“otherwise”).",
    "split": "It goes the ways that have no condition.",
}
GUARD = re.compile(r" \(guard: (?P<guard>.*)\)$", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A step that a token can be put at, as a choice."""

    id: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A token at the step of an incident, with its visit (None at a join): what skip, move and withdraw need.

    `instances` are the indices in incident with their labels; empty where the visit itself is. `outcomes` are empty
    where there is nothing to choose. `alone`: nothing else of its run is open.
    """

    run: int
    token: int
    visit: int | None
    label: str
    may_skip: bool
    skip_hint: str
    outcomes: Sequence[Outcome]
    instances: Sequence[tuple[int, str]]
    targets: Sequence[Target]
    alone: bool

    @property
    def skip_form(self) -> str:
        return f"skip-{self.run}-{self.visit}"

    @property
    def move_form(self) -> str:
        return f"move-{self.run}-{self.token}"

    @property
    def withdraw_form(self) -> str:
        return f"withdraw-{self.run}-{self.visit}"


@dataclass(frozen=True, kw_only=True)
class IncidentBox:
    """An open incident in words: where it is (empty where it is at no step), what is wrong and with which guard, and
    the spots where something can be done.
    """

    incident: Incident
    where: str
    what: str
    guard: str
    may_retry: bool
    spots: Sequence[Spot]

    @property
    def retry_form(self) -> str:
        return f"retry-{self.incident.pk}"

    @property
    def tries_again(self) -> bool:
        """Whether retrying does something; other kinds are only closed."""
        return self.incident.kind in TRIES_AGAIN


@dataclass(frozen=True, kw_only=True)
class InstancesBox:
    """An open-ended step: how much of it is done, and whether more can be added."""

    run: int
    visit: int
    name: str
    done: int
    total: int
    closed: bool
    takes_items: bool

    @property
    def form(self) -> str:
        return f"instances-{self.run}-{self.visit}"

    @property
    def unfinished(self) -> int:
        return self.total - self.done


def incident_boxes(
    incidents: Iterable[Incident], runs: Sequence[OpenRun], approvals: Iterable[Approval]
) -> list[IncidentBox]:
    """The open ones of these incidents; spots are found in the runs that go on. Reads nothing more."""
    known = {str(one.pk): one for one in approvals}
    return [_incident_box(one, runs, known) for one in incidents if one.status == Incident.Status.OPEN]


def _incident_box(incident: Incident, runs: Sequence[OpenRun], approvals: dict[str, Approval]) -> IncidentBox:
    found, step = _place(incident, runs, approvals)
    what = incident.detail.removeprefix(f"Step {step}: ")
    guard = GUARD.search(what)
    at_visit = incident.kind in TRIES_AGAIN or incident.kind in OF_APPROVALS
    stuck = found is not None and not found.marking.open_visits()
    return IncidentBox(
        incident=incident,
        where=" › ".join([*_trail(found, runs), name_of(found.definition.step(step))]) if found else step,
        what=GUARD.sub("", what),
        guard=guard["guard"] if guard else "",
        may_retry=incident.kind != "dead_letter" and not stuck,
        spots=_spots(found, step) if found and at_visit else (),
    )


def _place(incident: Incident, runs: Sequence[OpenRun], approvals: dict[str, Approval]) -> tuple[OpenRun | None, str]:
    """The open run an incident is in, None if there is none; and the id of its step, "" if it is at none."""
    if incident.kind in OF_APPROVALS and incident.key.startswith("approval:"):
        approval = approvals.get(incident.key.split(":")[1])
        pk, step = (approval.visit.run_id, approval.step) if approval else (0, "")
        return next((one for one in runs if one.run.pk == pk), None), step
    place = place_of(incident)
    step = place.step or ""
    here = (one for one in runs if place.run in (None, one.run.n) and one.definition.has_step(step))
    return next(here, None), step


def _trail(one: OpenRun, runs: Sequence[OpenRun]) -> list[str]:
    """The steps above a child run, from the request's own workflow down; nothing for the request's own run."""
    above = next((run for run in runs if run.run.pk == one.run.parent_id), None)
    visit = above.marking.visit(one.run.parent_visit or 0) if above else None
    if above is None or visit is None:
        return []
    name, index = name_of(above.definition.step(visit.step)), one.run.parent_instance
    if index is not None and visit.instances:
        name = f"{name} {instance_label(index, visit.instances[index].item)}"
    return [*_trail(above, runs), name]


def _spots(one: OpenRun, step: str) -> list[Spot]:
    found = []
    for token in one.marking.tokens:
        visits = [visit for visit in token.visits if visit.step == step]
        found += [_spot(one, token, visit) for visit in visits]
        if token.step == step and not token.visits:
            found.append(_spot(one, token, None))
    return found if len(found) < 2 else [replace(spot, label=f"No. {place}") for place, spot in enumerate(found, 1)]


def _spot(one: OpenRun, token: Token, visit: Visit | None) -> Spot:
    step = one.definition.step(visit.step if visit else token.step)
    stuck = [part for part in (visit.instances or () if visit and not visit.incident else ()) if part.incident]
    outcomes = step.work_outcomes if stuck else step.outcomes
    return Spot(
        run=one.run.pk,
        token=token.id,
        visit=visit.id if visit else None,
        label="",
        may_skip=visit is not None and visit.needs_operator and step.kind not in CANNOT_BE_SKIPPED,
        skip_hint=SKIP_HINTS.get(step.kind, "It goes on as if this had been done."),
        outcomes=outcomes if len(outcomes) > 1 else (),
        instances=[(part.index, instance_label(part.index, part.item)) for part in stuck],
        targets=_targets(one.definition),
        alone=len(one.marking.tokens) == 1,
    )


def _targets(definition: Definition) -> list[Target]:
    """The steps a token can be put at, in document order."""
    return [Target(id=step.id, label=_label(step)) for step in definition.steps if step.kind != "start"]


def _label(step: Step) -> str:
    if step.kind != "end":
        return name_of(step)
    outcome = step.settings.get("outcome")
    return f"{name_of(step)} (the end{f': {outcome}' if outcome else ''})"


def instances_boxes(runs: Iterable[OpenRun]) -> list[InstancesBox]:
    """The open-ended steps that still go on."""
    return [
        _instances_box(one, visit)
        for one in runs
        for visit in one.marking.open_visits()
        if visit.instances is not None and not visit.left and one.definition.step(visit.step).settings.get("open_ended")
    ]


def _instances_box(one: OpenRun, visit: Visit) -> InstancesBox:
    step = one.definition.step(visit.step)
    parts = [part for part in visit.instances or () if part.status is not InstanceStatus.WITHDRAWN]
    return InstancesBox(
        run=one.run.pk,
        visit=visit.id,
        name=name_of(step),
        done=sum(part.status is InstanceStatus.DONE for part in parts),
        total=len(parts),
        closed=visit.closed,
        takes_items="for_each" in step.settings,
    )
