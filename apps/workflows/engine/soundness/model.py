"""A definition made ready for exploring, and what can happen at each of its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from apps.workflows.engine import triggers
from apps.workflows.engine.attributes import instances
from apps.workflows.engine.definition import Definition, Outcome, Step, Transition
from apps.workflows.engine.kinds import KINDS
from apps.workflows.engine.kinds.working import Working

Children = Mapping[str, frozenset[str]]
_INSTANCES = frozenset({"for_each", "count", "mode", "done_when", "open_ended", "cancel_rest"})
_VALUES = frozenset({"with", "input", "output", "exclusive", "assign", "policy"})
_DONE = Outcome(id="done", label="Done")


@dataclass(frozen=True, kw_only=True)
class Ending:
    """A way the work of a visit can end: what happened, and the trigger that says so, given the visit's number."""

    text: str
    trigger: Callable[[int], triggers.Trigger]


@dataclass(frozen=True, kw_only=True)
class Group:
    """What a step that stands for several stands for: these, entered at `first`.

    `keys` are the regions in it that hold only as long as no two tokens come there that know nothing of each other.
    """

    steps: frozenset[str]
    first: str
    keys: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Model:
    """What is explored. Values that no token depends on are left out; arrows keep the index of the document."""

    definition: Definition
    endings: Mapping[str, tuple[Ending, ...]]
    groups: Mapping[str, Group] = field(default_factory=dict)

    def real(self, step_id: str) -> str:
        """The step of the document: of a group the first."""
        group = self.groups.get(step_id)
        return group.first if group else step_id

    def steps_in(self, step_id: str) -> list[str]:
        """The steps of the document that the step stands for: for most that is itself."""
        group = self.groups.get(step_id)
        return sorted(group.steps) if group else [step_id]

    @cached_property
    def named(self) -> Mapping[str, frozenset[str]]:
        """The steps that each step names in `cancels` and `only_while`."""
        return {step.id: frozenset(_named(step)) for step in self.definition.steps}

    def without(self, steps: Iterable[str], arrows: Iterable[int]) -> Model:
        """The model without these steps, these arrows and every arrow to or from these steps."""
        gone, cut = frozenset(steps), frozenset(arrows)
        kept = [
            arrow
            for arrow in self.definition.transitions
            if arrow.index not in cut and arrow.source not in gone and arrow.target not in gone
        ]
        steps_kept = [step for step in self.definition.steps if step.id not in gone]
        return self.drawn(steps_kept, kept, reopen=self.definition.reopen)

    def drawn(
        self, steps: Iterable[Step], arrows: Iterable[Transition], *, reopen: str | None = None, **changes: Any
    ) -> Model:
        """The model with other steps and arrows."""
        definition = replace(self.definition, steps=tuple(steps), transitions=tuple(arrows), reopen=reopen)
        return replace(self, definition=definition, **changes)


def model_of(definition: Definition, children: Children | None) -> Model:
    """The model of a whole document. A child run that is not among `children`, or has no outcome there, never ends."""
    return Model(
        definition=replace(definition, steps=tuple(_plain(step) for step in definition.steps)),
        endings={step.id: tuple(_endings(step, definition, children)) for step in definition.steps},
    )


def complete(outcome: str, text: str) -> Ending:
    """Somebody ends the visit by an outcome."""
    return Ending(text=text, trigger=lambda visit: triggers.Complete(visit=visit, outcome=outcome))


def _named(step: Step) -> Iterator[str]:
    yield from step.settings.get("cancels", ())
    if "only_while" in step.settings:
        yield step.settings["only_while"]


def _plain(step: Step) -> Step:
    """The step without the values that only effects carry: keys as granted, instances as one visit, times as due."""
    if not KINDS[step.kind].working:
        return step
    settings = {name: value for name, value in step.settings.items() if name not in _VALUES}
    if "deadlines" in settings:
        settings["deadlines"] = [{**one, "after": {"seconds": 1}} for one in settings["deadlines"]]
    if instances.expected(step):
        kept = {name: value for name, value in settings.items() if name not in _INSTANCES}
        return replace(step, kind="task", settings=kept, outcomes=(_DONE,), work_outcomes=(_DONE,))
    if step.kind == "wait":
        settings["for"] = _plain_wait(step.settings["for"])
    if step.kind == "action":
        settings["with"] = {}
    return replace(step, settings=MappingProxyType(settings))


def _plain_wait(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    if "message" in spec:
        return {"message": spec["message"]}
    return {"seconds": 0 if spec.get("seconds") == 0 else 1}


# what can happen


def _endings(step: Step, definition: Definition, children: Children | None) -> Iterator[Ending]:
    kind = KINDS[step.kind]
    if not isinstance(kind, Working) or not _can_end(step, children):
        return
    if instances.expected(step):
        yield complete(_DONE.id, f"{step.id} done")
        return
    arrows = definition.arrows_from(step.id)
    for outcome in step.outcomes:
        if kind.arrow(arrows, outcome.id):
            yield _ending(step, outcome.id)


def _can_end(step: Step, children: Children | None) -> bool:
    return step.kind != "subflow" or children is None or bool(children.get(step.settings["workflow"]))


def _ending(step: Step, outcome: str) -> Ending:
    if step.kind == "action":
        return _of_action(step, outcome)
    if step.kind == "subflow":
        trigger = lambda visit: triggers.ChildEnded(visit=visit, outcome=outcome)  # noqa: E731 - one of five alike
        return Ending(text=f"{step.id} {outcome}", trigger=trigger)
    if step.kind == "wait":
        return _of_wait(step)
    return complete(outcome, f"{step.id} {outcome}")


def _of_action(step: Step, outcome: str) -> Ending:
    if outcome == "failed":
        return Ending(text=f"{step.id} failed", trigger=lambda visit: triggers.ActionFailed(visit=visit, reason=""))
    return Ending(text=f"{step.id} done", trigger=lambda visit: triggers.ActionDone(visit=visit))


def _of_wait(step: Step) -> Ending:
    """Every visit that waits for a message is given its own number as key, so that any of them may be meant."""
    name = step.settings["for"].get("message")
    if name is None:
        return Ending(text=f"{step.id} done", trigger=lambda visit: triggers.TimerFired(visit=visit))
    return Ending(
        text=f"message {name!r} for {step.id}", trigger=lambda visit: triggers.Message(name=name, key=str(visit))
    )
