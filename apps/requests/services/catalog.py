"""Making what the catalogue offers: calendars, workflows, items with their forms and targets.

For fixtures and imports, from JSON documents. What is there already is left as it is: doing it twice changes nothing.
What cannot be accepted is InvalidInput with a path per problem ("item/form/fields/0"), and then nothing was written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import slug_re
from django.db import transaction

from apps.accounts.models import User
from apps.accounts.models.user import check_zone
from apps.accounts.services import ensure_role
from apps.calendars.models import BusinessCalendar, CalendarVersion, Holiday
from apps.calendars.services import freeze_calendar
from apps.core.errors import BrokenDocument, Conflict, InvalidInput
from apps.core.models import digest
from apps.core.text import is_blank, text_problem
from apps.requests.models import CatalogItem, FormVersion, SelectionRule
from apps.requests.services.gate import publish_workflow
from apps.requests.services.reissuing import publish_form, publish_policy, rule_problems
from apps.requests.services.targets import publish_targets
from apps.sla.models import SlaPolicyVersion
from apps.workflows.engine.problems import by_place
from apps.workflows.models import Workflow
from apps.workflows.selectors import published_version
from apps.workflows.services.drafting import create_workflow, save_draft
from apps.workflows.services.publishing import lock_publishing

Document = Mapping[str, Any]
Check = Callable[[Any], str | None]
PLAIN = ("slug", "name", "summary", "category", "icon", "time_zone", "reopen_days", "active", "position")
EVERYTHING: Document = {"name": "Every request"}
LONGEST_TEXT = 10_000
LONGEST_KEY = 80
LONGEST_ROLE = 150
LARGEST_NUMBER = 2**53
DEEPEST = 16
TEN_YEARS_S = 3650 * 86_400


@transaction.atomic
def ensure_calendar(entry: Document) -> None:
    """A business calendar, frozen, unless its key is known: then it is left alone, whatever else the entry says.

    `{"key", "name", "time_zone", "week", "country"?, "holidays"? (date -> name), "from_year"?}`. The country's holidays
    are known from that year on, else for ten years back. Raises InvalidInput under `calendar/...`.
    """
    key = _key_of(entry, "key")
    if any(model.objects.filter(key=key).exists() for model in (BusinessCalendar, CalendarVersion)):
        return
    _demand("calendar", entry, CALENDAR, needed=("key", "name", "time_zone", "week"))
    holidays = entry.get("holidays", {})
    _demand("calendar/holidays", holidays, dict.fromkeys(holidays, _words))
    with _placed("calendar"):
        calendar = BusinessCalendar(**{key: entry[key] for key in entry if key not in ("holidays", "from_year")})
        calendar.full_clean()
        calendar.save()
        for day, name in holidays.items():
            _holiday(calendar, day, name)
        freeze_calendar(calendar, from_year=entry.get("from_year"))


@transaction.atomic
def ensure_workflow(document: Document, *, actor: User | None = None, of_history: bool = False) -> Workflow:
    """The workflow of the document, published through the gate unless it is already, with this very document.

    `of_history`: as for `publish_workflow`.

    Raises BrokenDocument with the gate's problems, Conflict if the workflow is there with another document or only as
    a draft: what is live, or being drawn, is never replaced from here.
    """
    _demand_document(document)
    key = document["workflow"]
    workflow = Workflow.objects.filter(key=key).first()
    if workflow is None:
        workflow = _drafted(document, actor)
        publish_workflow(workflow, actor=actor, of_history=of_history)
        return workflow
    version = published_version(workflow.pk)
    if version is None or version.hash != digest(document):
        state = "not published" if version is None else "published with another document"
        advice = "Publish this one in the staff pages first, or give it another key."
        raise Conflict(f"The workflow {key!r} is {state}. {advice}")
    return workflow


@transaction.atomic
def ensure_item(entry: Document, *, workflow: Workflow | None = None) -> CatalogItem:
    """The catalogue item of that slug, made with everything it needs; one that is there is returned untouched.

    `entry`: slug, name, rules (`{"name", "guard"?, "workflow"}`) and the settings in `ITEM`; `form` and `sla` are
    documents, frozen under `form_key` and `sla_key` (the slug where they are not named); `calendar` is one for
    `ensure_calendar`; `audience` are roles, made where they are missing (none: everybody). Rules that name no workflow
    lead to `workflow`, and so does every request where there are no rules. Raises InvalidInput with problems by path.
    """
    known = CatalogItem.objects.filter(slug=_key_of(entry, "slug")).first()
    if known is not None:
        return known
    _demand("item", entry, ITEM, needed=("slug", "name", *(() if workflow else ("rules",))))
    item = _item(entry)
    with _placed("item"):
        item.full_clean()
        _freeze_what_it_names(entry, item)
    item.save()
    item.audience.set([ensure_role(name) for name in entry.get("audience", ())])
    for order, rule in enumerate(entry.get("rules", [EVERYTHING]), 1):
        _rule(item, order, rule, workflow)
    return item


@transaction.atomic
def freeze_form(key: str, document: Document | None) -> None:
    """The form's next version, if a document is given. Raises as `publish_form`, under `form/...`."""
    if document is not None:
        with _placed("form"):
            publish_form(key, document)


