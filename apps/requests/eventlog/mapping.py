"""The mapping of a log (format 1): how an activity and a role become a call of a service."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from apps.core.errors import BrokenDocument
from apps.core.zones import is_zone
from apps.workflows.engine.definition import Definition, Step

SCHEMA: Mapping[str, Any] = json.loads(Path(__file__).with_name("mapping1.schema.json").read_text(encoding="utf-8"))
VERBS = tuple(SCHEMA["$defs"]["call"]["properties"].keys() - {"by"})
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_VALIDATOR = Draft202012Validator(SCHEMA)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A service to call: its verb, its settings (texts may hold `{column}`), in whose name ("": the line's person)."""

    verb: str
    settings: Mapping[str, Any]
    by: str = ""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to carry an activity out: where it fits, what comes first, and the call itself. `place` is its path."""

    call: Call
    first: tuple[Call, ...] = ()
    at: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    place: str = ""


@dataclass(frozen=True, kw_only=True)
class Activity:
    """An activity of the log, with the role of who does it where the line names none."""

    name: str
    ways: tuple[Way, ...]
    role: str = ""


@dataclass(frozen=True, kw_only=True)
class Role:
    """What the people of a role of the log are here, and what they are called where the log names nobody."""

    name: str = ""
    roles: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of a log by what they say; `resource` and `role` may be missing ("")."""

    case: str
    activity: str
    timestamp: str
    resource: str = ""
    role: str = ""


@dataclass(frozen=True, kw_only=True)
class LogMapping:
    """A mapping that fits its schema. `item` and `workflow` as the document says them."""

    source: str
    item: str | Mapping[str, Any]
    workflow: str | Mapping[str, Any] | None
    columns: Columns
    roles: Mapping[str, Role]
    activities: Mapping[str, Activity]
    zone: ZoneInfo
    request: Mapping[str, Any] = field(default_factory=dict)
    requester_column: str = ""
    requester_role: str = ""
    anonymous: frozenset[str] = frozenset()
    usernames: bool = False
    delimiter: str | None = None
    encoding: str = "utf-8"
    timestamp: str = "iso"

    def columns_needed(self) -> dict[str, str]:
        """Every column the mapping names -> the place that names it."""
        named = {name: f"columns/{key}" for key, name in vars(self.columns).items() if name}
        if self.requester_column:
            named.setdefault(self.requester_column, "requester/column")
        for place, column in _placeholders(self.request, "request"):
            named.setdefault(column, place)
        for activity in self.activities.values():
            for way in activity.ways:
                for call in (*way.first, way.call):
                    for place, column in _placeholders(call.settings, f"{way.place}/{call.verb}"):
                        named.setdefault(column, place)
        return named


def read_mapping(document: Any) -> LogMapping:
    """The mapping a JSON document states. Raises BrokenDocument with the messages by place ("activities/Wait/do/0")."""
    problems: dict[str, list[str]] = {}
    for error in _VALIDATOR.iter_errors(document):
        problems.setdefault(_place(error), []).append(error.message[:300])
    problems = problems or {place: [text] for place, text in _beyond_the_schema(document)}
    if problems:
        raise BrokenDocument(problems)
    return _built(document)


def dangling(mapping: LogMapping, definition: Definition) -> dict[str, str]:
    """Activities that cannot be carried out by this workflow -> what is wrong, with the place in the mapping."""
    found: dict[str, str] = {}
    for activity in mapping.activities.values():
        problem = next((text for way in activity.ways for text in _way_problems(way, definition)), None)
        if problem:
            found[activity.name] = problem
    return found


def fill(value: Any, row: Mapping[str, str]) -> Any:
    """The value with every `{column}` replaced. What comes out empty is left out of objects: a text, and an object
    within another of which every text that names a column came out empty (an amount without its number). An object
    `{"number": "{column}"}` is the number.
    """
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda match: row.get(match[1], ""), value)
    if isinstance(value, Mapping) and set(value) == {"number"}:
        return _number(fill(value["number"], row))
    if isinstance(value, Mapping):
        filled = {key: fill(one, row) for key, one in value.items() if not _is_empty(one, row)}
        return {key: one for key, one in filled.items() if one not in ("", {})}
    return [fill(one, row) for one in value] if isinstance(value, list) else value


def _number(text: Any) -> Any:
    """The text as a number; one that is none stays what it is, for the form to refuse."""
    try:
        return int(text) if str(text).lstrip("-").isdecimal() else float(text)
    except (TypeError, ValueError):
        return text


