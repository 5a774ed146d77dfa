"""Several instances of one step: `for_each` or `count`, `mode`, `done_when`, `open_ended`, `cancel_rest`.

They belong to one visit. The list is read once, when the visit opens. The step ends when `done_when` holds (read at the
opening and after each completion or addition), or when all are complete and, if it is open-ended, no more can come.
Unfinished instances then run on beside it and lead nowhere, or are withdrawn with `cancel_rest`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from apps.core.errors import TransitionNotAllowed
from apps.workflows.engine.board import Board, Spot
from apps.workflows.engine.definition import Outcome, Step
from apps.workflows.engine.guards import GuardFailed
from apps.workflows.engine.marking import LIVE, OVER, Counts, Instance, InstanceStatus
from apps.workflows.engine.trace import TraceKind
from apps.workflows.engine.values import as_json

if TYPE_CHECKING:  # kinds use this module
    from apps.workflows.engine.kinds.working import Working

DONE = Outcome(id="done", label="Done")
MOST = 1_000


def has_them(settings: Mapping[str, Any]) -> bool:
    """Whether a step (its settings, or its source in the document) has instances."""
    return "for_each" in settings or "count" in settings


def expected(step: Step) -> bool:
    return has_them(step.settings)


def open_all(board: Board, kind: Working, spot: Spot) -> None:
    """Reads the list and opens the instances, or the first of a sequence. Raises guards.GuardFailed."""
    items = _items(board, spot)
    parts = tuple(Instance(index=index, item=item) for index, item in enumerate(items))
    _go_on(board, kind, board.change(spot, instances=parts))


def complete(board: Board, kind: Working, spot: Spot, outcome: str) -> None:
    """An instance has ended by an outcome; the next of a sequence opens, and perhaps the step ends."""
    spot = board.change_part(spot, status=InstanceStatus.DONE, outcome=outcome, incident=False)
    board.tell(TraceKind.INSTANCE_ENDED, spot, outcome=outcome)
    spot = board.change(spot.whole(), incident=False)
    if board.opening != spot.visit.id:
        board.attempt(spot, lambda: _go_on(board, kind, spot))


def retry(board: Board, kind: Working, spot: Spot) -> None:
    """Goes on where `done_when` failed, or lets an instance try again. Raises guards.GuardFailed."""
    if spot.instance is None:
        _go_on(board, kind, spot)
    else:
        kind.open(board, spot)


def add(board: Board, kind: Working, spot: Spot, item: Any) -> None:
    """One more instance. Raises TransitionNotAllowed."""
    _demand_open_ended(board, spot)
    parts = spot.visit.instances or ()
    if len(parts) >= MOST:
        raise TransitionNotAllowed(f"Step {spot.step!r} has {MOST:,} instances; more are not possible.")
    grown = board.change(spot, instances=(*parts, Instance(index=len(parts), item=item)))
    board.attempt(grown, lambda: _go_on(board, kind, grown))


def close(board: Board, kind: Working, spot: Spot) -> None:
    """No more will be added. Raises TransitionNotAllowed."""
    _demand_open_ended(board, spot)
    closed = board.change(spot, closed=True)
    board.attempt(closed, lambda: _end_if_done(board, kind, closed))


def finish(board: Board, kind: Working, spot: Spot) -> None:
    """Withdraws what is unfinished and ends the step. Raises TransitionNotAllowed."""
    if spot.visit.instances is None or spot.visit.left:
        raise TransitionNotAllowed(
            f"Step {spot.step!r} (visit {spot.visit.id}) has no instances that could be finished."
        )
    kind.leave(board, _withdraw_rest(board, kind, spot), DONE.id)


def counts(spot: Spot) -> Counts:
    """What became of the visit's instances, outcomes in order of index."""
    done = [part for part in spot.visit.instances or () if part.status is InstanceStatus.DONE]
    return Counts(
        total=len(spot.visit.instances or ()), completed=len(done), outcomes=tuple(part.outcome or "" for part in done)
    )


def _items(board: Board, spot: Spot) -> list[Any]:
    source, is_list = board.setting(spot, "for_each"), True
    if source is None:
        source, is_list = board.setting(spot, "count"), False
    value = board.value(spot, source) if isinstance(source, str) else source
    items = _listed(value) if is_list else _counted(value)
    if items is None or len(items) > MOST:
        wanted = "a list" if is_list else "a whole number, at least 0"
        raise GuardFailed(str(source), f"Instances need {wanted}, and there are at most {MOST:,} of them.")
    return items


