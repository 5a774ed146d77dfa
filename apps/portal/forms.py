"""From a request form to what a page shows, and from what was entered to a wish. Only shapes, no rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from apps.core.errors import InvalidInput
from apps.requests.forms import Form
from apps.requests.forms.fields import Field, MoneyField
from apps.requests.models import Request
from apps.requests.selectors.people import person_named
from apps.requests.services.lifecycle import TITLE_LENGTH, Wish

Errors = Mapping[str, list[str]]
IMPACTS = (
    ("high", "Many people cannot work"),
    ("medium", "It hinders my team or me"),
    ("low", "Nobody is hindered"),
)
URGENCIES = (
    ("high", "As soon as possible"),
    ("medium", "Within the usual time"),
    ("low", "It can wait"),
)
DEFAULT_LEVEL = "medium"
TOP_LEVEL = {"title": "Title", "requested_for": "For whom", "impact": "Impact", "urgency": "Urgency"}

AMBIGUOUS = re.compile(r"-?\d{1,3}[.,]\d{3}")
GROUPED = re.compile(r"-?(\d+|\d{1,3}(,\d{3})+(?=\.)|\d{1,3}(\.\d{3})+(?=,))[.,]\d+")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A form field as the page shows it, with what was entered and what is wrong with that.

    `place` sets its ids apart from those of other forms of the page.
    """

    field: Field
    value: str
    currency: str
    errors: list[str]
    place: str = ""

    @property
    def name(self) -> str:
        return f"data.{self.field.name}"

    @property
    def id(self) -> str:
        return f"field-{self.place}{self.field.name}"

    @property
    def people(self) -> str:
        """The id of a person field's suggestions."""
        return f"people-{self.place}{self.field.name}"

    @property
    def currencies(self) -> list[str]:
        return self.field.currencies if isinstance(self.field, MoneyField) else []

    @property
    def described_by(self) -> str:
        """The ids of help and problem, for the widget."""
        parts = [f"{self.id}-help"] if self.field.help else []
        return " ".join([*parts, f"{self.id}-error"] if self.errors else parts)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A line of the summary above a form."""

    anchor: str
    label: str
    text: str


@dataclass(frozen=True, kw_only=True)
class ItemForm:
    """A whole request form on its page."""

    entries: list[Entry]
    title: str = ""
    requested_for: str = ""
    impact: str = DEFAULT_LEVEL
    urgency: str = DEFAULT_LEVEL
    errors: Errors = field(default_factory=dict)
    impacts = IMPACTS
    urgencies = URGENCIES
    title_length = TITLE_LENGTH

    @property
    def problems(self) -> list[Problem]:
        """Every problem with the place it belongs to, in the order of the page."""
        shown = {f"data.{entry.field.name}": (entry.id, entry.field.label) for entry in self.entries}
        places = shown | {name: (f"field-{name}", label) for name, label in TOP_LEVEL.items()}
        ordered = sorted(self.errors, key=lambda name: list(places).index(name) if name in places else len(places))
        return [
            Problem(anchor=anchor, label=label, text=" ".join(self.errors[name]))
            for name in ordered
            for anchor, label in [places.get(name, ("", name.removeprefix("data.")))]
        ]


def empty_form(form: Form, *, username: str) -> ItemForm:
    """The form as somebody finds it who begins."""
    return ItemForm(entries=_entries(form, {}, {}), requested_for=username)


def form_of_draft(form: Form, draft: Request) -> ItemForm:
    """The form with what a draft holds."""
    return ItemForm(
        entries=_entries(form, draft.data, {}),
        title="" if draft.title == draft.item.name else draft.title,
        requested_for=draft.requested_for.username,
        impact=draft.impact,
        urgency=draft.urgency,
    )


def form_as_sent(form: Form, sent: QueryDict, errors: Errors) -> ItemForm:
    """The form with what was entered, and what is wrong with it."""
    return ItemForm(
        entries=_entries(form, entered(form, sent), errors),
        title=sent.get("title", ""),
        requested_for=sent.get("requested_for", ""),
        impact=sent.get("impact", DEFAULT_LEVEL),
        urgency=sent.get("urgency", DEFAULT_LEVEL),
        errors=errors,
    )


def task_entries(form: Form, values: Mapping[str, Any], *, place: str) -> list[Entry]:
    """The fields of a task's form with what the request holds of them already."""
    return [_entry(one, values.get(one.name), [], place=place) for one in form.fields]


def entries_as_sent(form: Form, sent: Mapping[str, str], errors: Errors, *, place: str) -> list[Entry]:
    """The fields of a task's form with what was entered, and what is wrong with it."""
    values = entered(form, sent)
    return [_entry(one, values.get(one.name), errors.get(f"data.{one.name}", []), place=place) for one in form.fields]


def wish_of(form: Form, sent: QueryDict) -> Wish:
    """What was asked for. Raises InvalidInput where the person it is for is unknown; all else is checked later."""
    username = sent.get("requested_for", "").strip()
    person = person_named(username) if username else None
    if username and person is None:
        raise InvalidInput({"requested_for": ["There is no active person with this user name."]})
    return Wish(
        title=sent.get("title", ""),
        data=entered(form, sent),
        requested_for=person,
        impact=sent.get("impact", DEFAULT_LEVEL),
        urgency=sent.get("urgency", DEFAULT_LEVEL),
    )


def _entries(form: Form, data: Mapping[str, Any], errors: Errors) -> list[Entry]:
    return [_entry(one, data.get(one.name), errors.get(f"data.{one.name}", [])) for one in form.fields]


def _entry(one: Field, value: Any, errors: list[str], *, place: str = "") -> Entry:
    if isinstance(value, Mapping):
        amount, currency = str(value["amount"]), str(value["currency"])
        return Entry(field=one, value=amount, currency=currency, errors=errors, place=place)
    return Entry(field=one, value="" if value is None else str(value), currency="", errors=errors, place=place)


def entered(form: Form, sent: Mapping[str, str]) -> dict[str, Any]:
    """The entered values in the types that the fields take; what does not look like its type stays as it is."""
    return {one.name: _value(one, sent) for one in form.fields if sent.get(f"data.{one.name}", "") != ""}


def _value(one: Field, sent: Mapping[str, str]) -> Any:
    text = str(sent[f"data.{one.name}"])
    if one.kind == "number":
        return _number(text)
    if one.kind == "money" and isinstance(one, MoneyField):
        currency = sent.get(f"data.{one.name}.currency", one.currencies[0])
        return {"amount": decimal_point(text), "currency": currency} if text.strip() else None
    return text.strip() if one.kind == "person" else text


def _number(text: str) -> int | float | str:
    plain = decimal_point(text)
    for kind in (int, float):
        try:
            return kind(plain)
        except ValueError:
            continue
    return text


def decimal_point(text: str) -> str:
    """`1 250,50`, `1.250,50` and `1,250.50` as `1250.50`. What could be read in two ways (`1,250`) stays as it is."""
    plain = "".join(text.split())
    if AMBIGUOUS.fullmatch(plain):
        return text.replace(".", ",")
    sign = max(plain.rfind(","), plain.rfind("."))
    if sign < 0 or not GROUPED.fullmatch(plain):
        return plain
    return plain[:sign].replace(",", "").replace(".", "") + "." + plain[sign + 1 :]
