"""Forms: the one validator behind portal, API and submission."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from apps.core.errors import InvalidInput
from apps.core.text import is_blank
from apps.requests.forms.fields import KINDS, ChoiceField, Field, Unacceptable

NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
COMMON = frozenset({"name", "type", "label", "required", "help"})
MOST_FIELDS = 100


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form's fields in order."""

    fields: tuple[Field, ...]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Form:
        """The form of a stored document, which `check_form` has passed."""
        return cls(fields=tuple(_field(entry) for entry in document["fields"]))

    def accept(self, data: Any, *, partial: bool = False) -> dict[str, Any]:
        """The data as it is stored: known fields only, empty ones left out.

        Raises InvalidInput with every problem under `data.<field>`. With `partial` (a draft) required fields may be
        missing; what is there must fit all the same.
        """
        if not isinstance(data, Mapping):
            raise InvalidInput({"data": ["This must be an object with the form's fields."]})
        names = {field.name for field in self.fields}
        errors = {f"data.{str(key)[:60]}": ["The form has no such field."] for key in data if key not in names}
        stored: dict[str, Any] = {}
        for field in self.fields:
            self._accept_field(field, data.get(field.name), partial, stored, errors)
        if errors:
            raise InvalidInput(errors)
        return stored

    @staticmethod
    def _accept_field(field: Field, value: Any, partial: bool, stored: dict[str, Any], errors: dict[str, Any]) -> None:  # noqa: FBT001 - private
        if is_blank(value):
            if field.required and not partial:
                errors[f"data.{field.name}"] = ["Please fill this in."]
            return
        try:
            stored[field.name] = field.accept(value)
        except Unacceptable as problem:
            errors[f"data.{field.name}"] = [str(problem)]

    def facts(self, data: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
        """What guards see as `request.data`: an empty field is absent; a value without field is passed as it is."""
        by_name = {field.name: field for field in self.fields}
        seen: dict[str, Any] = {}
        for name, value in data.items():
            seen |= by_name[name].facts(value, zone) if name in by_name else {name: value}
        return seen

    def json_schema(self) -> dict[str, Any]:
        """The form as JSON Schema 2020-12, for clients."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {field.name: {"title": field.label, **field.schema()} for field in self.fields},
            "required": [field.name for field in self.fields if field.required],
            "additionalProperties": False,
        }

    def rows(self, data: Mapping[str, Any]) -> list[tuple[str, str]]:
        """(label, value as text) of the fields that are filled in, in the form's order."""
        return [(field.label, field.text(data[field.name])) for field in self.fields if field.name in data]


def _field(entry: Mapping[str, Any]) -> Field:
    settings = {key: value for key, value in entry.items() if key not in COMMON}
    return KINDS[entry["type"]](
        name=entry["name"],
        label=entry.get("label") or entry["name"].replace("_", " ").capitalize(),
        required=bool(entry.get("required", False)),
        help=entry.get("help", ""),
        settings=settings,
    )


def check_form(document: Any) -> dict[str, list[str]]:
    """Field -> problems of a form document (`{"fields": [...]}`); empty if it can be used. Never raises."""
    if not isinstance(document, Mapping) or not isinstance(document.get("fields"), list) or set(document) != {"fields"}:
        return {"fields": ['A form is {"fields": [...]}.']}
    if len(document["fields"]) > MOST_FIELDS:
        return {"fields": [f"At most {MOST_FIELDS} fields."]}
    problems: dict[str, list[str]] = {}
    seen: set[str] = set()
    for place, entry in enumerate(document["fields"]):
        found = _entry_problems(entry, seen)
        if found:
            problems[f"fields/{place}"] = found
    return problems


def _entry_problems(entry: Any, seen: set[str]) -> list[str]:
    if not isinstance(entry, Mapping):
        return ["A field is an object."]
    name, kind = entry.get("name"), entry.get("type")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return [f"The name {name!r} must be lower case letters, digits and underscores."]
    if not isinstance(kind, str) or kind not in KINDS:
        return [f"{name}: the type {kind!r} is not one of {', '.join(KINDS)}."]
    problems = [f"{name}: unknown key {key!r}." for key in set(entry) - COMMON - KINDS[kind].known_settings]
    if name in seen:
        problems.append(f"{name}: the name is used twice.")
    seen.add(name)
    if kind == ChoiceField.kind and not _has_choices(entry):
        problems.append(f'{name}: choices must be a list of {{"value", "label"}}.')
    return problems


def _has_choices(entry: Mapping[str, Any]) -> bool:
    choices = entry.get("choices")
    return (
        isinstance(choices, list)
        and bool(choices)
        and all(isinstance(choice, Mapping) and isinstance(choice.get("value"), str) for choice in choices)
    )
