from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.workflows.engine.board import Board, Spot
from apps.workflows.engine.definition import Outcome, Step
from apps.workflows.engine.effects import RunAction, WithdrawAction
from apps.workflows.engine.kinds.base import Policies
from apps.workflows.engine.kinds.rules import expressions_in
from apps.workflows.engine.kinds.working import Working
from apps.workflows.engine.trace import TraceKind
from apps.workflows.engine.values import plain_value

DONE = Outcome(id="done", label="Done")
FAILED = Outcome(id="failed", label="Failed")
EVALUATED = frozenset({"fields", "body"})


class Action(Working):
    """Does something by itself. Left by `done`; after its retries by `failed`, where that has an arrow of its own."""

    name = "action"
    own_arrow_only = frozenset({FAILED.id})

    def outcomes(self, source: Mapping[str, Any], policies: Policies) -> tuple[Outcome, ...]:
        return DONE, FAILED

    def optional(self, step: Step, policies: Policies) -> frozenset[str]:
        return frozenset({FAILED.id})

    def expressions(self, step: Step) -> Iterator[tuple[str, str, bool]]:
        settings = step.settings["with"]
        for group in EVALUATED:
            for name, expression in settings.get(group, {}).items():
                yield f"with/{group}/{name}", expression, False
        if "title" in settings:
            yield "with/title", settings["title"], False
        to = settings.get("to", ())
        yield from expressions_in([to] if isinstance(to, Mapping) else to, "with/to")

    def open(self, board: Board, spot: Spot) -> None:
        settings = dict(board.setting(spot, "with"))
        for group in EVALUATED & settings.keys():
            settings[group] = {name: plain_value(board, spot, text) for name, text in settings[group].items()}
        if "title" in settings:
            settings["title"] = plain_value(board, spot, settings["title"])
        action = board.definition.step(spot.step).settings["action"]
        item = spot.part.item if spot.part else None
        board.emit(RunAction(**spot.of, action=action, settings=settings, item=item))

    def take_back(self, board: Board, spot: Spot) -> None:
        board.emit(WithdrawAction(**spot.of))

    def action_done(self, board: Board, spot: Spot) -> None:
        self.done(board, spot, DONE.id)

    def action_failed(self, board: Board, spot: Spot, reason: str) -> None:
        if spot.in_incident:
            board.tell(TraceKind.IGNORED, spot)
        elif spot.instance is None and self.arrow(board.definition.arrows_from(spot.step), FAILED.id):
            self.leave(board, spot, FAILED.id)
        else:
            board.fail(spot, reason=reason)
