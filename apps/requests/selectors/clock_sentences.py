"""What the clocks of a request do, and who changes its priority, as sentences of its history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from apps.requests.enums import Level, Priority
from apps.requests.selectors.carried import Versions, carried_words
from apps.sla.enums import SlaEvent
from apps.sla.targets import Escalation, SlaPolicy
from apps.sla.words import done_words, length_words

Data = Mapping[str, Any]
METRICS: Mapping[str, str] = MappingProxyType({"response": "the first response", "resolution": "the solution"})
DOES: Mapping[str, str] = MappingProxyType(
    {
        "notify": "tell people",
        "reassign": "give the request to others",
        "raise_priority": "raise the priority by one step",
        "run_action": "carry out an action",
    }
)


class ClockWords(Protocol):
    """What these sentences need: the policy that measures the request, the names of its steps and stages, what
    versions are called, and whether the reader may know of teams' own targets.
    """

    @property
    def sla(self) -> SlaPolicy | None: ...

    @property
    def internally(self) -> bool: ...

    @property
    def versions(self) -> Versions: ...

    def step(self, data: Data, *, run: str = "run") -> str: ...

    def stage(self, stage: str) -> str: ...


def measured(data: Data, words: ClockWords) -> str:
    """What the clock of an event measures, as it is named there: "the solution", "“Repair”", "the step “Pack”"."""
    metric, target = data.get("metric", ""), words.sla.target(data["target"]) if words.sla else None
    if target and target.name:
        return f"“{target.name}”"
    if metric in ("step", "approval") and target:
        return f"the {metric} {words.step({'step': target.of})}"
    if metric == "stage" and target:
        return f"the stage {words.stage(target.of)}"
    return METRICS.get(metric) or f"“{data['target']}”"


def priority_changed(data: Data, words: ClockWords) -> str:
    """From which priority to which, and by which levels, or because of which time that ran out."""
    was, now = (Priority(data[name]).label.lower() for name in ("was", "priority"))
    if "escalation" in data:
        why = f", as {_reached(data, words)}" if words.internally or not _is_internal(data, words) else ""
        return f"raised the priority from {was} to {now}{why}"
    levels = f"{Level(data['impact']).label.lower()} impact and {Level(data['urgency']).label.lower()} urgency"
    if was == now:
        return f"changed the request to {levels}; its priority stays {now}"
    return f"changed the priority from {was} to {now}: {levels}"


def _escalated(data: Data, words: ClockWords) -> str:
    escalation = _escalation(data, words)
    what = done_words(escalation) if escalation else DOES[data["do"]]
    return f"escalated, to {what}, as {_reached(data, words)}"


def _reached(data: Data, words: ClockWords) -> str:
    """Where the clock stood: before the end of its time, at it, or some time after."""
    escalation, what = _escalation(data, words), f"the time for {measured(data, words)}"
    if escalation is None:
        return f"{what} runs out"
    if escalation.at is not None and escalation.at < 100:
        return f"{escalation.at} % of {what} is used up"
    after = escalation.after_breach
    return f"{what} has been over for {length_words(after)}" if after else f"{what} is over"


def _is_internal(data: Data, words: ClockWords) -> bool:
    """Whether the target an event names is a team's own, or is not there any more to say so."""
    target = words.sla.target(data["target"]) if words.sla else None
    return target is None or bool(target.team)


def _escalation(data: Data, words: ClockWords) -> Escalation | None:
    """The escalation an event names, if the policy has it still."""
    target = words.sla.target(data["target"]) if words.sla else None
    return next((one for one in target.escalations if one.id == data["escalation"]), None) if target else None


OF_CLOCKS: Mapping[str, Callable[[Data, ClockWords], str]] = MappingProxyType(
    {
        SlaEvent.STARTED: lambda data, words: f"started the clock for {measured(data, words)}",
        SlaEvent.PAUSED: lambda data, words: f"stopped the clock for {measured(data, words)} for a while",
        SlaEvent.RESUMED: lambda data, words: f"let the clock for {measured(data, words)} go on",
        SlaEvent.WARNED: lambda data, words: (
            f"warned: {data['percent']} % of the time for {measured(data, words)} is used up"
        ),
        SlaEvent.BREACHED: lambda data, words: f"noted that the time for {measured(data, words)} is over",
        SlaEvent.ESCALATED: _escalated,
        SlaEvent.REBASED: lambda data, words: f"measured the clocks anew {carried_words(data, words.versions)}",
        SlaEvent.MET: lambda data, words: f"noted that the time for {measured(data, words)} was kept",
    }
)
