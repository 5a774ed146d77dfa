"""What can be wrong with a document, said so that a person can mend it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from apps.workflows.engine.definition import Step


class Severity(Enum):
    """Whether a problem keeps a document from becoming a version."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong. It names its step or its transition, where it has one, and the place in the JSON.

    `way`: the shortest way of events that leads to it, where it is a run that goes wrong.
    """

    code: str
    message: str
    severity: Severity = Severity.ERROR
    step: str | None = None
    transition: int | None = None
    path: str = ""
    way: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The step's id, else `transitions/3`, else the path in the JSON, else `document`."""
        if self.step is not None:
            return self.step
        if self.transition is not None:
            return f"transitions/{self.transition}"
        return self.path or "document"

    def as_json(self) -> dict[str, Any]:
        """Code, severity, step, transition, message and path, as plain JSON."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "step": self.step,
            "transition": self.transition,
            "message": self.message,
            "path": self.path,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Problem:
        """The problem of `as_json`, without its way."""
        return cls(**{**stored, "severity": Severity(stored["severity"])})


def step_problem(code: str, step: Step, text: str, *, path: str = "") -> Problem:
    """A problem of a step; `path` is a path within it."""
    return Problem(code=code, step=step.id, message=f"Step {step.id!r}: {text}", path=path)


def by_place(problems: Iterable[Problem]) -> dict[str, list[str]]:
    """The messages, listed per place in the order in which they were found."""
    places: dict[str, list[str]] = {}
    for problem in problems:
        places.setdefault(problem.place, []).append(problem.message)
    return places