@transaction.atomic
def freeze_targets(key: str, document: Document | None) -> None:
    """The SLA policy's next version, if a document is given. Raises as `publish_targets`, under `sla/...`."""
    if document is not None:
        with _placed("sla"):
            publish_targets(key, document)


@transaction.atomic
def freeze_policy(key: str, document: Document) -> None:
    """The approval policy's next version, which workflows name by `policy_ref`. Raises as `publish_policy`."""
    with _placed("policies"):
        publish_policy(key, document)


# what is made


def _holiday(calendar: BusinessCalendar, day: str, name: str) -> None:
    with _placed(f"holidays/{day}"):
        holiday = Holiday(calendar=calendar, date=_date(day), name=name)
        holiday.clean_fields(exclude=["calendar"])
        holiday.save()


def _date(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:  # 20260131 is the same day in ISO's other spelling
        raise InvalidInput({"date": ["This must be a date such as 2026-01-31."]})
    return day


def _drafted(document: Document, actor: User | None) -> Workflow:
    key, name = document["workflow"], document["name"]
    with _placed("workflow"):
        Workflow(key=key, name=name).clean_fields(exclude=["stream"])
    workflow = create_workflow(key, name=name)
    save_draft(workflow, document=dict(document), actor=actor)
    return workflow


def _item(entry: Document) -> CatalogItem:
    fields = {key: entry[key] for key in PLAIN if key in entry}
    if "archive_after_seconds" in entry:
        fields["archive_after"] = timedelta(seconds=entry["archive_after_seconds"])
    sla_key = entry.get("sla_key", entry["slug"] if "sla" in entry else "")
    return CatalogItem(form_key=entry.get("form_key", entry["slug"]), sla_key=sla_key, **fields)


def _freeze_what_it_names(entry: Document, item: CatalogItem) -> None:
    """Calendar, form and targets, in this order; what the item names must be there afterwards."""
    if "calendar" in entry:
        ensure_calendar(entry["calendar"])
    freeze_form(item.form_key, entry.get("form"))
    freeze_targets(item.sla_key, entry.get("sla"))
    if not FormVersion.objects.filter(key=item.form_key).exists():
        raise InvalidInput({"form_key": [f"There is no form {item.form_key!r}."]})
    if item.sla_key and not SlaPolicyVersion.objects.filter(key=item.sla_key).exists():
        raise InvalidInput({"sla_key": [f"There is no SLA policy {item.sla_key!r}."]})


def _rule(item: CatalogItem, order: int, rule: Document, otherwise: Workflow | None) -> None:
    place = f"item/rules/{order - 1}"
    _demand(place, rule, RULE, needed=("name", *(() if otherwise else ("workflow",))))
    key = rule.get("workflow")
    workflow = Workflow.objects.filter(key=key).first() if key is not None else otherwise
    if workflow is None:
        raise InvalidInput({f"{place}/workflow": [f"There is no workflow {key!r}."]})
    with _placed(place):
        row = SelectionRule(item=item, order=order, name=rule["name"], guard=rule.get("guard", ""), workflow=workflow)
        row.full_clean()
        lock_publishing()
        if problems := by_place(rule_problems(row)):
            raise InvalidInput({"guard": [message for messages in problems.values() for message in messages]})
        row.save()


# what may be said


def _key_of(entry: object, name: str) -> str:
    """The key an entry says, "" if it says none that could be looked up."""
    key = entry.get(name) if isinstance(entry, Mapping) else None
    return key if isinstance(key, str) and text_problem(key, max_length=LONGEST_TEXT) is None else ""


def _demand(place: str, entry: object, checks: Mapping[str, Check], *, needed: tuple[str, ...] = ()) -> None:
    """Raises InvalidInput with every key that is unknown, missing, of the wrong type, or could not be stored."""
    if not isinstance(entry, Mapping):
        raise InvalidInput({place: ["This must be an object."]})
    problems = {_at(place, key): ["This is required."] for key in needed if key not in entry}
    for key, value in entry.items():
        check = checks.get(key)
        if text := check(value) if check else "Unknown key.":
            problems[_at(place, key)] = [text]
        else:
            problems |= {at: [text] for at, text in _unstorable(value, _at(place, key))}
    if problems:
        raise InvalidInput(problems)


def _demand_document(document: object) -> None:
    """Raises BrokenDocument unless this can be stored and says its key and name; the rest is the gate's."""
    if not isinstance(document, Mapping):
        raise BrokenDocument({"workflow": ["A workflow document is an object."]})
    if problems := {at: [text] for at, text in _unstorable(dict(document), "workflow")}:
        raise BrokenDocument(problems)
    if not isinstance(document.get("workflow"), str) or not isinstance(document.get("name"), str):
        raise BrokenDocument({"workflow": ["A workflow document says its key in “workflow”, and its name."]})


def _unstorable(value: Any, place: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """What of a value is no JSON, or none that the database can store, by place."""
    if depth > DEEPEST:
        yield place, f"This is nested more than {DEEPEST} levels deep."
    elif isinstance(value, dict):
        for key, one in value.items():
            problem = text_problem(key, max_length=LONGEST_TEXT)
            yield from [(_at(place, key), problem)] if problem else _unstorable(one, _at(place, key), depth + 1)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _unstorable(one, _at(place, index), depth + 1)
    elif problem := _plain_problem(value):
        yield place, problem


def _plain_problem(value: object) -> str | None:
    if isinstance(value, str):
        return text_problem(value, max_length=LONGEST_TEXT)
    if isinstance(value, int | float):
        return None if math.isfinite(value) and abs(value) <= LARGEST_NUMBER else "This number is too large."
    return None if value is None else f"{type(value).__name__} is no JSON."


def _at(place: str, key: object) -> str:
    text = str(key)[:80]
    return f"{place}/{text if text.isprintable() else ascii(text)[1:-1]}"


def _text(value: object) -> str | None:
    return None if isinstance(value, str) else "This must be text."


def _words(value: object) -> str | None:
    return "This must be text that is not empty." if not isinstance(value, str) or is_blank(value) else None


def _slug(value: object) -> str | None:
    fits = isinstance(value, str) and len(value) <= LONGEST_KEY and slug_re.match(value)
    return None if fits else f"This must be at most {LONGEST_KEY} letters, digits, “-” and “_”."


def _flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "This must be true or false."


def _object(value: object) -> str | None:
    return None if isinstance(value, Mapping) else "This must be an object."


def _some(value: object) -> str | None:
    return None if isinstance(value, list) and value else "This must be a list that is not empty."


def _roles(value: object) -> str | None:
    fits = isinstance(value, list) and all(not _words(name) and len(name) <= LONGEST_ROLE for name in value)
    return None if fits else f"This must be a list of roles, each with at most {LONGEST_ROLE} characters."


def _zone(value: object) -> str | None:
    try:
        check_zone(str(value))
    except ValidationError as error:
        return str(error.message)
    return None


def _whole(low: int, high: int) -> Check:
    def check(value: object) -> str | None:
        fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if fits else f"This must be a whole number from {low:,} to {high:,}."

    return check


CALENDAR: Mapping[str, Check] = {
    "key": _words,
    "name": _words,
    "time_zone": _zone,
    "country": _text,
    "week": _object,
    "holidays": _object,
    "from_year": _whole(1950, 2100),
}
ITEM: Mapping[str, Check] = {
    **dict.fromkeys(("slug", "form_key", "sla_key"), _slug),
    **dict.fromkeys(("name", "category"), _words),
    **dict.fromkeys(("summary", "icon"), _text),
    **dict.fromkeys(("form", "sla", "calendar"), _object),
    **dict.fromkeys(("reopen_days", "position"), _whole(0, 32_767)),
    "archive_after_seconds": _whole(0, TEN_YEARS_S),
    "time_zone": _zone,
    "active": _flag,
    "audience": _roles,
    "rules": _some,
}
RULE: Mapping[str, Check] = {"name": _words, "guard": _text, "workflow": _words}


@contextmanager
def _placed(place: str) -> Iterator[None]:
    """What a model or a document refuses, as InvalidInput under the place."""
    try:
        yield
    except ValidationError as error:
        raise InvalidInput({f"{place}/{key}": texts for key, texts in error.message_dict.items()}) from error
    except InvalidInput as error:
        raise type(error)({f"{place}/{key}": texts for key, texts in error.errors.items()}) from error
