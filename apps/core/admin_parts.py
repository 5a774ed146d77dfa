"""Small parts that admin pages are made of: links, badges, tables, documents as text and as a form field."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models
from django.forms.fields import InvalidJSONInput
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from apps.core.json_places import forbidden_at
from apps.core.text import text_problem

MOST_CHARACTERS = 1_000_000
DEEPEST = 60
LINE = 100
NOTHING = "-"

GOOD, BAD, WAITING, ACTIVE = "success", "danger", "warning", "info"


def link_to(row: models.Model | None, text: str = "") -> str:
    """A link to the row's admin page, by default with its name; plain text where it has no page, `-` for None."""
    if row is None:
        return NOTHING
    meta = row._meta
    try:
        url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[quote(row.pk)])
    except NoReverseMatch:
        return text or str(row)
    return format_html('<a class="text-link" href="{}">{}</a>', url, text or str(row))


def link_to_actor(actor: str) -> str:
    """Who acted (`user:7`, `system`): a person with a link, one statement; anything else as it stands."""
    kind, _, pk = actor.partition(":")
    person = get_user_model().objects.filter(pk=pk).first() if kind == "user" and pk.isdecimal() else None
    return link_to(person, f"{person} ({actor})") if person else actor


def link_to_list(model: type[models.Model], text: str, **filters: object) -> SafeString:
    """A link to the model's list, narrowed by lookups (`stream__id__exact=7`)."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return format_html('<a class="text-link" href="{}?{}">{}</a>', url, urlencode(filters), text)


def badge(field: str, colours: Mapping[str, str]) -> Callable[[Any, models.Model], str]:
    """A list column that shows a state as a coloured word; states without colour stay grey."""

    @display(description=field, ordering=field, label={_words(value): colour for value, colour in colours.items()})
    def shown(_admin: Any, row: models.Model) -> str:
        return _words(getattr(row, field))

    column: Callable[[Any, models.Model], str] = shown
    return column


def _words(value: str) -> str:
    return value.replace("_", " ")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> str:
    """A small table; `empty` is said where there are no rows."""
    cells = [format_html_join("", "<td>{}</td>", ((cell,) for cell in row)) for row in rows]
    if not cells:
        return empty
    head = format_html_join("", '<th scope="col">{}</th>', ((one,) for one in heads))
    body = format_html_join("", "<tr>{}</tr>", ((row,) for row in cells))
    return format_html('<table class="sf-table"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>', head, body)


def verdict(text: str, *, good: bool) -> SafeString:
    """A sentence in the colour of its news."""
    return format_html('<span class="{}">{}</span>', "sf-good" if good else "sf-bad", text)


def as_text(document: object, *, order: Sequence[str] = ()) -> str:
    """JSON as people read it: what fits a line stands on one.

    The database does not keep the order of keys: those in `order` come first.
    """
    return _lines(_arranged(document, order), "")


def _arranged(value: object, order: Sequence[str]) -> object:
    if isinstance(value, list):
        return [_arranged(one, order) for one in value]
    if not isinstance(value, dict):
        return value
    first = [key for key in order if key in value]
    return {key: _arranged(value[key], order) for key in (*first, *(key for key in value if key not in first))}


def _lines(value: object, indent: str) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or (indent and len(indent) + len(flat) <= LINE):
        return flat
    inner = indent + "  "
    if isinstance(value, list):
        parts, ends = [_lines(one, inner) for one in value], "[]"
    else:
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {_lines(one, inner)}" for key, one in value.items()]
        ends = "{}"
    body = ",\n".join(f"{inner}{part}" for part in parts)
    return f"{ends[0]}\n{body}\n{indent}{ends[1]}"


def as_code(document: object, *, order: Sequence[str] = ()) -> SafeString:
    """JSON as a block of monospace text."""
    return format_html('<pre class="sf-code">{}</pre>', as_text(document, order=order))


def problem_lines(problems: Mapping[str, Sequence[str]]) -> list[str]:
    """One line per problem, with its place in front."""
    return [f"{place}: {message}" for place, messages in problems.items() for message in messages]


def read_document(text: str) -> Any:
    """The JSON value of a text. Raises ValidationError with the place for what no document may hold:

    broken JSON, a key twice in an object, NaN and Infinity, more than 60 levels, NUL and other control characters,
    lone surrogates, more than a million characters.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValidationError(f"This is too long: at most {MOST_CHARACTERS:,} characters are accepted.")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ValidationError(f"Line {error.lineno}, column {error.colno}: {error.msg}.") from error
    except (RecursionError, ValueError) as error:
        raise _placed(text, str(error)) from error
    try:
        _check_values(value)
    except ValidationError as refusal:
        raise _placed(text, refusal.messages[0]) from refusal
    return value


def _placed(text: str, otherwise: str) -> ValidationError:
    """What no document may hold, with its place; `otherwise` where the place is not found."""
    found = forbidden_at(text, deepest=DEEPEST, longest=MOST_CHARACTERS)
    return ValidationError(": ".join(found) if found else otherwise)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"The key {twice!r} occurs twice in one object.")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON.")


def _check_values(value: object) -> None:
    waiting: list[tuple[object, int]] = [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        if depth > DEEPEST:
            raise ValidationError(f"This is nested more than {DEEPEST} levels deep.")
        if isinstance(one, str) and (problem := text_problem(one, max_length=MOST_CHARACTERS)):
            raise ValidationError(problem)
        if isinstance(one, Mapping):
            waiting += [(part, depth + 1) for pair in one.items() for part in pair]
        elif isinstance(one, list):
            waiting += [(part, depth + 1) for part in one]


class DocumentField(forms.JSONField):
    """A JSON document as monospace text; `order` as for `as_text`. A text that is refused is kept as it was typed."""

    def __init__(self, *, order: Sequence[str] = (), rows: int = 28, **kwargs: Any) -> None:
        self.order = order
        attrs = {"class": "sf-code", "rows": rows, "spellcheck": "false"}
        super().__init__(**{"widget": UnfoldAdminTextareaWidget(attrs=attrs), **kwargs})

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values or not isinstance(value, str):
            return None if value in self.empty_values else value
        return read_document(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        return None if data is None else InvalidJSONInput(data)

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, InvalidJSONInput) else as_text(value, order=self.order)
