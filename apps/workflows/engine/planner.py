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
from apps.workflows.engine.board import CEL, MOST_MOVES, Board, Judge, Runaway, Spot
from apps.workflows.engine.definition import Definition, Step
from apps.workflows.engine.kinds import KINDS
from apps.workflows.engine.kinds.base import Phase
from apps.workflows.engine.marking import OVER, Kept, Marking, Token
from apps.workflows.engine.trace import TraceEntry, TraceKind

MOST_KEPT = 100

__all__ = ["Plan", "TraceEntry", "TraceKind", "current_stage", "open_steps", "plan", "play"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where the run is afterwards, what the world has to do, and what happened, each in order."""

    marking: Marking
    effects: tuple[effects.Effect, ...]
    trace: tuple[TraceEntry, ...]


def plan(
    definition: Definition,
    marking: Marking,
    trigger: triggers.Trigger,
    facts: Mapping[str, Any],
    now: datetime,
    *,
    judge: Judge = CEL,
) -> Plan:
    """Moves a run by one trigger.

    `facts` hold what guards see: `{"request": {..., "data": {...}}, "run": {...}}`; the rest is added here (`visit`,
    `instances`, `item`, `index`, `now`). A guard that fails leaves its token at its step, in incident. More than 1,000
    automatic moves are dropped: the token rests where the trigger put it, in incident. A machine's late trigger is
    ignored and traced. Raises TransitionNotAllowed for an impossible trigger, and for a person's that comes too late.
    `judge` answers expressions; whoever explores a document hands in one that answers them in every way.
    """
    board = Board.lay_out(definition, marking, kinds=KINDS, facts=facts, now=now, judge=judge)
    play(board, trigger)
    started_now = board.next > 1 and not marking.started
    _end(board, was_live=bool(marking.tokens) or started_now)
    return Plan(marking=board.marking(), effects=tuple(board.effects), trace=tuple(board.trace))


def play(board: Board, trigger: triggers.Trigger) -> None:
    """What `plan` does on its board: the trigger, then everything automatic. Whether the run has ended is not said.

    Raises TransitionNotAllowed.
    """
    _TRIGGERS[type(trigger)](board, trigger)
    _settle(board)


def open_steps(definition: Definition, marking: Marking) -> tuple[Step, ...]:
    """The steps that hold a token or compete in a race, each once, in document order."""
    held = {token.step for token in marking.tokens} | {visit.step for visit in marking.open_visits()}
    return tuple(step for step in definition.steps if step.id in held)


def current_stage(definition: Definition, marking: Marking) -> str | None:
    """The id of the stage of the oldest token whose step has one, or None."""
    steps = (definition.step(token.step) for token in sorted(marking.tokens, key=lambda token: token.id))
    return next((step.stage for step in steps if step.stage), None)


# everything automatic


def _settle(board: Board) -> None:
    """Moves until nothing moves. A runaway loop is undone: the tokens that would move rest in incident."""
    board.moves = 0
    before = board.position()
    try:
        while token := _next_mover(board):
            _move(board, token)
    except Runaway:
        board.resume(before)
        while token := _next_mover(board):
            board.fail_token(token, reason=f"A loop made more than {MOST_MOVES:,} automatic moves and was stopped.")


def _next_mover(board: Board) -> Token | None:
    """The token to move: the lowest phase first, in it the one that arrived first."""
    tokens = [(board.kind_of(token).phase(board.step_of(token)), token) for token in board.by_arrival()]
    for phase in Phase:
        for its_phase, token in tokens:
            if its_phase is phase and board.kind_of(token).moves(board, token):
                return token
    return None


def _move(board: Board, token: Token) -> None:
    board.attempt_move(token, lambda: board.kind_of(token).move(board, token))


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
    spot = _persons(board, trigger.visit, trigger.instance)
    board.kind_at(spot.step).begin(board, spot)


def _complete(board: Board, trigger: triggers.Complete) -> None:
    spot = _persons(board, trigger.visit, trigger.instance)
    board.kind_at(spot.step).complete(board, spot, trigger.outcome)


def _timer_fired(board: Board, trigger: triggers.TimerFired) -> None:
    if spot := _machines(board, trigger.visit, trigger.instance):
        board.kind_at(spot.step).timer_fired(board, spot, trigger.deadline)


def _key_granted(board: Board, trigger: triggers.KeyGranted) -> None:
    if spot := _machines(board, trigger.visit):
        board.kind_at(spot.step).key_granted(board, spot)


def _action_done(board: Board, trigger: triggers.ActionDone) -> None:
    if spot := _machines(board, trigger.visit, trigger.instance):
        board.kind_at(spot.step).action_done(board, spot)


def _action_failed(board: Board, trigger: triggers.ActionFailed) -> None:
    spot = _machines(board, trigger.visit, trigger.instance)
    if spot is None:
        return
    if trigger.stopped and not spot.in_incident:
        board.fail(spot, reason=trigger.reason)
    else:
        board.kind_at(spot.step).action_failed(board, spot, trigger.reason)


def _child_ended(board: Board, trigger: triggers.ChildEnded) -> None:
    if spot := _machines(board, trigger.visit, trigger.instance):
        board.kind_at(spot.step).child_ended(board, spot, trigger.outcome, trigger.run or {})


def _message(board: Board, trigger: triggers.Message) -> None:
    """Wakes the oldest matching wait, once; else it is kept where a wait of that name says so, else lost.

    A run keeps at most 100: somebody who sends on and on does not fill the database.
    """
    if board.next == 1:
        raise TransitionNotAllowed("This run has not started.")
    for spot in board.by_age():
        if board.kind_at(spot.step).message(board, spot, trigger.name, trigger.key, trigger.payload):
            return
    keeps = any(board.kinds[step.kind].keeps(step, trigger.name) for step in board.definition.steps)
    if keeps and board.tokens and len(board.kept) < MOST_KEPT:
        board.kept.append(Kept(name=trigger.name, key=trigger.key, payload=trigger.payload))
        board.tell(TraceKind.KEPT)
    else:
        board.tell(TraceKind.LOST)


def _cancel(board: Board, trigger: triggers.Cancel) -> None:
    if not board.tokens:
        raise TransitionNotAllowed("This run is not open, so it cannot be cancelled.")
    board.withdraw_all()
    board.outcome = "cancelled"


def _cancel_visit(board: Board, trigger: triggers.CancelVisit) -> None:
    board.withdraw(_open(board, trigger.visit).token)


def _add_instance(board: Board, trigger: triggers.AddInstance) -> None:
    spot = _open(board, trigger.visit)
    board.kind_at(spot.step).add_instance(board, spot, trigger.item)


def _close_instances(board: Board, trigger: triggers.CloseInstances) -> None:
    spot = _open(board, trigger.visit)
    board.kind_at(spot.step).close_instances(board, spot)


def _finish_instances(board: Board, trigger: triggers.FinishInstances) -> None:
    spot = _open(board, trigger.visit)
    board.kind_at(spot.step).finish_instances(board, spot)


def _retry(board: Board, trigger: triggers.Retry) -> None:
    spot = _in_incident(board, trigger.visit, trigger.instance)
    board.attempt(spot, lambda: board.kind_at(spot.step).retry(board, spot))


def _skip(board: Board, trigger: triggers.Skip) -> None:
    """An outcome that the step does not have is refused, never overlooked."""
    spot = _in_incident(board, trigger.visit, trigger.instance)
    if trigger.outcome and not board.definition.step(spot.step).outcomes:
        raise TransitionNotAllowed(f"Step {spot.step!r} has no outcomes; it is skipped without one.")
    board.kind_at(spot.step).skip(board, spot, trigger.outcome)


def _move_token(board: Board, trigger: triggers.Move) -> None:
    """What the token did is withdrawn. At a join it counts as a token of the first branch that has none waiting."""
    token = board.tokens.get(trigger.token)
    if token is None:
        raise TransitionNotAllowed(f"Token {trigger.token} is not there any more.")
    if not board.definition.has_step(trigger.to) or trigger.to == board.definition.start.id:
        raise TransitionNotAllowed(f"A token cannot be moved to {trigger.to!r}: choose another step of this workflow.")
    board.withdraw(token)
    waiting = {other.came_from for other in board.tokens.values() if other.step == trigger.to}
    branches = board.definition.branches(trigger.to)
    source = next((branch for branch in branches if branch not in waiting), branches[0])
    board.tell(TraceKind.MOVED, board.put(trigger.to, came_from=source))


_TRIGGERS: Mapping[type, Callable[[Board, Any], None]] = {
    triggers.Start: _start,
    triggers.Begin: _begin,
    triggers.Complete: _complete,
    triggers.TimerFired: _timer_fired,
    triggers.Message: _message,
    triggers.KeyGranted: _key_granted,
    triggers.ActionDone: _action_done,
    triggers.ActionFailed: _action_failed,
    triggers.ChildEnded: _child_ended,
    triggers.Cancel: _cancel,
    triggers.CancelVisit: _cancel_visit,
    triggers.AddInstance: _add_instance,
    triggers.CloseInstances: _close_instances,
    triggers.FinishInstances: _finish_instances,
    triggers.Retry: _retry,
    triggers.Skip: _skip,
    triggers.Move: _move_token,
}


def _open(board: Board, visit_id: int, instance: int | None = None) -> Spot:
    spot = board.find(visit_id, instance)
    if spot is None:
        raise TransitionNotAllowed(f"Visit {visit_id} is not open: it has ended or was withdrawn.")
    return spot


def _persons(board: Board, visit_id: int, instance: int | None) -> Spot:
    spot = _open(board, visit_id, instance)
    if spot.in_incident:
        raise TransitionNotAllowed(f"Step {spot.step!r} (visit {visit_id}) waits for an operator.")
    return spot


def _machines(board: Board, visit_id: int, instance: int | None = None) -> Spot | None:
    spot = board.find(visit_id, instance)
    if spot is None or (spot.part is not None and spot.part.status in OVER):
        board.tell(TraceKind.IGNORED, spot, visit=visit_id)
        return None
    return spot


def _in_incident(board: Board, visit_id: int, instance: int | None) -> Spot:
    spot = _open(board, visit_id, instance)
    if not spot.in_incident:
        raise TransitionNotAllowed(f"Visit {visit_id} of step {spot.step!r} is not in incident.")
    return board.change_part(spot, incident=False)