def _listed(value: Any) -> list[Any] | None:
    try:
        plain = as_json(value)
    except (TypeError, ValueError):
        return None
    return plain if isinstance(plain, list) else None


def _counted(value: Any) -> list[Any] | None:
    is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return [None] * min(value, MOST + 1) if is_number else None


def _go_on(board: Board, kind: Working, spot: Spot) -> None:
    now = _open_waiting(board, kind, spot)
    if not now.visit.left:
        _end_if_done(board, kind, now)
    elif _all_over(now):
        board.take(now.token)


def _open_waiting(board: Board, kind: Working, spot: Spot) -> Spot:
    """Opens what waits: all of it, or the next of a sequence if none is being worked on. The visit as it is then.

    What ends at once while others are opened moves nothing by itself: whether the step is done is asked afterwards.
    """
    board.opening = spot.visit.id
    try:
        for index in _waiting(board, spot):
            _open(board, kind, board.still_open(replace(spot, instance=index)))
            if _one_by_one(board, spot) and _is_live(board.still_open(replace(spot, instance=index))):
                break
    finally:
        board.opening = None
    return board.still_open(spot)


def _waiting(board: Board, spot: Spot) -> list[int]:
    parts = spot.visit.instances or ()
    if _one_by_one(board, spot) and any(part.status in LIVE for part in parts):
        return []
    return [part.index for part in parts if part.status is InstanceStatus.WAITING]


def _one_by_one(board: Board, spot: Spot) -> bool:
    return bool(board.setting(spot, "mode") == "sequence")


def _is_live(spot: Spot) -> bool:
    return spot.part is not None and spot.part.status in LIVE


def _open(board: Board, kind: Working, spot: Spot) -> None:
    spot = board.change_part(spot, status=InstanceStatus.OPEN if kind.by_hand else InstanceStatus.BEGUN)
    board.tell(TraceKind.INSTANCE_OPENED, spot)
    kind.open(board, spot)


def _end_if_done(board: Board, kind: Working, spot: Spot) -> None:
    """Ends the step if it is done. Raises guards.GuardFailed."""
    condition = board.setting(spot, "done_when")
    if (condition is not None and _holds(board, spot, condition)) or _complete(board, spot):
        _end(board, kind, spot)


def _holds(board: Board, spot: Spot, condition: str) -> bool:
    return board.holds(replace(spot, token=replace(spot.token, counts=counts(spot))), condition)


def _complete(board: Board, spot: Spot) -> bool:
    return _all_over(spot) and (spot.visit.closed or not board.setting(spot, "open_ended"))


def _all_over(spot: Spot) -> bool:
    return all(part.status in OVER for part in spot.visit.instances or ())


def _end(board: Board, kind: Working, spot: Spot) -> None:
    if _all_over(spot) or board.setting(spot, "cancel_rest"):
        kind.leave(board, _withdraw_rest(board, kind, spot), DONE.id)
    else:
        _leave_rest(board, kind, spot)


def _withdraw_rest(board: Board, kind: Working, spot: Spot) -> Spot:
    parts = spot.visit.instances or ()
    for part in parts:
        if part.status in LIVE and not part.incident:
            kind.take_back(board, replace(spot, instance=part.index))
    withdrawn = (part if part.status in OVER else replace(part, status=InstanceStatus.WITHDRAWN) for part in parts)
    return board.change(spot, instances=tuple(withdrawn))


def _leave_rest(board: Board, kind: Working, spot: Spot) -> None:
    """The step ends; its token stays with what is unfinished, another one goes on."""
    spot = kind.close(board, spot, DONE.id)
    board.change(spot, left=True)
    arrow = kind.arrow_of(board, spot, DONE.id)
    onward = board.branch_off(spot.token, arrow)
    board.change_token(onward, counts=counts(spot))


def _demand_open_ended(board: Board, spot: Spot) -> None:
    if not board.setting(spot, "open_ended") or spot.visit.closed or spot.visit.left or spot.visit.instances is None:
        raise TransitionNotAllowed(f"Step {spot.step!r} (visit {spot.visit.id}) takes no more instances.")
