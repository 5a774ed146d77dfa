"""What is written on a drawing beside the workflow itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Written on a step or an arrow. `heat`, 0 to 1, colours a step and widens an arrow; `title` is shown on hover."""

    lines: tuple[str, ...] = ()
    heat: float = 0.0
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """Marks by step id and by the index of the transition."""

    steps: Mapping[str, Mark] = field(default_factory=dict)
    arrows: Mapping[int, Mark] = field(default_factory=dict)

    def on_step(self, step_id: str) -> Mark:
        return self.steps.get(step_id, Mark())

    def on_arrow(self, index: int) -> Mark:
        return self.arrows.get(index, Mark())
