"""The publish gate: what the engine itself finds in a document, and what those above it know of the world."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from apps.workflows.engine.definition import Definition
from apps.workflows.engine.document import check_document, compile_document, document_hash
from apps.workflows.engine.kinds.base import Policies
from apps.workflows.engine.problems import Problem, Severity
from apps.workflows.engine.soundness import explore

MOST_MARKINGS = 50_000
MOST_MARKINGS_LIVE = 2_000

Outcomes = Mapping[str, frozenset[str]]
Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """What the gate says of the document with that hash.

    `verified`: it has seen every way a run can go. One that is not verified says nothing about what it has not seen; a
    second person must sign for it before it is published.
    """

    hash: str
    problems: tuple[Problem, ...]
    verified: bool

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    @property
    def publishable(self) -> bool:
        """Whether it can become a version as it is."""
        return self.verified and not self.errors

    def as_json(self) -> dict[str, Any]:
        """Plain JSON: `publishable`, `verified`, and `problems` as `Problem.as_json` says them."""
        return {
            "publishable": self.publishable,
            "verified": self.verified,
            "problems": [problem.as_json() for problem in self.problems],
        }


def check(
    document: Any,
    *,
    policies: Policies = MappingProxyType({}),
    beyond: Callable[[Mapping[str, Any], Definition], Iterable[Problem]] = lambda document, definition: (),
    children: Callable[[Definition], Outcomes | None] = lambda definition: MappingProxyType({}),
    most: int = MOST_MARKINGS,
    progress: Progress | None = None,
) -> GateResult:
    """Everything that is wrong with a document; never raises, whatever JSON value it is given.

    Schema and structure first; only where they hold what `beyond` finds, and then soundness, up to `most` markings.
    `policies` are the approval policies it may name, `children` gives the outcomes of the workflows it may run
    (None: they can end with any).
    """
    known = document_hash(document) if isinstance(document, dict) else ""
    problems = check_document(document, policies=policies)
    result = GateResult(hash=known, problems=problems, verified=False)
    if result.errors:
        return result
    definition = compile_document(document, policies=policies)
    problems += tuple(beyond(document, definition))
    found = explore(definition, most=most, progress=progress, children=children(definition))
    unseen = any(problem.code == "not_verified" for problem in problems)
    together = tuple(dict.fromkeys((*problems, *found.problems)))
    return replace(result, problems=together, verified=found.verified and not unseen)
