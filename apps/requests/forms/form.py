"""Forms: the one validator behind portal, API and submission."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from apps.core.errors import InvalidInput
from apps.core.text import is_blank
from apps.requests.forms.fields import KINDS, LARGEST_NUMBER, ChoiceField, Field, MoneyField, Unacceptable
from apps.workflows.engine.guard_types import FieldShape

CURRENCY = re.compile(r"[A-Z]{3}")
NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
COMMON = frozenset({"name", "type", "label", "required", "help"})
MOST_FIELDS = 100


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER


def _is_length(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 100_000


def _are_currencies(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, str) and CURRENCY.fullmatch(one) for one in value)
    )


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


SETTINGS: Mapping[str, Callable[[Any], bool]] = {
    "min": _is_number,
    "max": _is_number,
    "max_length": _is_length,
    "currencies": _are_currencies,
    "integer": _is_flag,
    "multiline": _is_flag,
    "required": _is_flag,
    "label": lambda value: isinstance(value, str),
    "help": lambda value: isinstance(value, str),
}


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form's fields in order. `amount_field` names the money field that limits of deputies are compared with."""

    fields: tuple[Field, ...]
    amount_field: str | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Form:
        """The form of a stored document, which `check_form` has passed."""
        fields = tuple(_field(entry) for entry in document["fields"])
        return cls(fields=fields, amount_field=document.get("amount_field"))

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

    def accept_computed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values a workflow computed, as they are stored; those of no field are taken as they are.

        Raises InvalidInput naming the fields that refuse theirs.
        """
        by_name = {field.name: field for field in self.fields}
        stored: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, value in values.items():
            try:
                field = by_name.get(name)
                stored[name] = field.accept(field.from_guard(value)) if field else value
            except Unacceptable as problem:
                errors[name] = [str(problem)]
        if errors:
            raise InvalidInput(errors)
        return stored

    def facts(self, data: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
        """What guards see as `request.data`: an empty field is absent; a value without field is passed as it is."""
        by_name = {field.name: field for field in self.fields}
        seen: dict[str, Any] = {}
        for name, value in data.items():
            seen |= by_name[name].facts(value, zone) if name in by_name else {name: value}
        return seen

    def guard_fields(self) -> dict[str, FieldShape]:
        """What guards may expect of `facts`: names, types, and whether a submitted request always has them."""
        return {
            name: FieldShape(types=types, always=field.required)
            for field in self.fields
            for name, types in field.guard_types().items()
        }

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
    """Field -> problems of a form document; empty if it can be used. Never raises.

    A form is `{"fields": [...]}`, with `"amount_field"` if it has an amount that limits of deputies are compared with.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("fields"), list):
        return {"fields": ['A form is {"fields": [...]}.']}
    if unknown := sorted(str(key)[:60] for key in document.keys() - {"fields", "amount_field"}):
        return {key: ["This key is unknown."] for key in unknown}
    if len(document["fields"]) > MOST_FIELDS:
        return {"fields": [f"At most {MOST_FIELDS} fields."]}
    problems: dict[str, list[str]] = {}
    seen: set[str] = set()
    for place, entry in enumerate(document["fields"]):
        found = _entry_problems(entry, seen)
        if found:
            problems[f"fields/{place}"] = found
    if "amount_field" in document and not _names_money(document["amount_field"], document["fields"]):
        problems["amount_field"] = ["This must be the name of a money field of the form."]
    return problems


def _names_money(name: Any, fields: list[Any]) -> bool:
    entries = [entry for entry in fields if isinstance(entry, Mapping)]
    return isinstance(name, str) and any(
        entry.get("name") == name and entry.get("type") == MoneyField.kind for entry in entries
    )


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
    problems += [f"{name}: {key} does not fit." for key in entry if key in SETTINGS and not SETTINGS[key](entry[key])]
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
