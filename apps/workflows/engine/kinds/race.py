from __future__ import annotations

from collections.abc import Iterator

from apps.workflows.engine.board import Board, Spot
from apps.workflows.engine.definition import Definition, Step
from apps.workflows.engine.kinds.base import Kind, Policies, step_problem
from apps.workflows.engine.marking import Token
from apps.workflows.engine.problems import Problem
from apps.workflows.engine.trace import TraceKind

COMPETITORS = ("wait", "task")
FORBIDDEN = ("deadlines", "for_each", "count", "exclusive", "only_while")


class Race(Kind):
    """Its arrows lead to the steps that compete; the first that is begun, fires or gets its message wins.

    Until then the one token stands at the race and lists a visit to each of them.
    """

    name = "race"

    def check(self, step: Step, definition: Definition, policies: Policies) -> Iterator[Problem]:
        arrows = definition.arrows_from(step.id)
        if len(arrows) < 2:
            yield step_problem(
                "race", step, f"a race needs at least two steps that compete, this one has {len(arrows)}."
            )
        for target in dict.fromkeys(arrow.target for arrow in arrows):
            if definition.has_step(target):
                yield from self._check_competitor(step, definition.step(target), definition)

    def _check_competitor(self, step: Step, rival: Step, definition: Definition) -> Iterator[Problem]:
        if rival.kind not in COMPETITORS:
            yield step_problem(
                "race", step, f"only waits and tasks can compete; {rival.id!r} is a step of kind {rival.kind!r}."
            )
        if len(definition.arrows_to(rival.id)) != 1:
            yield step_problem("race", rival, "it competes in a race, so no other arrow may lead here.")
        for name in FORBIDDEN:
            if name in rival.settings:
                yield step_problem("race", rival, f"a step that competes in a race cannot say {name!r}.", path=name)

    def move(self, board: Board, token: Token) -> None:
        arrows = board.definition.arrows_from(token.step)
        over = next((arrow for arrow in arrows if self._over_at_once(board, token, arrow.target)), None)
        if over is not None:
            board.tell(TraceKind.PASSED, token, transition=over.index)
            board.follow(token, over)
            return
        for arrow in arrows:
            spot = board.open_visit(board.tokens[token.id], arrow.target)
            board.kind_at(arrow.target).offer(board, spot)

    def skip(self, board: Board, spot: Spot, outcome: str | None) -> None:
        """Goes to the first of the steps that compete."""
        arrow = board.definition.arrows_from(spot.step)[0]
        board.follow(spot.token, arrow)

    def _over_at_once(self, board: Board, token: Token, step_id: str) -> bool:
        return board.kind_at(step_id).is_over_at_once(board, token, board.definition.step(step_id))


def win(board: Board, spot: Spot) -> Spot:
    """The visit has won: the others are withdrawn, the token is at its step."""
    for rival in spot.token.visits:
        if rival.id != spot.visit.id:
            board.kind_at(rival.step).withdraw_visit(board, Spot(token=spot.token, visit=rival))
    race = spot.token.step
    arrow = next(one for one in board.definition.arrows_from(race) if one.target == spot.step)
    board.tell(TraceKind.PASSED, spot.token, transition=arrow.index)
    token = board.change_token(spot.token, step=spot.step, came_from=race, seq=board.number(), visits=(spot.visit,))
    return Spot(token=token, visit=spot.visit, instance=spot.instance)
