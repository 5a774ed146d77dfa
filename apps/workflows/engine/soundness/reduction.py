"""Blocks that are sound by themselves count as one step, and steps in a row as one: large documents become small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from apps.workflows.engine.definition import Outcome, Step, Transition
from apps.workflows.engine.kinds import KINDS
from apps.workflows.engine.kinds.join import is_active
from apps.workflows.engine.problems import Severity
from apps.workflows.engine.soundness.findings import findings
from apps.workflows.engine.soundness.frame import Frame
from apps.workflows.engine.soundness.model import Group, Model, complete
from apps.workflows.engine.soundness.regions import Region, regions
from apps.workflows.engine.soundness.search import Budget, Space, search

LEAST_ALONE = 500
_ATTRIBUTES = frozenset({"deadlines", "only_while", "cancels"})
_DONE = Outcome(id="done", label="Done")
_START, _IN, _OUT, _END = (f"\u2026{name}" for name in ("start", "in", "out", "end"))

Key = tuple[int, int]


class Broken(Exception):
    """A group that must be seen as what it stands for. `keys`: the regions in it."""

    def __init__(self, keys: frozenset[Key]) -> None:
        super().__init__(keys)
        self.keys = keys


@dataclass(kw_only=True)
class Reducer:
    """Makes models small. It remembers which regions are sound alone, and which must stay as they are drawn."""

    budget: Budget
    kept: set[Key] = field(default_factory=set)
    known: dict[tuple[Key, frozenset[str]], bool] = field(default_factory=dict)

    def explored(self, model: Model) -> Space:
        """The space of the model, made as small as can be."""
        while True:
            try:
                space = search(Frame(self._reduced(model)), self.budget)
                _demand_groups_hold(space)
            except Broken as broken:
                self.kept |= broken.keys
            else:
                return space

    def _reduced(self, model: Model) -> Model:
        while True:
            model = self._without_rows(model)
            region = next((one for one in regions(model.definition) if self._can_be_one(model, one)), None)
            if region is None:
                return model
            model = _contracted(model, region)

    # steps in a row

    def _without_rows(self, model: Model) -> Model:
        while row := next(self._rows(model), None):
            model = _contracted(model, row)
        return model

    def _rows(self, model: Model) -> Iterator[Region]:
        plain = _plain_steps(model)
        arrows = model.definition
        for step in model.definition.steps:
            if step.id in plain and arrows.arrows_to(step.id)[0].source not in plain:
                row = [step.id]
                while (following := arrows.arrows_from(row[-1])[0].target) in plain:
                    row.append(following)
                region = Region(arrows.arrows_to(row[0])[0], arrows.arrows_from(row[-1])[0], frozenset(row))
                if len(row) > 1 and region.key not in self.kept:
                    yield region

    # blocks

    def _can_be_one(self, model: Model, region: Region) -> bool:
        """Whether the region may stand as one step. Raises Broken."""
        if len(region.steps) < 2 or region.key in self.kept or not _stands_alone(model, region):
            return False
        question = region.key, region.steps
        if question not in self.known:
            self.known[question] = self._is_sound_alone(model, region)
        return self.known[question]

    def _is_sound_alone(self, model: Model, region: Region) -> bool:
        if _is_plain_block(model, region):
            return True
        part = self.budget.share(max(LEAST_ALONE, self.budget.most // 10))
        space = search(Frame(_alone(model, region)), part, given_up=_is_bad)
        self.budget.used += part.used
        self.budget.work += part.work
        _demand_groups_hold(space)
        problems = (finding for finding in findings(space) if finding.severity is Severity.ERROR)
        return space.finished and next(problems, None) is None


def _demand_groups_hold(space: Space) -> None:
    """Raises Broken for groups that two tokens share, and for those a token comes to without ever resting there."""
    groups = space.frame.model.groups
    resting = {record.step for state in space.states for record in state.records}
    broken = (groups.keys() & space.met.keys()) | (groups.keys() & space.alive - resting)
    if broken:
        raise Broken(frozenset[Key]().union(*(groups[step].keys for step in broken)))


def _plain_steps(model: Model) -> frozenset[str]:
    """Steps of which nothing matters but that their work ends."""
    named = frozenset[str]().union(*model.named.values())
    forks = _watched_forks(model)
    return frozenset(
        step.id
        for step in model.definition.steps
        if _is_plain(model, step) and step.id not in named and step.id not in forks
    )


def _is_plain_block(model: Model, region: Region) -> bool:
    """Whether it is a split into plain steps, each of which leads to the join that waits for them: sound as drawn.

    With so many branches that their positions could not all be looked at, this is the only way to see it.
    """
    fork, join = model.definition.step(region.entry.target), model.definition.step(region.exit.source)
    between = region.steps - {fork.id, join.id}
    arrows = model.definition.arrows_from(fork.id)
    if (fork.kind, join.kind) != ("split", "join") or not between <= _plain_steps(model):
        return False
    if any(model.definition.arrows_from(step)[0].target != join.id for step in between):
        return False
    guarded = any(arrow.when is not None for arrow in arrows)
    waits_for_taken = join.settings.get("wait", "all") == "all" and (is_active(join) or not guarded)
    beside = [arrow.target for arrow in arrows if arrow.target not in between]
    return waits_for_taken and beside in ([], [join.id])


def _is_plain(model: Model, step: Step) -> bool:
    into, out = model.definition.arrows_to(step.id), model.definition.arrows_from(step.id)
    if not KINDS[step.kind].working or len(into) != 1 or len(out) != 1 or not model.endings[step.id]:
        return False
    competes = model.definition.step(into[0].source).kind == "race"
    return not (competes or _ATTRIBUTES & step.settings.keys() or step.id == model.definition.reopen)


def _watched_forks(model: Model) -> Mapping[str, list[str]]:
    """The forks of joins that look at their block, each with these joins."""
    found: dict[str, list[str]] = {}
    for step in model.definition.steps:
        if is_active(step) or (step.kind == "join" and step.settings.get("cancel_rest")):
            found.setdefault(model.definition.fork(step.id), []).append(step.id)
    return found


def _stands_alone(model: Model, region: Region) -> bool:
    """Whether nothing outside acts on it, and it acts on nothing outside and does not end the run."""
    steps = [step for step in model.definition.steps if step.id in region.steps]
    if any(step.kind in ("start", "end") or step.id == model.definition.reopen for step in steps):
        return False
    if all(step.id in region.steps or step.kind in ("start", "end") for step in model.definition.steps):
        return _is_plain_block(model, region)  # any other would be explored for nothing: it is all there is
    crossed = (model.definition.step(arrow.source).kind for arrow in (region.entry, region.exit))
    if "race" in crossed or model.definition.step(region.entry.target).kind == "join":
        return False
    if set(_watched_forks(model).get(region.exit.source, ())) - region.steps:
        return False
    names = model.named.items()
    return all(named <= region.steps if name in region.steps else not named & region.steps for name, named in names)


def _alone(model: Model, region: Region) -> Model:
    """start → in → the region → out → end, or in again: so what one passing leaves behind is seen by the next."""
    around = (Step(id=_START, kind="start", name=""), _task(_IN), Step(id=_OUT, kind="choice", name=""))
    inside = (step for step in model.definition.steps if step.id in region.steps)
    arrows = (
        Transition(index=-1, source=_START, target=_IN),
        Transition(index=region.entry.index, source=_IN, target=region.entry.target),
        *(one for one in model.definition.transitions if {one.source, one.target} <= region.steps),
        replace(region.exit, target=_OUT),
        Transition(index=-2, source=_OUT, target=_IN, when="again"),
        Transition(index=-3, source=_OUT, target=_END, otherwise=True),
    )
    endings = {**model.endings, **dict.fromkeys((_START, _OUT, _END), ()), _IN: (complete("done", "in"),)}
    end = Step(id=_END, kind="end", name="")
    return model.drawn((*around, *inside, end), arrows, endings=endings)


def _is_bad(space: Space, number: int) -> bool:
    """Whether something is wrong, or not every token that came in has gone out as one and left nothing behind."""
    if space.met or space.grown or space.endless:
        return True
    state = space.states[number]
    outside = not state.records or any(record.step == _IN for record in state.records)
    if outside and (len(state.records) > 1 or state.rounds):
        return True
    return any(move.ends and space.states[move.target].records for move in space.moves[number])


def _contracted(model: Model, region: Region) -> Model:
    """The model with one task in place of the region."""
    first, last = model.real(region.entry.target), model.real(region.exit.source)
    name = f"{first}\u2026"
    inside = [step for step in model.definition.steps if step.id in region.steps]
    groups = {step: group for step, group in model.groups.items() if step not in region.steps}
    groups[name] = Group(
        steps=frozenset(each for step in inside for each in model.steps_in(step.id)),
        first=first,
        keys=frozenset[Key]({region.key}).union(
            *(model.groups[one].keys for one in region.steps & model.groups.keys())
        ),
    )
    kept = [step for step in model.definition.steps if step.id not in region.steps]
    return model.drawn(
        (*kept, _task(name)),
        _rewired(model, region, name),
        reopen=model.definition.reopen,
        groups=groups,
        endings={**model.endings, name: (complete("done", f"{first} to {last}"),)},
    )


def _rewired(model: Model, region: Region, name: str) -> Iterator[Transition]:
    for arrow in model.definition.transitions:
        if arrow is region.entry:
            yield replace(arrow, target=name)
        elif arrow is region.exit:
            yield Transition(index=arrow.index, source=name, target=arrow.target)
        elif arrow.source not in region.steps:
            yield arrow


def _task(name: str) -> Step:
    return Step(id=name, kind="task", name=name, outcomes=(_DONE,), work_outcomes=(_DONE,))
