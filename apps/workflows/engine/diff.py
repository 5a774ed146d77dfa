"""Two documents of one workflow, compared element by element: what was added, removed and changed, in sentences."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

MOST_CHANGES = 5_000
DEEPEST = 16  # what lies deeper is no document of format 1; it is compared as one value
LONGEST_NAME = 80
LONGEST_VALUE = 60
ARROW_KEYS = ("outcome", "when", "otherwise", "deadline")  # beside its ends
_MISSING: Any = object()

Key = Callable[[Any], str]
Place = tuple[str, ...]
Pair = tuple[int, int]


class ChangeKind(StrEnum):
    """What happened to the element."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Element(StrEnum):
    """What a document is made of."""

    WORKFLOW = "workflow"
    STAGE = "stage"
    STEP = "step"
    TRANSITION = "transition"
    LAYOUT = "layout"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference between two documents.

    `id`: of the step or stage, `review -> big` for a transition, empty for the workflow itself. `path` is the place
    inside the element (`policy/levels/0/rule/kind`), empty where the element as a whole came or went. `before` and
    `after` are the JSON values there; None where there is none.
    """

    kind: ChangeKind
    element: Element
    id: str
    path: str = ""
    before: Any = None
    after: Any = None

    @property
    def sentence(self) -> str:
        """The change as a person would say it."""
        if self.element is Element.LAYOUT:
            return f"Step {self.id!r} {_MOVES[self.kind]} the drawing."
        if self.kind is not ChangeKind.CHANGED:
            return f"{self._subject} was {self.kind}{_what(self.before or self.after)}."
        if self.path == _ORDERS.get(self.element):
            return f"{self._subject}: the {self.path} is another."
        where = f"{self.path!r} " if self.path else ""
        return f"{self._subject}: {where}was {_shown(self.before)}, now it is {_shown(self.after)}."

    @property
    def _subject(self) -> str:
        if self.element is Element.WORKFLOW:
            return "The workflow"
        return f"{_NOUNS[self.element]} {self.id!r}"


_NOUNS = {Element.STAGE: "Stage", Element.STEP: "Step", Element.TRANSITION: "Arrow"}
_ORDERS = {Element.WORKFLOW: "order of stages", Element.STEP: "order of arrows"}
_MOVES = {
    ChangeKind.ADDED: "was given a place in",
    ChangeKind.REMOVED: "has no place of its own any more in",
    ChangeKind.CHANGED: "was moved in",
}


def diff(old: Any, new: Any) -> tuple[Change, ...]:
    """What differs from the old document to the new one, at most 5,000 changes; any JSON may be given, nothing raises.

    Steps and stages are the same if they have the same id, transitions if they are equal, else if they have the same
    ends: a new guard on an arrow is a change of that arrow. What is equal several times is matched by count. The order
    of keys, of steps and of most arrows says nothing; that of stages, of the guarded arrows out of one step and of the
    arrows out of a race (of waits that are already due the first wins) does. Numbers are compared by value. Compared
    the other way round, every change is mirrored.
    """
    old, new = _object(old), _object(new)
    parts = (
        _workflow_changes(old, new),
        _stage_changes(old, new),
        _entries(old, new, "steps", Element.STEP),
        _arrow_changes(old, new),
        _layout_changes(old, new),
    )
    return tuple(islice((change for part in parts for change in part), MOST_CHANGES))


# the parts of a document


def _workflow_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """The keys of the document itself, and parts that cannot be compared by their elements."""
    for key in _keys(old, new):
        if _is_one_value(old, new, key):
            before, after = old.get(key, _MISSING), new.get(key, _MISSING)
            yield from _value_changes(Element.WORKFLOW, "", before, after, (key,))


def _is_one_value(old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> bool:
    """True for what is no list of elements; also for an empty list beside none: no element shows that difference."""
    if key not in _SHAPES or not _both(old, new, key, _SHAPES[key]):
        return True
    return not old.get(key) and not new.get(key)


def _stage_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    yield from _entries(old, new, "stages", Element.STAGE)
    before, after = _lists(old, new, "stages")
    pairs, _, _ = _matched(before, after, (_text, _id))
    yield from _order_change(Element.WORKFLOW, "", pairs, before, after, _id)


def _arrow_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    yield from _entries(old, new, "transitions", Element.TRANSITION)
    before, after = _lists(old, new, "transitions")
    pairs, _, _ = _matched(before, after, (_text, _ends))
    races = _races(old) & _races(new)
    ordered: dict[str, list[Pair]] = defaultdict(list)
    for one, other in pairs:
        if all(_counts_in_order(arrow, races) for arrow in (before[one], after[other])):
            ordered[_name(before[one].get("from"))].append((one, other))
    for step, its in ordered.items():
        yield from _order_change(Element.STEP, step, its, before, after, _told)


def _counts_in_order(entry: Any, races: Set[str]) -> bool:
    """Whether it says something where the arrow stands among those of its step."""
    return isinstance(entry, dict) and ("when" in entry or _name(entry.get("from")) in races)


def _races(document: Mapping[str, Any]) -> frozenset[str]:
    steps = document.get("steps")
    found = steps if isinstance(steps, list) else []
    return frozenset(_id(step) for step in found if isinstance(step, dict) and step.get("kind") == "race")


def _order_change(
    element: Element, ident: str, pairs: Sequence[Pair], old: Sequence[Any], new: Sequence[Any], told: Key
) -> Iterator[Change]:
    """One change if the pairs do not stand in the same order in both; it lists them as they stand in each."""
    firsts, seconds = [first for first, _ in pairs], sorted(second for _, second in pairs)
    if firsts != sorted(firsts):
        yield Change(
            kind=ChangeKind.CHANGED,
            element=element,
            id=ident,
            path=_ORDERS[element],
            before=[told(old[place]) for place in sorted(firsts)],
            after=[told(new[place]) for place in seconds],
        )


def _layout_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """One change for each step that has another place."""
    if not _both(old, new, "layout", dict):
        return
    before, after = old.get("layout", {}), new.get("layout", {})
    for step in _keys(before, after):
        one, other = before.get(step, _MISSING), after.get(step, _MISSING)
        if any(_value_changes(Element.LAYOUT, step, one, other, ())):
            yield Change(
                kind=_kind(one, other), element=Element.LAYOUT, id=_cut(step), before=_given(one), after=_given(other)
            )


_SHAPES: Mapping[str, type] = {"stages": list, "steps": list, "transitions": list, "layout": dict}


def _entries(old: Mapping[str, Any], new: Mapping[str, Any], key: str, element: Element) -> Iterator[Change]:
    """The elements of one list: changed, then removed, then added ones."""
    before, after = _lists(old, new, key)
    keys = (_text, _ends) if element is Element.TRANSITION else (_text, _id)
    pairs, gone, come = _matched(before, after, keys)
    for one, other in pairs:
        yield from _value_changes(element, keys[1](after[other]), before[one], after[other], ())
    for entry in gone:
        yield Change(kind=ChangeKind.REMOVED, element=element, id=keys[1](entry), before=entry)
    for entry in come:
        yield Change(kind=ChangeKind.ADDED, element=element, id=keys[1](entry), after=entry)


# which is which


def _matched(old: Sequence[Any], new: Sequence[Any], keys: Iterable[Key]) -> tuple[list[Pair], list[Any], list[Any]]:
    """Pairs of places, in the new order, that are the same element by the first key, else by the next; what is left."""
    left, right = list(range(len(old))), list(range(len(new)))
    pairs: list[Pair] = []
    for key in keys:
        waiting: dict[str, list[int]] = defaultdict(list)
        for place in reversed(left):
            waiting[key(old[place])].append(place)
        unmatched = []
        for place in right:
            candidates = waiting.get(key(new[place]))
            if candidates:
                pairs.append((candidates.pop(), place))
            else:
                unmatched.append(place)
        left, right = sorted(place for places in waiting.values() for place in places), unmatched
    return sorted(pairs, key=lambda pair: pair[1]), [old[place] for place in left], [new[place] for place in right]


def _text(entry: Any) -> str:
    """The entry itself as a key, whatever the order of its keys."""
    return json.dumps(entry, sort_keys=True)


def _id(entry: Any) -> str:
    return _name(entry.get("id")) if isinstance(entry, dict) else ""


def _ends(entry: Any) -> str:
    return f"{_name(entry.get('from'))} -> {_name(entry.get('to'))}" if isinstance(entry, dict) else ""


def _name(value: Any) -> str:
    return _cut(value) if isinstance(value, str) else ""


# values


def _value_changes(element: Element, ident: str, old: Any, new: Any, path: Place) -> Iterator[Change]:
    """The smallest places in which two values differ."""
    if len(path) < DEEPEST and isinstance(old, dict) and isinstance(new, dict):
        inner: Iterable[tuple[str, Any, Any]] = (
            (key, old.get(key, _MISSING), new.get(key, _MISSING)) for key in _keys(old, new)
        )
    elif len(path) < DEEPEST and isinstance(old, list) and isinstance(new, list):
        inner = ((str(place), *_at(place, old, new)) for place in range(max(len(old), len(new))))
    else:
        if _differ(old, new):
            yield Change(
                kind=ChangeKind.CHANGED,
                element=element,
                id=_cut(ident),
                path="/".join(_cut(part) for part in path),
                before=_given(old),
                after=_given(new),
            )
        return
    for part, one, other in inner:
        yield from _value_changes(element, ident, one, other, (*path, part))


def _differ(old: Any, new: Any) -> bool:
    if old is _MISSING or new is _MISSING or isinstance(old, bool) or isinstance(new, bool):
        return old is not new
    return bool(old != new)


def _at(place: int, *lists: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(each[place] if place < len(each) else _MISSING for each in lists)


def _keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The keys of both, those of the old one first."""
    return list(dict.fromkeys((*old, *new)))


