"""The words of a diagram: names, labels of arrows, and the text alternative."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from apps.workflows.engine.definition import Definition, Step, Transition
from apps.workflows.engine.diagram.overlay import Overlay
from apps.workflows.engine.diagram.text import clean
from apps.workflows.engine.marking import Marking

DONE = "done"
KINDS = {"race": "First of", "subflow": "Workflow"}


def describe(
    definition: Definition, *, marking: Marking | None = None, overlay: Overlay | None = None
) -> tuple[str, ...]:
    """The text alternative: one sentence per step, in document order, each with every arrow that leaves it."""
    overlay = overlay or Overlay()
    held = tokens_at(marking)
    return tuple(_sentence(definition, step, held[step.id], overlay) for step in definition.steps)


def tokens_at(marking: Marking | None) -> Counter[str]:
    """How many tokens each step holds."""
    return Counter(token.step for token in marking.tokens) if marking else Counter()


def name_of(step: Step) -> str:
    """What people call the step: a start or end without a name is called by what it is."""
    if step.name == step.id and step.kind == "start":
        return "Start"
    if step.name == step.id and step.kind == "end":
        return str(step.settings.get("outcome") or "end").capitalize()
    return clean(step.name) or step.id


def kind_of(step: Step) -> str:
    return KINDS.get(step.kind, step.kind.capitalize())


def label_of(step: Step, arrow: Transition) -> str:
    """What the arrow out of the step carries. Nothing where it is plain: no condition, or the one outcome `done`."""
    if arrow.when is not None:
        return clean(arrow.when.replace("request.data.", ""))
    if arrow.otherwise:
        return "otherwise"
    if arrow.deadline is not None:
        return clean(f"deadline {arrow.deadline}")
    if arrow.outcome is None or (arrow.outcome == DONE and len(step.outcomes) == 1):
        return ""
    outcome = step.outcome(arrow.outcome)
    return clean(outcome.label if outcome else arrow.outcome)


def _sentence(definition: Definition, step: Step, tokens: int, overlay: Overlay) -> str:
    notes = _notes([here(tokens), *overlay.on_step(step.id).lines])
    subject = f"“{name_of(step)}”{notes}"
    arrows = [arrow for arrow in definition.arrows_from(step.id) if definition.has_step(arrow.target)]
    if not arrows:
        return f"{subject} is an end." if step.kind == "end" else f"{subject} leads nowhere."
    return f"{subject} leads to {_listed([_target(definition, step, arrow, overlay) for arrow in arrows])}."


def here(tokens: int) -> str:
    """That the step holds tokens, or nothing."""
    return "" if not tokens else "here now" if tokens == 1 else f"here now {tokens} times"


def _target(definition: Definition, step: Step, arrow: Transition, overlay: Overlay) -> str:
    target = "itself" if arrow.target == step.id else f"“{name_of(definition.step(arrow.target))}”"
    return target + _notes([label_of(step, arrow), *overlay.on_arrow(arrow.index).lines])


def _notes(parts: Sequence[str]) -> str:
    said = [text for part in parts if (text := clean(part))]
    return f" ({', '.join(said)})" if said else ""


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(([", ".join(parts[:-1])] if parts[1:] else []) + [parts[-1]])
