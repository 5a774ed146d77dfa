from __future__ import annotations

from collections.abc import Iterator

from apps.workflows.engine.board import Board
from apps.workflows.engine.definition import Definition, Step
from apps.workflows.engine.kinds.base import Kind, Phase, Policies, step_problem
from apps.workflows.engine.marking import Round, Token
from apps.workflows.engine.problems import Problem
from apps.workflows.engine.trace import TraceKind


class Join(Kind):
    """Waits for branches: for all of them, for the first or n of them, or for those that were taken.

    Its branches are the steps with an arrow into it. Each is a queue, in order of arrival.
    """

    name = "join"
    gathers = True

    def check(self, step: Step, definition: Definition, policies: Policies) -> Iterator[Problem]:
        settings, branches = step.settings, definition.branches(step.id)
        arrows = len(definition.arrows_from(step.id))
        if arrows != 1:
            yield step_problem("join_arrows", step, f"a join has exactly one arrow out, this one has {arrows}.")
        if is_active(step) and wait_of(step) != "all":
            yield step_problem("join", step, "'of' belongs to a join that waits for 'all'.", path="of")
        if settings.get("cancel_rest") and wait_of(step) == "all":
            yield step_problem(
                "join", step, "'cancel_rest' belongs to a join that waits for 'first' or a number.", path="cancel_rest"
            )
        wanted = wanted_of(step)
        if wanted is not None and len(branches) > 1 and wanted > len(branches):
            text = f"it waits for {wanted} branches and has {len(branches)}."
            yield step_problem("join_count", step, text, path="wait")
        if len(branches) == 1 and (wanted or 1) < 2:
            yield step_problem("does_nothing", step, "a join of one branch that waits for one token does nothing.")

    def phase(self, step: Step) -> Phase:
        return Phase.ACTIVE_JOINS if is_active(step) else Phase.FIRST

    def moves(self, board: Board, token: Token) -> bool:
        if token.visits:
            return False
        step = board.step_of(token)
        if is_active(step):
            return not _lives_in_block(board, step)
        return _absorbs(board, token) or token in _firing(board, step)

    def move(self, board: Board, token: Token) -> None:
        step = board.step_of(token)
        if is_active(step):
            self._fire(board, step, waiting(board, step))
        elif _absorbs(board, token):
            self._absorb(board, step, token)
        else:
            self._fire(board, step, _firing(board, step))

    def _absorb(self, board: Board, step: Step, token: Token) -> None:
        board.count_move()
        board.tell(TraceKind.ABSORBED, token)
        board.take(token)
        _see(board, step, {token.came_from or ""})

    def _fire(self, board: Board, step: Step, tokens: list[Token]) -> None:
        """The oldest of the tokens goes on, the others end in it."""
        for token in tokens[1:]:
            board.tell(TraceKind.JOINED, token)
            board.take(token)
        if step.settings.get("cancel_rest"):
            _withdraw_rest(board, step, keep=tokens[0])
        elif wanted_of(step) is not None:
            _see(board, step, {token.came_from or "" for token in tokens})
        (arrow,) = board.definition.arrows_from(step.id)
        board.tell(TraceKind.PASSED, tokens[0], transition=arrow.index)
        board.follow(tokens[0], arrow)


def is_active(step: Step) -> bool:
    """Whether the join waits for the branches that were taken."""
    return step.settings.get("of") == "active"


def wait_of(step: Step) -> str | int:
    """For what the join waits: `all` (where it says nothing), `first`, or a number."""
    wait: str | int = step.settings.get("wait", "all")
    return wait


def wanted_of(step: Step) -> int | None:
    """Of how many branches a partial join needs a token; None where it waits for all."""
    wait = wait_of(step)
    return None if wait == "all" else 1 if wait == "first" else int(wait)


def waiting(board: Board, step: Step) -> list[Token]:
    """The tokens that wait at the join, in order of arrival."""
    return [token for token in board.by_arrival() if token.step == step.id and not token.visits]


def _firing(board: Board, step: Step) -> list[Token]:
    """The tokens with which a counting join fires now, in order of arrival; empty if it does not."""
    branches = board.definition.branches(step.id)
    wanted = wanted_of(step)
    tokens = waiting(board, step)
    if len(branches) == 1:
        return tokens[:wanted] if len(tokens) >= (wanted or 1) else []
    if _round_of(board, step) is not None:
        return []
    firsts: dict[str | None, Token] = {}
    for token in tokens:
        if token.came_from in branches:
            firsts.setdefault(token.came_from, token)
    needed = len(branches) if wanted is None else wanted
    return list(firsts.values())[:needed] if len(firsts) >= needed else []


def _absorbs(board: Board, token: Token) -> bool:
    """Whether the join's round is open and the token the first of a branch that it has not seen."""
    found = _round_of(board, board.step_of(token))
    return found is not None and token.came_from not in found.seen


def _round_of(board: Board, step: Step) -> Round | None:
    return next((one for one in board.joins if one.step == step.id), None)


def _see(board: Board, step: Step, branches: set[str]) -> None:
    """Notes the branches as seen; the round closes when every one of them was."""
    known = board.definition.branches(step.id)
    if len(known) == 1:
        return
    before = _round_of(board, step)
    seen = branches | set(before.seen if before else ())
    board.joins = [one for one in board.joins if one is not before]
    if not seen.issuperset(known):
        board.joins.append(Round(step=step.id, seen=tuple(branch for branch in known if branch in seen)))


def _withdraw_rest(board: Board, step: Step, *, keep: Token) -> None:
    """Withdraws what lives in the block. Rounds that joins in it had open are over with it."""
    block = board.definition.block(step.id) | {step.id}
    for number in sorted(board.tokens):
        token = board.tokens[number]
        if token.id != keep.id and token.step in block:
            board.withdraw(token)
    board.joins = [one for one in board.joins if one.step not in block]


def _lives_in_block(board: Board, step: Step) -> bool:
    block = board.definition.block(step.id)
    return any(token.step in block and token.step != step.id and not token.left for token in board.tokens.values())
