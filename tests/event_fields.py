"""Every event that a test publishes or reads carries what the catalogue says, and nothing besides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from apps.outbox.models import Event
from apps.requests.event_fields import ADDED, FIELDS, Field, Fields

KINDS = {bool: "bool", int: "int", float: "double", str: "string", list: "list", dict: "map", type(None): "null"}


class Watch:
    """Remembers what was wrong with the events that were made since it was last asked."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def look(self, sender: type[Event], instance: Event, **signal: Any) -> None:
        if "data" in instance.__dict__ and instance.type in FIELDS:
            self.wrong += unlisted(instance.type, instance.data)

    def told(self) -> list[str]:
        wrong, self.wrong = self.wrong, []
        return wrong


def unlisted(event: str, data: Mapping[str, Any]) -> list[str]:
    """What an event carries and the catalogue does not say of it."""
    names = ADDED | ({"for"} if "activity" in data else set())
    carried = {name: value for name, value in data.items() if name not in names}
    return [f"{event} carries {said}" for said in _unlisted(carried, FIELDS[event])]


def _unlisted(data: Mapping[str, Any], fields: Fields) -> Iterator[str]:
    for name, value in data.items():
        field = fields.get(name)
        if isinstance(field, Field):
            if not _fits(value, field):
                yield f"{name}={value!r}"
        elif isinstance(field, Mapping) and isinstance(value, Mapping):
            yield from (f"{name}.{said}" for said in _unlisted(value, field))
        else:
            yield name


def _fits(value: object, field: Field) -> bool:
    kind = next(name for sort, name in KINDS.items() if isinstance(value, sort))
    return kind in field.types and (not field.values or value in field.values)
