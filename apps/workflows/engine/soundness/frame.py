"""States of an exploration: markings without numbers, and the way there and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from apps.workflows.engine.definition import Step
from apps.workflows.engine.kinds import KINDS
from apps.workflows.engine.kinds.join import is_active
from apps.workflows.engine.kinds.working import Working
from apps.workflows.engine.marking import Marking, Round, Token, Visit

if TYPE_CHECKING:  # a walk is a board on a frame
    from apps.workflows.engine.soundness.model import Model
    from apps.workflows.engine.soundness.walk import Walk


class Record(NamedTuple):
    """A token without its number. `came_from` counts at joins alone; `open`: it has its visit (at a race: visits)."""

    step: str
    came_from: str
    open: bool
    fired: tuple[str, ...]
    stale: int


class State(NamedTuple):
    """The tokens and the open rounds. Tokens whose order of arrival matters come first, in that order."""

    records: tuple[Record, ...]
    rounds: tuple[Round, ...]


class Frame:
    """What is the same in all states of a model.

    `bits`: the steps where branches may not meet, each a bit; `onward`: those that can be reached from a step.
    `deciding`: the steps that choose between arrows.
    """

    NEXT: ClassVar[int] = 1_000_000
    nothing: ClassVar[Marking] = Marking.empty()

    def __init__(self, model: Model) -> None:
        self.model = model
        self.definition = model.definition
        steps = self.definition.steps
        self.working = frozenset(step.id for step in steps if KINDS[step.kind].working)
        self.ends = frozenset(step.id for step in steps if step.kind == "end")
        self.deciding = frozenset(step.id for step in steps if self._decides(step))
        self.loose = frozenset(step.id for step in steps if "only_while" in step.settings or is_active(step))
        self.joins = frozenset(step.id for step in steps if step.kind == "join")

    def _decides(self, step: Step) -> bool:
        return any(arrow.when is not None for arrow in self.definition.arrows_from(step.id))

    @cached_property
    def bits(self) -> Mapping[str, int]:
        tracked = [step.id for step in self.definition.steps if self._may_not_meet(step)]
        return {step_id: 1 << index for index, step_id in enumerate(tracked)}

    def _may_not_meet(self, step: Step) -> bool:
        if step.id in self.model.groups:
            return bool(self.model.groups[step.id].keys)
        gathers = KINDS[step.kind].gathers or step.settings.get("merge") == "each"
        return not gathers and len(self.definition.arrows_to(step.id)) > 1

    @cached_property
    def onward(self) -> Mapping[str, int]:
        return {
            step.id: sum(bit for other, bit in self.bits.items() if other in self.definition.reachable(step.id))
            for step in self.definition.steps
        }

    # from a board

    def state(self, walk: Walk) -> State:
        """Where the walk has come. Left-over instances lead nowhere, so they are forgotten."""
        arrived = [self._record(token, walk.stale[token.id]) for token in walk.by_arrival()]
        first = self._in_order(arrived)
        rest = [one for one in arrived if one not in first] if first else arrived
        return State((*first, *sorted(rest)), tuple(sorted(walk.joins, key=lambda one: one.step)))

    def _record(self, token: Token, stale: int) -> Record:
        waits = token.step in self.joins
        fired = tuple(sorted(token.visits[0].fired)) if token.visits else ()
        came_from = (token.came_from or "") if waits else ""
        return Record(token.step, came_from, bool(token.visits), fired, stale & self.onward[token.step])

    def _in_order(self, arrived: list[Record]) -> list[Record]:
        """Those whose order matters: at steps that move last, and at one join knowing different things."""
        loose = [one for one in arrived if not one.open and one.step in self.loose]
        if len({one.step for one in loose}) < 2:
            loose = []
        mixed = self._mixed(arrived)
        return loose + sorted((one for one in arrived if one.step in mixed and one not in loose), key=_step)

    def _mixed(self, arrived: list[Record]) -> set[str]:
        known: dict[str, int] = {}
        mixed = set()
        for one in arrived:
            if one.step in self.joins and known.setdefault(one.step, one.stale) != one.stale:
                mixed.add(one.step)
        return mixed

    # to a board

    @staticmethod
    def first_visit(number: int) -> int:
        """The number of the first visit of the token of that number, as `laid_out` gives it."""
        return number * 1000

    def laid_out(self, state: State) -> tuple[dict[int, Token], list[Round]]:
        """Tokens 1, 2, ... in the order of the state, and the open rounds."""
        return {n: self._token(n, record) for n, record in enumerate(state.records, 1)}, list(state.rounds)

    def _token(self, number: int, record: Record) -> Token:
        visits = tuple(self._visits(self.first_visit(number), record)) if record.open else ()
        return Token(id=number, step=record.step, came_from=record.came_from or None, seq=number, visits=visits)

    def _visits(self, number: int, record: Record) -> Iterable[Visit]:
        if record.step in self.working:
            return [self._visit(number, record.step, record.fired)]
        rivals = self.definition.arrows_from(record.step)
        return [self._visit(number + index, arrow.target, ()) for index, arrow in enumerate(rivals)]

    def _visit(self, number: int, step_id: str, fired: tuple[str, ...]) -> Visit:
        """A visit with its own number as the key of a message, so that a message can mean it alone."""
        kind = KINDS[self.definition.step(step_id).kind]
        begun = isinstance(kind, Working) and not kind.by_hand
        return Visit(id=number, step=step_id, begun=begun, fired=fired, key=str(number))


def _step(record: Record) -> str:
    return record.step
