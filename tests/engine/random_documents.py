"""Random documents: nested blocks, which are sound by their shape, and small graphs of any shape."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

from apps.workflows.engine.document import check_document
from apps.workflows.engine.problems import Severity
from tests.engine.documents import action, arrow, choice, document, join, race, split, task, wait

MAYBE = "request.data.maybe"


class Blocks:
    """Draws nested blocks. Each drawing method adds steps and gives the first and the last of them."""

    def __init__(self, rng: Random, *, steps: int, plain: bool = False) -> None:
        self.rng, self.left, self.plain = rng, steps, plain
        self.steps: list[dict[str, Any]] = []
        self.arrows: list[dict[str, Any]] = []

    def add(self, step: dict[str, Any]) -> str:
        self.steps.append(step)
        self.left -= 1
        return str(step["id"])

    def name(self) -> str:
        return f"s{len(self.steps)}"

    def link(self, source: str, target: str, **carries: Any) -> None:
        self.arrows.append(arrow(source, target, **carries))

    def block(self, *, looped: bool = False, deep: int = 0) -> tuple[str, str]:
        shapes = [self.sequence, self.choice, self.parallel, self.inclusive, self.partial, self.loop]
        shapes += [] if self.plain else [self.race]
        if self.left <= 0 or deep > 3 or self.rng.random() < 0.25:
            return self.single()
        return self.rng.choice(shapes)(looped=looped, deep=deep + 1)

    def single(self) -> tuple[str, str]:
        makers = [task] if self.plain else [task, action, lambda name: wait(name, seconds=9), _message]
        name = self.add(self.rng.choice(makers)(self.name()))
        return name, name

    def sequence(self, **where: Any) -> tuple[str, str]:
        first, last = self.block(**where)
        for _ in range(self.rng.randint(1, 2)):
            entry, following = self.block(**where)
            self.link(last, entry)
            last = following
        return first, last

    def choice(self, **where: Any) -> tuple[str, str]:
        fork = self.add(choice(self.name()))
        meet = self.add(task(self.name()))
        for index in range(self.rng.randint(2, 3)):
            entry, last = self.block(**where)
            self.link(fork, entry, **({"when": MAYBE} if index else {"otherwise": True}))
            self.link(last, meet)
        return fork, meet

    def parallel(self, *, guarded: bool = False, looped: bool = False, deep: int, **settings: Any) -> tuple[str, str]:
        fork = self.add(split(self.name()))
        branches = [self.block(looped=looped, deep=deep) for _ in range(settings.pop("count", self.rng.randint(2, 3)))]
        meet = self.add(join(self.name(), **settings))
        for index, (entry, last) in enumerate(branches):
            self.link(fork, entry, **(({"when": MAYBE} if index else {"otherwise": True}) if guarded else {}))
            self.link(last, meet)
        return fork, meet

    def inclusive(self, **where: Any) -> tuple[str, str]:
        return self.parallel(guarded=True, of="active", **where)

    def partial(self, *, looped: bool = False, deep: int) -> tuple[str, str]:
        """In a loop the slow branches are cancelled, or every round would leave more of them behind."""
        count = self.rng.randint(2, 3)
        rest = {"cancel_rest": True} if looped or self.rng.random() < 0.5 else {}
        wanted = self.rng.choice(["first", *range(1, count + 1)])
        return self.parallel(looped=looped, deep=deep, count=count, wait=wanted, **rest)

    def loop(self, *, looped: bool = False, deep: int) -> tuple[str, str]:
        again = self.add(task(self.name()))
        entry, last = self.block(looped=True, deep=deep)
        more = self.add(choice(self.name()))
        done = self.add(task(self.name()))
        self.link(again, entry)
        self.link(last, more)
        self.link(more, again, when=MAYBE)
        self.link(more, done, otherwise=True)
        return again, done

    def race(self, **where: Any) -> tuple[str, str]:
        fork = self.add(race(self.name()))
        meet = self.add(task(self.name()))
        for _ in range(2):
            rival = self.add(self.rng.choice([task, lambda name: wait(name, seconds=9), _message])(self.name()))
            entry, last = self.block(**where)
            self.link(fork, rival)
            self.link(rival, entry)
            self.link(last, meet)
        return fork, meet


def _message(name: str) -> dict[str, Any]:
    return wait(name, message="told", key="request.number")


def structured(rng: Random, *, steps: int = 12, plain: bool = False) -> dict[str, Any]:
    """Nested blocks of about so many steps; `plain`: of the kinds the naive game knows."""
    blocks = Blocks(rng, steps=steps, plain=plain)
    first, last = blocks.sequence(looped=False, deep=0)
    blocks.link("start", first)
    blocks.link(last, "paid")
    return document(blocks.steps, blocks.arrows)


def fits(source: dict[str, Any]) -> bool:
    """Whether the document passes the check of its structure."""
    return not [problem for problem in check_document(source) if problem.severity is Severity.ERROR]


def mutated(rng: Random, *, plain: bool = True) -> dict[str, Any]:
    """Small nested blocks in which a few things were changed without thought; `plain`: as the naive game knows them."""
    while True:
        source = structured(rng, steps=rng.randint(2, 6), plain=plain)
        for _ in range(rng.randint(1, 3)):
            (_change if plain or rng.random() < 0.5 else _add)(rng, source)
        if len(source["steps"]) <= 14 and fits(source):
            return source


def _change(rng: Random, source: dict[str, Any]) -> None:
    steps, arrows = source["steps"], source["transitions"]
    names = [step["id"] for step in steps if step["kind"] != "start"]
    what = rng.choice(["target", "join", "merge", "cancels", "end", "equal", "new"])
    if what == "target":
        rng.choice(arrows)["to"] = rng.choice(names)
    elif what == "equal":
        arrows.append(copy.deepcopy(rng.choice(arrows)))
    elif what == "end":
        arrows[-1 if rng.random() < 0.5 else 0].update(to=rng.choice(names))
        steps[-1]["terminate"] = True
    elif what == "new":
        forks = [step["id"] for step in steps if step["kind"] == "split"]
        if forks:
            arrows.append(arrow(rng.choice(forks), rng.choice(names)))
    else:
        _change_step(rng, rng.choice(steps), names, what)


def _add(rng: Random, source: dict[str, Any]) -> None:
    """An attribute that the naive game does not know."""
    working = [step for step in source["steps"] if step["kind"] in ("task", "action", "wait")]
    names = [step["id"] for step in source["steps"] if step["kind"] != "start"]
    step, what = rng.choice(working), rng.choice(["only_while", "deadline", "reopen"])
    if what == "reopen":
        source["reopen"] = rng.choice(names)
    elif what == "only_while":
        step["only_while"] = rng.choice(working)["id"]
    elif "deadlines" not in step:
        step["deadlines"] = [{"id": "late", "after": {"seconds": 9}, "interrupt": True}]
        source["transitions"].append(arrow(step["id"], rng.choice(names), deadline="late"))


def _change_step(rng: Random, step: dict[str, Any], names: list[str], what: str) -> None:
    if what == "join" and step["kind"] == "join":
        settings = rng.choice([{}, {"wait": "first"}, {"wait": 2}, {"wait": 2, "cancel_rest": True}, {"of": "active"}])
        for name in ("wait", "of", "cancel_rest"):
            step.pop(name, None)
        step.update(settings)
    elif what == "merge" and step["kind"] in ("task", "choice", "split"):
        step["merge"] = "each"
    elif what == "cancels" and step["kind"] == "task":
        step["cancels"] = [rng.choice(names)]
