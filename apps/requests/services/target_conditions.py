"""Conditions of SLA targets against the events they read: a typo would make a clock that nothing stops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from apps.requests.enums import RequestEvent
from apps.requests.event_fields import HEARD, UNHEARD, Field, Fields
from apps.workflows.engine.guard_types import check_types_in
from apps.workflows.engine.guards import compared_in, names_in

Document = Mapping[str, Any]
Problems = dict[str, list[str]]
MOST_NAMED = 12
STAGE_ENTERED = str(RequestEvent.STAGE_ENTERED)
NAMING: Mapping[tuple[str, ...], str] = {  # by field, or by event and field: what its text is the id of
    ("step",): "step",
    ("source",): "step",
    (STAGE_ENTERED, "stage"): "stage",
    (STAGE_ENTERED, "was"): "stage",
}


def condition_problems(document: Document) -> Problems:
    """By place what the conditions of a policy that `check_policy` accepts ask of events that carry no such thing."""
    found = ((place, list(said)) for place, said in _found(document))
    return {place: said for place, said in found if said}


def named_in_conditions(document: Document) -> Iterator[tuple[str, str, str]]:
    """Which stages and steps conditions ask for: place, `stage` or `step`, id. The document has no problems."""
    for place, condition in _conditions(document):
        asked = compared_in(condition["where"]) if "where" in condition else ()
        for path, value in asked:
            sort = NAMING.get((condition["event"], *path[1:])) or NAMING.get(path[1:])
            if sort:
                yield f"{place}.where", sort, value


def _conditions(document: Document) -> Iterator[tuple[str, Document]]:
    for number, target in enumerate(document["targets"]):
        for change, conditions in target.get("on", {}).items():
            for index, condition in enumerate(conditions):
                yield f"targets.{number}.on.{change}.{index}", condition


def _found(document: Document) -> Iterator[tuple[str, Iterable[str]]]:
    for place, condition in _conditions(document):
        event = condition["event"]
        if event not in HEARD:
            yield f"{place}.event", [_unheard(event)]
        elif "where" in condition:
            yield f"{place}.where", where_problems(event, condition["where"])


def where_problems(event: str, where: str) -> list[str]:
    """What an expression over the fields of an event that clocks hear asks and never gets: an unknown field, a value
    that the field never has, or an operation that does not fit its type.
    """
    fields = HEARD[event]
    unknown = [said for name in names_in(where) if (said := _unknown(event, name.path[1:], fields))]
    if unknown:
        return unknown
    misfits = [problem.message for problem in check_types_in(where, {"event": _types(fields)})]
    return misfits or list(dict.fromkeys(_impossible(where, fields)))


def _unheard(event: str) -> str:
    why = f"No clock hears of {event}: {UNHEARD[event]}." if event in UNHEARD else ""
    return why or f"There is no event {event!r}.{_near_event(event)}"


def _near_event(event: str) -> str:
    """An event of nearly that name; where its first half is known, one of nearly the second half."""
    of, _, what = event.partition(".")
    beside = {kind.partition(".")[2]: kind for kind in HEARD if kind.startswith(f"{of}.")}
    if not beside:
        return _near(event, HEARD)
    near = get_close_matches(what, beside, n=1)
    return f" Did you mean “{beside[near[0]]}”?" if near else f" Of {of} there are: {_listed(beside)}."


def _unknown(event: str, path: tuple[str, ...], fields: Fields) -> str:
    """What is said of a path whose first unknown part is not among the fields; "" if all of it may be there."""
    for place, name in enumerate(path):
        if name not in fields:
            of = f"Event {event}" if place == 0 else f"{'.'.join(path[:place])} of event {event}"
            dotted = ".".join(path[: place + 1])
            has = f"it has: {_listed(fields)}" if fields else "it has none; a text that people write is no field"
            return f"{of} has no field “{dotted}”; {has}.{_near(name, fields)}"
        if isinstance(fields[name], Field):
            return ""
        fields = fields[name]
    return ""


def _near(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f" Did you mean “{near[0]}”?" if near else ""


def _listed(names: Iterable[str]) -> str:
    all_of_them = list(names)
    return ", ".join(all_of_them[:MOST_NAMED]) + (" ..." if len(all_of_them) > MOST_NAMED else "")


def _types(fields: Fields) -> dict[str, Any]:
    return {name: one.types if isinstance(one, Field) else _types(one) for name, one in fields.items()}


def _impossible(where: str, fields: Fields) -> Iterator[str]:
    """Texts that a field is compared with and never has."""
    for path, value in compared_in(where):
        known = _values(path[1:], fields)
        if known and value not in known:
            yield f"{'.'.join(path)} is never {value!r}: it is one of {', '.join(sorted(known))}.{_near(value, known)}"


def _values(path: tuple[str, ...], fields: Fields) -> frozenset[str]:
    one: Any = fields
    for name in path:
        one = one.get(name) if isinstance(one, Mapping) else None
    return one.values if isinstance(one, Field) else frozenset()
