"""The one function that moves every run.

A trigger changes one visit; then everything automatic moves until nothing moves. What a step does is its kind's affair:
this loop only asks each token's kind whether it moves now, and lets the first one move. Pure: the same input gives the
same plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.core.errors import TransitionNotAllowed
from apps.workflows.engine import effects, triggers
from apps.workflows.engine.board import MOST_MOVES, Board, Runaway
from apps.workflows.engine.definition import Definition, Step
from apps.workflows.engine.guards import GuardFailed
from apps.workflows.engine.kinds import KINDS
from apps.workflows.engine.marking import Kept, Marking, Token, Visit
from apps.workflows.engine.trace import TraceEntry, TraceKind

MOST_KEPT = 100

__all__ = ["Plan", "TraceEntry", "TraceKind", "current_stage", "open_steps", "plan"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where the run is afterwards, what the world has to do, and what happened, each in order."""

    marking: Marking
    effects: tuple[effects.Effect, ...]
    trace: tuple[TraceEntry, ...]


def plan(
    definition: Definition, marking: Marking, trigger: triggers.Trigger, facts: Mapping[str, Any], now: datetime
) -> Plan:
    """Moves a run by one trigger.

    `facts` hold what guards see: `{"request": {..., "data": {...}}, "run": {...}}`; `visit` and `now` are added here. A
    guard that fails leaves its token at its step, in incident. More than 1,000 automatic moves are dropped: the token
    rests where the trigger put it, in incident. A machine's late trigger is ignored and traced. Raises
    TransitionNotAllowed for an impossible trigger, and for a person's that comes too late.
    """
    board = Board.lay_out(definition, marking, kinds=KINDS, facts=facts, now=now)
    _TRIGGERS[type(trigger)](board, trigger)
    _settle(board)
    started_now = board.next > 1 and not marking.started
    _end(board, was_live=bool(marking.tokens) or started_now)
    return Plan(marking=board.marking(), effects=tuple(board.effects), trace=tuple(board.trace))


def open_steps(definition: Definition, marking: Marking) -> tuple[Step, ...]:
    """The steps that hold a token, each once, in document order."""
    held = {token.step for token in marking.tokens}
    return tuple(step for step in definition.steps if step.id in held)


def current_stage(definition: Definition, marking: Marking) -> str | None:
    """The id of the stage of the oldest token whose step has one, or None."""
    steps = (definition.step(token.step) for token in sorted(marking.tokens, key=lambda token: token.id))
    return next((step.stage for step in steps if step.stage), None)


# everything automatic


def _settle(board: Board) -> None:
    """Moves until nothing moves. A runaway loop is undone: the tokens that would move rest in incident."""
    board.moves = 0
    before, effects_done, trace_done = board.marking(), len(board.effects), len(board.trace)
    try:
        while token := _next_mover(board):
            _move(board, token)
    except Runaway:
        board.resume(before, effects_done=effects_done, trace_done=trace_done)
        while token := _next_mover(board):
            board.fail(token, reason=f"A loop made more than {MOST_MOVES:,} automatic moves and was stopped.")


def _next_mover(board: Board) -> Token | None:
    """The token to move: the lowest phase first, in it the one that arrived first."""
    movers = [
        (phase, token.seq, token.id)
        for token in board.tokens.values()
        if (phase := board.kind_of(token).phase(board, token)) is not None
    ]
    return board.tokens[min(movers)[2]] if movers else None


def _move(board: Board, token: Token) -> None:
    _attempt(board, token, lambda: board.kind_of(token).move(board, token))


def _attempt(board: Board, token: Token, act: Callable[[], None]) -> None:
    """A guard that fails is never a silent false: the token rests at the step whose guard failed, in incident."""
    try:
        act()
    except GuardFailed as failure:
        board.fail(board.tokens[token.id], guard=failure.expression, reason=failure.reason)


def _end(board: Board, *, was_live: bool) -> None:
    """The run ends with its last token. Tokens that nothing can move any more are an incident."""
    if not board.tokens:
        if was_live:
            outcome = board.outcome or "cancelled"
            board.joins, board.kept = [], []
            board.tell(TraceKind.FINISHED, outcome=outcome)
            board.emit(effects.Finish(outcome=outcome))
    elif not any(token.visits for token in board.tokens.values()):
        steps = sorted({token.step for token in board.tokens.values()})
        reason = f"The run is stuck: tokens wait at {', '.join(steps)}, and nothing can move them."
        board.tell(TraceKind.INCIDENT, min(board.tokens.values(), key=lambda token: token.seq))
        board.emit(effects.RaiseIncident(visit=None, step=steps[0], guard=None, reason=reason))


