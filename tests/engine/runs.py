"""A run on the planner alone, for tests."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.errors import TransitionNotAllowed
from apps.workflows.engine import triggers
from apps.workflows.engine.definition import Definition
from apps.workflows.engine.document import compile_document
from apps.workflows.engine.marking import Marking
from apps.workflows.engine.planner import Plan, plan
from tests.engine.documents import FACTS, NOW

COMMENT = {"id": "say", "kind": "action", "action": "comment", "with": {"text": "Hello"}}


class Run:
    """A run that is stored as JSON between all steps."""

    def __init__(self, source: dict[str, Any], given: dict[str, Any] | None = None, *, at: str | None = None) -> None:
        self.definition: Definition = compile_document(source)
        self.facts = given or FACTS
        self.stored: dict[str, Any] = {}
        self.plan = self.send(triggers.Start(at=at))

    def send(self, trigger: triggers.Trigger) -> Plan:
        self.plan = plan(self.definition, Marking.from_json(self.stored), trigger, self.facts, NOW)
        self.stored = self.plan.marking.to_json()
        return self.plan

    @property
    def visit(self) -> int:
        (visit,) = self.plan.marking.open_visits()
        return visit.id

    @property
    def at(self) -> list[str]:
        return [token.step for token in self.plan.marking.tokens]

    def told(self) -> list[tuple[str, str | None, str | None]]:
        return [(entry.kind.value, entry.step, entry.outcome) for entry in self.plan.trace]

    def complete(self, outcome: str) -> Plan:
        return self.send(triggers.Complete(visit=self.visit, outcome=outcome))


def assert_refused(run: Run, trigger: triggers.Trigger, message: str) -> None:
    before = dict(run.stored)
    with pytest.raises(TransitionNotAllowed, match=message):
        run.send(trigger)
    assert run.stored == before
