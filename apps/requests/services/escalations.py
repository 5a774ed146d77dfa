"""What an SLA escalation does: people are told, the request changes hands or priority, an action runs. Each once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from apps.core.errors import InvalidInput
from apps.outbox.incidents import open_incident
from apps.outbox.models import Delivery, Note
from apps.requests.enums import ESCALATED_BY, Level, RequestEvent, priority_of
from apps.requests.facts import pinned_facts
from apps.requests.models import Request
from apps.requests.services.actions import AT_ONCE, NotDone, give_request, readers_of
from apps.requests.services.openings import assigned_to
from apps.requests.services.writing import Write, begin_write
from apps.sla.models import SlaClock
from apps.sla.selectors import target_of
from apps.sla.targets import Escalation
from apps.sla.words import name_of
from apps.workflows.engine import effects

Json = Mapping[str, Any]
HIGHER: Mapping[str, Level] = MappingProxyType({Level.LOW: Level.MEDIUM, Level.MEDIUM: Level.HIGH})


def carry_out(delivery: Delivery) -> None:
    """Carries out the escalation that an event tells of, in the transaction that marks its delivery done: once.

    One that cannot be carried out opens an incident and changes nothing else. A request that has ended meanwhile, and a
    policy that does not have the escalation any more, leave nothing to do.
    """
    event = delivery.event
    row = SlaClock.objects.filter(pk=event.data["clock"]).first()
    known = target_of(row).escalations if row else ()
    escalation = next((one for one in known if one.id == event.data["escalation"]), None)
    if row is None or escalation is None or not Request.objects.filter(pk=event.stream_id).exists():
        return
    write = begin_write(event.stream_id, actor=None)
    if not write.request.is_open:
        return
    due = Due(clock=row, escalation=escalation)
    try:
        DOES[escalation.do](write, due)
    except (InvalidInput, NotDone) as refusal:
        detail = f"The escalation {escalation.id} of the SLA target {row.target} could not be carried out: {refusal}"
        key = f"sla:{row.pk}:{escalation.id}"
        write.events += open_incident(write.request.stream, kind="escalation", key=key, detail=detail, at=write.at)
    if write.events:
        write.finish()


@dataclass(frozen=True, kw_only=True)
class Due:
    """An escalation that fell due on a clock."""

    clock: SlaClock
    escalation: Escalation


def _notify(write: Write, due: Due) -> None:
    text = due.escalation.settings.get("text") or f"The time for “{name_of(target_of(due.clock))}” runs out."
    readers = sorted({pk for rule in due.escalation.to for pk in _people(write, rule)})
    if not readers:
        raise NotDone("it names nobody active.")
    write.tell_by_itself(RequestEvent.NOTICE, note=write.note(text), step=_step(due), users=readers)


def _reassign(write: Write, due: Due) -> None:
    rule = due.escalation.to[0]
    if "lead" in rule:
        lead = write.request.team.lead if write.request.team else None
        found: dict[str, Any] | None = {"assignee": lead} if lead and lead.is_active else None
    else:
        found = assigned_to(rule, write, {**pinned_facts(write.request), "run": write.run.facts})
    give_request(write, found, rule, step=_step(due))


def _raise_priority(write: Write, due: Due) -> None:
    """One step up: the urgency first, then the impact; a critical request stays as it is."""
    request = write.request
    if request.urgency in HIGHER:
        change_priority(write, impact=request.impact, urgency=HIGHER[request.urgency], due=due)
    elif request.impact in HIGHER:
        change_priority(write, impact=HIGHER[request.impact], urgency=request.urgency, due=due)


def change_priority(
    write: Write, *, impact: str, urgency: str, due: Due | None = None, note: Note | None = None
) -> None:
    """Sets impact and urgency; the clocks are measured by the priority that gives, from what they have counted.

    `due` is the escalation that does it by itself, without anybody's hand; the history names it.
    """
    request, was = write.request, write.request.priority
    request.impact, request.urgency, request.priority = impact, urgency, priority_of(impact, urgency)
    data = {"priority": str(request.priority), "was": str(was), "impact": str(impact), "urgency": str(urgency)}
    if due is None:
        write.tell(RequestEvent.PRIORITY_CHANGED, note=note, **data)
    else:
        row, escalation = due.clock, due.escalation.id
        data |= {"target": row.target, "metric": row.metric, "escalation": escalation}
        write.tell_by_itself(RequestEvent.PRIORITY_CHANGED, note=note, **data)


def _run_action(write: Write, due: Due) -> None:
    settings = due.escalation.settings
    effect = effects.RunAction(visit=0, step=_step(due), action=settings["action"], settings=settings["with"])
    AT_ONCE[settings["action"]](write, write.run, effect)


def _step(due: Due) -> str:
    """Escalations belong to no step of the workflow; the history names the target."""
    return f"{ESCALATED_BY}{due.clock.target}"


def _people(write: Write, rule: Json) -> Sequence[int]:
    request = write.request
    if "assignee" not in rule and "lead" not in rule:
        return readers_of(rule, write)
    person = request.assignee if "assignee" in rule else request.team and request.team.lead
    return [person.pk] if person and person.is_active else []


DOES: Mapping[str, Callable[[Write, Due], None]] = MappingProxyType(
    {"notify": _notify, "reassign": _reassign, "raise_priority": _raise_priority, "run_action": _run_action}
)
