"""Incidents with what an operator can do about each, and open-ended steps with what those who work on them can do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from apps.outbox.models import Incident
from apps.portal.now import instance_label, name_of
from apps.requests.selectors.incidents import place_of
from apps.requests.selectors.progress import OpenRun
from apps.workflows.engine.definition import Definition, Outcome, Step
from apps.workflows.engine.marking import InstanceStatus, Token, Visit

CANNOT_BE_SKIPPED = ("start", "join", "end")


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A token at the step of an incident, with its visit (None at a join): what skip, move and withdraw need.

    `instances` are the indices in incident with their labels; empty where the visit itself is.
    """

    run: int
    token: int
    visit: int | None
    label: str
    may_skip: bool
    outcomes: Sequence[Outcome]
    instances: Sequence[tuple[int, str]]
    targets: Sequence[Step]

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
    """An open incident: the name of its step (empty where it is at none) and the spots where something can be done."""

    incident: Incident
    step: str
    spots: Sequence[Spot]

    @property
    def retry_form(self) -> str:
        return f"retry-{self.incident.pk}"

    @property
    def may_retry(self) -> bool:
        return self.incident.kind != "dead_letter"


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


def incident_boxes(incidents: Iterable[Incident], runs: Sequence[OpenRun]) -> list[IncidentBox]:
    """The open ones of these incidents; spots are found in the runs that go on."""
    return [_incident_box(one, runs) for one in incidents if one.status == Incident.Status.OPEN]


def _incident_box(incident: Incident, runs: Sequence[OpenRun]) -> IncidentBox:
    place = place_of(incident)
    found = next((one for one in runs if one.run.n == place.run), None)
    if found is None or place.step is None or not found.definition.has_step(place.step):
        return IncidentBox(incident=incident, step=place.step or "", spots=())
    name = name_of(found.definition.step(place.step))
    return IncidentBox(incident=incident, step=name, spots=_spots(found, place.step))


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
    stuck = [part for part in (visit.instances or () if visit else ()) if part.incident]
    in_incident = visit is not None and (visit.incident or bool(stuck))
    return Spot(
        run=one.run.pk,
        token=token.id,
        visit=visit.id if visit else None,
        label="",
        may_skip=in_incident and step.kind not in CANNOT_BE_SKIPPED,
        outcomes=step.work_outcomes if stuck or step.work_outcomes == step.outcomes else (),
        instances=[]
        if visit and visit.incident
        else [(part.index, instance_label(part.index, part.item)) for part in stuck],
        targets=_targets(one.definition),
    )


def _targets(definition: Definition) -> list[Step]:
    """The steps a token can be put at, in document order."""
    return [step for step in definition.steps if step.kind != "start"]


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
