"""What would let a clock stand or run for ever. Pure.

Asked of a policy that is to be published; one that is published already must go on being read, whatever it says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apps.sla.conditions import HOLDS, Change, Condition
from apps.sla.targets import Target, parse_policy

Json = Mapping[str, Any]
Problems = dict[str, list[str]]
ENDINGS = ("request.completed", "request.rejected", "request.cancelled")
AFTERWARDS = ("request.reopened", "request.archived")
OF_ITEMS = ("task.", "approval.", "wait.", "subflow.")  # what they tell of ends before its request does
HELD, RESUMED = HOLDS[Change.PAUSE][0].event, HOLDS[Change.RESUME][0].event


def stuck_problems(document: Json) -> Problems:
    """By place why a clock would never stop, or never go on once it was paused. `check_policy` accepts the document."""
    problems: Problems = {}
    for place, target, stated in _targets(document):
        for change, message in (*_never_stopped(target), *_never_resumed(target), *_outlives(target, stated)):
            problems.setdefault(f"{place}.on.{change}", []).append(message)
    return problems


def pause_warnings(document: Json) -> Problems:
    """By place what is said of pausing and does nothing, in a policy without `stuck_problems`."""
    problems: Problems = {}
    for place, target, stated in _targets(document):
        pauses = _events(target, Change.PAUSE)
        if document.get("pause_on_hold", True) and stated.get("pause") and HELD not in pauses:
            said = f"A hold does not pause this target: add {_named(HELD)} here and {_named(RESUMED)} to resume."
            problems[f"{place}.on.pause"] = [f"{said} What is stated takes the place of pause_on_hold."]
        if stated.get("resume") and not pauses:
            problems[f"{place}.on.resume"] = ["Nothing pauses this target, so nothing resumes it."]
    return problems


def _targets(document: Json) -> Iterator[tuple[str, Target, Json]]:
    targets = parse_policy(document).targets
    for number, (target, source) in enumerate(zip(targets, document["targets"], strict=True)):
        yield f"targets.{number}", target, source.get("on", {})


def _never_stopped(target: Target) -> Iterator[tuple[Change, str]]:
    stops = target.changes.get(Change.STOP, ())
    if not stops:
        name = f"name what does, such as {_named(ENDINGS[0])}"
        yield Change.STOP, f"Nothing would ever stop this clock: {name}, or leave stop out for what the metric says."
    elif not _left(stops, target.changes.get(Change.CANCEL, ())):
        yield Change.STOP, "Whatever stops this clock cancels it first: take it out of cancel."


def _never_resumed(target: Target) -> Iterator[tuple[Change, str]]:
    pauses = target.changes.get(Change.PAUSE, ())
    resumes = {one.event for one in _left(target.changes.get(Change.RESUME, ()), pauses)}
    besides = sorted({one.event for one in pauses} - {HELD})
    if pauses and not resumes:
        what = "an event that does not pause it too" if besides else _named(RESUMED)
        yield Change.RESUME, f"Once paused this clock would stand for ever: add {what} here."
    elif HELD in _events(target, Change.PAUSE) and RESUMED not in resumes:
        yield Change.RESUME, f"A hold pauses this clock, and its end does not resume it: add {_named(RESUMED)} here."
    elif besides and resumes == {RESUMED}:
        said = f"Only the end of a hold resumes this clock, but {' and '.join(besides)} would pause it too"
        yield Change.RESUME, f"{said}: add the event here that ends that pause."


def _outlives(target: Target, stated: Json) -> Iterator[tuple[Change, str]]:
    """A clock that other events than the metric's start or end must end with the request at the latest."""
    changed = [change for change in (Change.STOP, Change.CANCEL, Change.START) if change in stated]
    ends = _events(target, Change.STOP) | _events(target, Change.CANCEL)
    starts = _events(target, Change.START)
    if not changed or (target.counts_items and changed == [Change.START] and _all_of_items(starts)):
        return
    missing = [event for event in ENDINGS if event not in ends]
    if missing:
        said = f"The clock would run on for ever after {' or '.join(missing)}"
        yield changed[0], f"{said}: add {', '.join(map(_named, missing))} to stop or to cancel."
    late = sorted(starts & {*ENDINGS, *AFTERWARDS[1:]})
    if late and ends.isdisjoint(AFTERWARDS):
        said = f"{' and '.join(late)} would start the clock when the request is over, and nothing would end it then"
        yield Change.START, f"{said}: add {' or '.join(map(_named, AFTERWARDS))} to stop or to cancel."


def _all_of_items(events: frozenset[str]) -> bool:
    return all(event.startswith(OF_ITEMS) for event in events)


def _events(target: Target, change: Change) -> frozenset[str]:
    return frozenset(one.event for one in target.changes.get(change, ()))


def _left(conditions: Sequence[Condition], before: Sequence[Condition]) -> list[Condition]:
    """Those that no condition which is looked for before them takes."""
    return [one for one in conditions if not any(_takes(first, one) for first in before)]


def _takes(first: Condition, one: Condition) -> bool:
    is_any = first.where is None and not first.equals and not first.differs
    return first.event == one.event and (is_any or first == one)


def _named(event: str) -> str:
    return f'{{"event": "{event}"}}'