def _is_empty(value: Any, row: Mapping[str, str]) -> bool:
    texts = [one for one in value.values() if isinstance(one, str)] if isinstance(value, Mapping) else []
    filled = [fill(text, row) for text in texts if PLACEHOLDER.search(text)]
    return bool(filled) and not any(filled)


def _place(error: ValidationError) -> str:
    return "/".join(str(part) for part in error.absolute_path) or "mapping"


def _beyond_the_schema(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    zone = document.get("log", {}).get("time_zone", "UTC")
    if not is_zone(zone):
        yield "log/time_zone", f"{zone!r} is not a time zone such as Europe/Amsterdam."
    roles = document["roles"]
    if document.get("requester", {}).get("role", "") not in {"", *roles}:
        yield "requester/role", "This role is not among the roles."
    for name, activity in document["activities"].items():
        if activity.get("role", "") not in {"", *roles}:
            yield f"activities/{name}/role", f"{activity['role']!r} is not among the roles."
        for index, way in enumerate(activity["do"]):
            for place, call in _calls(way, f"activities/{name}/do/{index}"):
                verbs = [verb for verb in VERBS if verb in call]
                if len(verbs) != 1:
                    yield place, f"A way holds exactly one of {', '.join(sorted(VERBS))}; this has {len(verbs)}."


def _calls(way: Mapping[str, Any], place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield place, way
    for index, call in enumerate(way.get("first", ())):
        yield f"{place}/first/{index}", call


def _built(document: Mapping[str, Any]) -> LogMapping:
    log, people, requester = (document.get(key, {}) for key in ("log", "people", "requester"))
    return LogMapping(
        source=document["source"],
        item=document["item"],
        workflow=document.get("workflow"),
        columns=Columns(**document["columns"]),
        roles={
            name: Role(
                name=role.get("name", ""), roles=tuple(role.get("roles", ())), teams=tuple(role.get("teams", ()))
            )
            for name, role in document["roles"].items()
        },
        activities={name: _activity(name, entry) for name, entry in document["activities"].items()},
        request=document.get("request", {}),
        requester_column=requester.get("column", ""),
        requester_role=requester.get("role", ""),
        anonymous=frozenset(people.get("anonymous", ())) | {""},
        usernames=people.get("usernames", False),
        delimiter=log.get("delimiter"),
        encoding=log.get("encoding", "utf-8"),
        timestamp=log.get("timestamp", "iso"),
        zone=ZoneInfo(log.get("time_zone", "UTC")),
    )


def _activity(name: str, entry: Mapping[str, Any]) -> Activity:
    ways = tuple(_way(way, f"activities/{name}/do/{index}") for index, way in enumerate(entry["do"]))
    return Activity(name=name, ways=ways, role=entry.get("role", ""))


def _way(way: Mapping[str, Any], place: str) -> Way:
    return Way(
        call=_call(way),
        first=tuple(_call(call) for call in way.get("first", ())),
        at=_some(way.get("at", ())),
        statuses=_some(way.get("status", ())),
        place=place,
    )


def _call(call: Mapping[str, Any]) -> Call:
    verb = next(verb for verb in VERBS if verb in call)
    return Call(verb=verb, settings=call[verb], by=call.get("by", ""))


def _some(value: str | Sequence[str]) -> frozenset[str]:
    return frozenset([value] if isinstance(value, str) else value)


def _way_problems(way: Way, definition: Definition) -> Iterator[str]:
    for name in sorted(way.at):
        if not definition.has_step(name):
            yield f"{way.place}/at: the workflow has no step {name!r}."
            return
    if way.call.verb in _KINDS:
        wanted, kind = way.call.settings.get("outcome", "done"), _KINDS[way.call.verb]
        steps = [definition.step(name) for name in sorted(way.at)] or list(definition.steps)
        fitting = [step for step in steps if step.kind == kind]
        if not fitting:
            yield f"{way.place}: none of these steps is of kind {kind!r}."
        elif way.call.verb == "complete" and not any(_has(step, wanted) for step in fitting):
            yield f"{way.place}/complete/outcome: no task has an outcome {wanted!r} there."


_KINDS = {"complete": "task", "claim": "task", "release": "task", "decide": "approval"}


def _has(step: Step, outcome: str) -> bool:
    return step.outcome(outcome) is not None


def _placeholders(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield from ((place, column) for column in PLACEHOLDER.findall(value))
    elif isinstance(value, Mapping):
        if "column" in value and "values" in value:
            yield f"{place}/column", value["column"]
        for key, one in value.items():
            yield from _placeholders(one, f"{place}/{key}")
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _placeholders(one, f"{place}/{index}")
