"""Kinds whose visits are work, and what every one of them may say: instances, deadlines, a key, cancels, only_while."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from apps.workflows.engine.attributes import cancels, deadlines, exclusive, instances, only_while
from apps.workflows.engine.board import Board, Spot
from apps.workflows.engine.definition import Outcome, Step, Transition
from apps.workflows.engine.kinds import race
from apps.workflows.engine.kinds.base import Kind, Phase, not_allowed
from apps.workflows.engine.marking import OVER, InstanceStatus, KeyState, Token
from apps.workflows.engine.trace import TraceKind


class Working(Kind):
    """A kind whose visits are work.

    `by_hand`: a visit is begun when a person takes it up; any other is begun when it opens. Subclasses say what `open`
    asks of the world, and what `take_back` takes back.
    """

    working = True
    conditions = frozenset({"outcome", "deadline"})
    by_hand: ClassVar[bool] = False

    # what subclasses say

    def open(self, board: Board, spot: Spot) -> None:
        """Lets the work of the visit (of the instance) begin. Raises guards.GuardFailed; then nothing has begun."""
        raise NotImplementedError

    def take_back(self, board: Board, spot: Spot) -> None:
        """Says that the open work of the visit (of the instance) is taken back."""
        raise NotImplementedError

    # arriving

    def phase(self, step: Step) -> Phase:
        return Phase.ONLY_WHILE if "only_while" in step.settings else Phase.FIRST

    def moves(self, board: Board, token: Token) -> bool:
        watched = board.step_of(token).settings.get("only_while")
        return super().moves(board, token) if watched is None else only_while.wants_to_move(board, token, watched)

    def move(self, board: Board, token: Token) -> None:
        watched = board.step_of(token).settings.get("only_while")
        if watched is not None and only_while.is_closing(board, token, watched):
            only_while.close(board, token)
        elif watched is not None and only_while.is_given_up(board, token, watched):
            board.take(token)
        else:
            spot = board.open_visit(token)
            board.attempt(spot, lambda: self.enter(board, spot))

    def offer(self, board: Board, spot: Spot) -> None:
        self.open(board, spot)

    def enter(self, board: Board, spot: Spot) -> None:
        """What happens when a visit opens. Raises guards.GuardFailed."""
        spot = exclusive.name(board, spot)
        deadlines.open_all(board, spot)
        waits_in_line = spot.visit.exclusive is not None and not self._is_offered(board, spot)
        if waits_in_line:
            exclusive.ask(board, spot)
        else:
            self.start(board, spot)

    def start(self, board: Board, spot: Spot) -> None:
        """The visit has its key, or needs none yet: its work opens. Raises guards.GuardFailed."""
        if not self.by_hand:
            spot = self.begin_visit(board, spot)
        if self._has_instances(board, spot):
            instances.open_all(board, self, spot)
        else:
            self.open(board, spot)

    def key_granted(self, board: Board, spot: Spot) -> None:
        if spot.visit.key_state is not KeyState.ASKED:
            raise not_allowed(spot.visit, "does not wait for a key")
        held = board.change(spot, key_state=KeyState.HELD)
        board.attempt(held, lambda: self.start(board, held))

    def begin_visit(self, board: Board, spot: Spot) -> Spot:
        """The visit is begun: it has won its race and takes its key; nothing changes where it was begun already."""
        if spot.part is not None and spot.part.status is InstanceStatus.OPEN:
            spot = board.change_part(spot, status=InstanceStatus.BEGUN)
        if spot.visit.begun:
            return spot
        if spot.in_race:
            spot = race.win(board, spot)
        spot = exclusive.take(board, spot)
        board.tell(TraceKind.BEGUN, spot.whole())
        return board.change(spot, begun=True)

    # leaving

    def done(self, board: Board, spot: Spot, outcome: str) -> None:
        """The work has ended by an outcome: that of an instance, or of the step. Raises TransitionNotAllowed."""
        if spot.instance is not None:
            instances.complete(board, self, self.begin_visit(board, spot), outcome)
        else:
            self.leave(board, spot, outcome)

    def leave(self, board: Board, spot: Spot, outcome: str) -> None:
        """Ends the visit by an outcome and moves its token along the arrow. Raises TransitionNotAllowed."""
        arrow = self.arrow_of(board, spot, outcome)
        spot = self.close(board, spot, outcome)
        token = board.follow(spot.token, arrow)
        if spot.visit.instances is not None:
            board.change_token(token, counts=instances.counts(spot))

    def close(self, board: Board, spot: Spot, outcome: str) -> Spot:
        """The visit is over: its deadlines, its key, what it cancels. Its token is still there."""
        arrow = self.arrow_of(board, spot, outcome)
        spot = exclusive.give_back(board, self.begin_visit(board, spot))
        deadlines.withdraw_all(board, spot)
        cancels.withdraw_listed(board, spot)
        board.tell(TraceKind.ENDED, spot, outcome=outcome, transition=arrow.index)
        return spot

    def arrow_of(self, board: Board, spot: Spot, outcome: str) -> Transition:
        """The arrow of that outcome, else the one without `outcome`. Raises TransitionNotAllowed."""
        arrow = self.arrow(board.definition.arrows_from(spot.step), outcome)
        if arrow is None:
            raise not_allowed(spot.visit, f"cannot be left by {outcome!r}: no arrow leads on")
        return arrow

    def arrow(self, arrows: tuple[Transition, ...], outcome: str) -> Transition | None:
        """The arrow of that outcome among those of a step, else the one without `outcome`, or None."""
        arrows = tuple(arrow for arrow in arrows if arrow.deadline is None)
        own = next((arrow for arrow in arrows if arrow.outcome == outcome), None)
        if own is not None or outcome in self.own_arrow_only:
            return own
        return next((arrow for arrow in arrows if arrow.outcome is None), None)

    def withdraw_visit(self, board: Board, spot: Spot) -> None:
        waits_in_line = spot.visit.key_state is KeyState.ASKED
        if not waits_in_line and (spot.visit.instances is not None or not spot.visit.incident):
            self.take_back(board, spot.whole())
        exclusive.give_back(board, spot)
        deadlines.withdraw_all(board, spot)
        board.tell(TraceKind.WITHDRAWN, spot.whole())

    # triggers

    def complete_by(self, board: Board, spot: Spot, outcome: str) -> None:
        """`done`, for an outcome that came from outside. Raises TransitionNotAllowed."""
        known = [one.id for one in board.definition.step(spot.step).work_outcomes]
        if outcome not in known:
            raise not_allowed(spot.visit, f"has no outcome {outcome!r}, only {', '.join(known)}")
        self._demand_open(spot)
        self.done(board, spot, outcome)

    def timer_fired(self, board: Board, spot: Spot, deadline: str | None) -> None:
        if deadline is None:
            raise not_allowed(spot.visit, "has no timer of its own")
        deadlines.pass_by(board, spot, deadline)

    def retry(self, board: Board, spot: Spot) -> None:
        if spot.visit.instances is not None:
            instances.retry(board, self, spot)
        elif spot.visit.key_state is KeyState.ASKED:
            exclusive.ask(board, spot)
        elif spot.visit.key_state is KeyState.HELD or spot.visit.begun:
            self.start(board, spot)
        else:
            self.enter(board, spot)

    def skip(self, board: Board, spot: Spot, outcome: str | None) -> None:
        """Goes on as if the work had ended. A whole step with instances is left by `done`, and by nothing else."""
        of_all = spot.instance is None and self._has_instances(board, spot)
        step = board.definition.step(spot.step)
        known = [one.id for one in (step.outcomes if of_all else step.work_outcomes)]
        chosen = outcome or known[0]
        if chosen not in known:
            whole = "as a whole " if of_all else ""
            raise not_allowed(spot.visit, f"has {whole}no outcome {chosen!r}, only {', '.join(known)}")
        if not of_all:
            self.done(board, spot, chosen)
        elif spot.visit.instances is None:
            self.leave(board, spot, chosen)
        else:
            instances.finish(board, self, spot)

    def add_instance(self, board: Board, spot: Spot, item: Any) -> None:
        instances.add(board, self, spot, item)

    def close_instances(self, board: Board, spot: Spot) -> None:
        instances.close(board, self, spot)

    def finish_instances(self, board: Board, spot: Spot) -> None:
        instances.finish(board, self, spot)

    def _is_offered(self, board: Board, spot: Spot) -> bool:
        """Whether the visit is open before it is begun, so that its key is taken by whoever begins it."""
        return self.by_hand and not self._has_instances(board, spot)

    def _has_instances(self, board: Board, spot: Spot) -> bool:
        return instances.expected(board.definition.step(spot.step))

    def _demand_open(self, spot: Spot) -> None:
        if spot.visit.instances is not None and spot.part is None:
            raise not_allowed(spot.visit, "has instances; say which")
        if spot.visit.key_state is KeyState.ASKED:
            raise not_allowed(spot.visit, "waits in line for its key")
        if spot.part is not None and (spot.part.status in OVER or spot.part.status is InstanceStatus.WAITING):
            raise not_allowed(spot.visit, f"instance {spot.part.index} is not open")


def outcomes_with_instances(source: Mapping[str, Any], outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """By what a step is left: one with instances by `done`, whatever its instances end by."""
    return (instances.DONE,) if instances.has_them(source) else outcomes