# triggers


def _start(board: Board, trigger: triggers.Start) -> None:
    if board.next > 1:
        raise TransitionNotAllowed("This run has already started.")
    if trigger.at is not None and not board.definition.has_step(trigger.at):
        raise TransitionNotAllowed(f"The run cannot start at {trigger.at!r}: there is no such step.")
    board.put(trigger.at or board.definition.start.id)


def _begin(board: Board, trigger: triggers.Begin) -> None:
    token, visit = _open(board, trigger.visit)
    _refuse_incident(visit)
    board.kind_of(token).begin(board, token, visit)


def _complete(board: Board, trigger: triggers.Complete) -> None:
    token, visit = _open(board, trigger.visit)
    _refuse_incident(visit)
    board.kind_of(token).complete(board, token, visit, trigger.outcome)


def _retry(board: Board, trigger: triggers.Retry) -> None:
    token, visit = _open(board, trigger.visit)
    if not visit.incident:
        raise TransitionNotAllowed(f"Visit {visit.id} of step {visit.step!r} is not in incident.")
    token, visit = board.change(token, visit, incident=False)
    _attempt(board, token, lambda: board.kind_of(token).retry(board, token, visit))


def _timer_fired(board: Board, trigger: triggers.TimerFired) -> None:
    found = _machine_finds(board, trigger.visit)
    if found:
        token, visit = found
        board.kind_of(token).timer_fired(board, token, visit)


def _action_done(board: Board, trigger: triggers.ActionDone) -> None:
    found = _machine_finds(board, trigger.visit)
    if found:
        token, visit = found
        board.kind_of(token).action_done(board, token, visit)


def _action_failed(board: Board, trigger: triggers.ActionFailed) -> None:
    found = _machine_finds(board, trigger.visit)
    if found:
        token, visit = found
        board.kind_of(token).action_failed(board, token, visit, trigger.reason)


def _message(board: Board, trigger: triggers.Message) -> None:
    """Wakes the oldest matching wait, once; else it is kept where a wait of that name says so, else lost.

    A run keeps at most 100: somebody who sends on and on does not fill the database.
    """
    if board.next == 1:
        raise TransitionNotAllowed("This run has not started.")
    for token, visit in board.by_age():
        if board.kind_of(token).message(board, token, visit, trigger.name, trigger.key):
            return
    keeps = any(board.kinds[step.kind].keeps(step, trigger.name) for step in board.definition.steps)
    if keeps and board.tokens and len(board.kept) < MOST_KEPT:
        board.kept.append(Kept(name=trigger.name, key=trigger.key))
        board.tell(TraceKind.KEPT)
    else:
        board.tell(TraceKind.LOST)


def _cancel(board: Board, trigger: triggers.Cancel) -> None:
    if not board.tokens:
        raise TransitionNotAllowed("This run is not open, so it cannot be cancelled.")
    board.withdraw_all()
    board.outcome = "cancelled"


_TRIGGERS: Mapping[type, Callable[[Board, Any], None]] = {
    triggers.Start: _start,
    triggers.Begin: _begin,
    triggers.Complete: _complete,
    triggers.TimerFired: _timer_fired,
    triggers.Message: _message,
    triggers.ActionDone: _action_done,
    triggers.ActionFailed: _action_failed,
    triggers.Cancel: _cancel,
    triggers.Retry: _retry,
}


def _open(board: Board, visit_id: int) -> tuple[Token, Visit]:
    found = board.find(visit_id)
    if found is None:
        raise TransitionNotAllowed(f"Visit {visit_id} is not open: it has ended or was withdrawn.")
    return found


def _refuse_incident(visit: Visit) -> None:
    if visit.incident:
        raise TransitionNotAllowed(f"Step {visit.step!r} (visit {visit.id}) waits for an operator.")


def _machine_finds(board: Board, visit_id: int) -> tuple[Token, Visit] | None:
    found = board.find(visit_id)
    if found is None:
        board.tell(TraceKind.IGNORED, visit=visit_id)
    return found