def _object(document: Any) -> Mapping[str, Any]:
    """The document; a value that is none has only itself to be compared."""
    return document if isinstance(document, dict) else {"": document}


def _both(old: Mapping[str, Any], new: Mapping[str, Any], key: str, shape: type) -> bool:
    """Whether the part is of its shape in both, or in one and missing in the other."""
    return all(isinstance(one.get(key, shape()), shape) for one in (old, new))


def _lists(old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> tuple[list[Any], list[Any]]:
    return (old.get(key, []), new.get(key, [])) if _both(old, new, key, list) else ([], [])


def _kind(old: Any, new: Any) -> ChangeKind:
    if old is _MISSING:
        return ChangeKind.ADDED
    return ChangeKind.REMOVED if new is _MISSING else ChangeKind.CHANGED


def _given(value: Any) -> Any:
    return None if value is _MISSING else value


# words


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 3]}..."


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def _what(entry: Any) -> str:
    """What tells the element from others of its kind: an arrow's outcome or guard, a step's kind."""
    if not isinstance(entry, dict):
        return ""
    if "from" in entry or "to" in entry:
        found = [f"{key} {_shown(entry[key])}" for key in ARROW_KEYS if key in entry]
    else:
        found = [_shown(entry["kind"])] if "kind" in entry else []
    return f" ({', '.join(found)})" if found else ""


def _told(entry: Mapping[str, Any]) -> str:
    """An arrow in a list of its step's."""
    guard = f" when {_shown(entry['when'])}" if "when" in entry else ""
    return f"to {_name(entry.get('to'))!r}{guard}"
