"""What a request waits for, as sentences: run by run, the steps of a child run under the step it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from apps.approvals.models import Approval
from apps.portal.phrases import because, listed
from apps.portal.rounds import name_of_seat, words_of
from apps.requests.selectors.progress import OpenRun
from apps.requests.selectors.rounds import LevelOfRound
from apps.workflows.engine.definition import Step
from apps.workflows.engine.marking import Instance, InstanceStatus, KeyState, Visit
from apps.workflows.enums import TaskStatus
from apps.workflows.models import Task

MOST_INSTANCES = 20
LONGEST_LABEL = 60
SENTENCE_ENDS = ("?", "!", ".", ":", "…")
INSTANCE_WORDS: Mapping[str, str] = {
    InstanceStatus.WAITING: "its turn has not come",
    InstanceStatus.OPEN: "is open",
    InstanceStatus.BEGUN: "has begun",
    InstanceStatus.DONE: "done",
    InstanceStatus.WITHDRAWN: "taken back",
}
Key = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class NowLine:
    """Something that is waited for, the time at which it comes by itself, and what belongs to it."""

    text: str
    due_at: datetime | None = None
    parts: Sequence[NowLine] = field(default=())


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Everything open of a request: its runs, the open levels of its approvals, tasks, due times by run and visit."""

    runs: Sequence[OpenRun]
    opened: Sequence[LevelOfRound]
    tasks: Sequence[Task]
    due: Mapping[Key, datetime]

    def lines(self) -> list[NowLine]:
        """A line for everything that is waited for; none once the request has ended."""
        return [line for one in self.runs if one.run.parent_id is None for line in self._of_run(one)]

    def _of_run(self, one: OpenRun) -> list[NowLine]:
        return [line for visit in one.marking.open_visits() for line in self._of_visit(one, visit)]

    def _of_visit(self, one: OpenRun, visit: Visit) -> list[NowLine]:
        step = one.definition.step(visit.step)
        if visit.instances is not None:
            return [NowLine(text=said_of(step, f"{_done(visit)}."), parts=self._instances(one, visit))]
        return self._work(one, visit, step, None)

    def _instances(self, one: OpenRun, visit: Visit) -> list[NowLine]:
        """A line per instance; those that are over come in one word."""
        parts = visit.instances or ()
        step = one.definition.step(visit.step)
        lines = [self._of_instance(one, visit, step, part) for part in parts[:MOST_INSTANCES]]
        more = len(parts) - MOST_INSTANCES
        return [*lines, NowLine(text=f"and {more} more")] if more > 0 else lines

    def _of_instance(self, one: OpenRun, visit: Visit, step: Step, part: Instance) -> NowLine:
        live = part.status in (InstanceStatus.OPEN, InstanceStatus.BEGUN)
        found = self._work(one, visit, step, part) if live or part.incident else []
        label = instance_label(part.index, part.item)
        if not found:
            return NowLine(text=f"{label}: {INSTANCE_WORDS[part.status]}")
        first = replace(found[0], text=found[0].text.removeprefix(said_of(step, "")))
        return replace(first, text=f"{label}: {first.text[:1].lower()}{first.text[1:]}")

    def _work(self, one: OpenRun, visit: Visit, step: Step, part: Instance | None) -> list[NowLine]:
        key, index = (one.run.pk, visit.id), part.index if part else None
        if (part or visit).incident:
            return [NowLine(text=said_of(step, "waits for an operator."))]
        if visit.key_state is KeyState.ASKED:
            return [NowLine(text=said_of(step, "is in line, somebody else has what it needs."))]
        if step.kind == "subflow":
            return [NowLine(text=said_of(step, ""), parts=self._children(key, index))]
        if step.kind in ("wait", "action"):
            return [_by_itself(step, self.due.get(key))]
        asked = [_asked(level) for level in self.opened if _is_at(level.row.approval, key, index)]
        work = [NowLine(text=_work(task)) for task in self.tasks if _is_open(task) and _is_at(task, key, index)]
        return [*asked, *work]

    def _children(self, key: Key, index: int | None) -> list[NowLine]:
        mine = [one for one in self.runs if (one.run.parent_id, one.run.parent_visit) == key]
        return [line for one in mine if one.run.parent_instance == index for line in self._of_run(one)]


def name_of(step: Step) -> str:
    return step.name or step.id


def said_of(step: Step, text: str) -> str:
    """What is said of a step, behind its name: `Order: waits`, or `Which way? Waits` where the name ends a sentence."""
    name = name_of(step)
    return f"{name} {text[:1].upper()}{text[1:]}" if name.endswith(SENTENCE_ENDS) else f"{name}: {text}".rstrip()


def instance_label(index: int, item: Any) -> str:
    """`2`, or `2 (screen)` where its part of the list is a short text or a number."""
    short = isinstance(item, str | int) and not isinstance(item, bool) and len(str(item)) <= LONGEST_LABEL
    return f"{index + 1} ({item})" if short and str(item).strip() else str(index + 1)


def _is_open(task: Task) -> bool:
    return task.status in (TaskStatus.OPEN, TaskStatus.CLAIMED)


def _is_at(item: Approval | Task, key: Key, index: int | None) -> bool:
    return (item.visit.run_id, item.visit.number) == key and item.instance == index


def _done(visit: Visit) -> str:
    parts = [part for part in visit.instances or () if part.status is not InstanceStatus.WITHDRAWN]
    done = f"{sum(part.status is InstanceStatus.DONE for part in parts)} of {len(parts)} done"
    return f"{done}; the rest is not waited for any more" if visit.left else done


def _asked(one: LevelOfRound) -> NowLine:
    """Whom a level waits for. Where one answer is enough its people stand beside each other."""
    name, seats = one.row.approval.name, one.missing
    if not seats:
        return NowLine(text=f"{name}: nobody can answer, an operator was called.")
    people = [
        f"{name_of_seat(seat)} ({why})" if (why := because(seat.because)) else name_of_seat(seat) for seat in seats
    ]
    kind = "any" if any(seat.decides for seat in seats) else one.level.rule.kind
    rule = "" if kind in ("any", "all") else f" ({words_of(one)})"
    said = f"{name}: waits for {listed(people, 'or' if kind == 'any' else 'and')} to approve{rule}"
    return NowLine(text=f"{said}, due" if one.due_at else f"{said}.", due_at=one.due_at)


def _work(task: Task) -> str:
    if task.status == TaskStatus.CLAIMED:
        return f"{task.name}: {task.assignee} is working on it."
    return f"{task.name}: waits for {_offered_to(task)}."


def _offered_to(task: Task) -> str:
    if task.assignee:
        return str(task.assignee)
    if task.team:
        return f"team {task.team.name}"
    return f"somebody with the role {task.group.name}" if task.group else "somebody"


def _by_itself(step: Step, due_at: datetime | None) -> NowLine:
    if step.kind == "action":
        said = "could not be carried out, is tried again" if due_at else "is being carried out."
    else:
        said = "goes on by itself" if due_at else "waits for a message."
    return NowLine(text=said_of(step, said), due_at=due_at)
