"""The sample request of a dry run, read strictly: who asks for whom, and what guards see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from apps.accounts.models import User
from apps.accounts.stand_ins import Scope
from apps.core.errors import InvalidInput
from apps.core.text import text_problem
from apps.requests.enums import Level, Priority, priority_of
from apps.requests.facts import current_form, form_of
from apps.requests.forms import Form
from apps.requests.models import CatalogItem
from apps.workflows.engine.simulation import read_instant

Json = dict[str, Any]
TEXTS: Mapping[str, str] = {"number": "SR-0000-000000", "title": "", "department": ""}
OTHERS = ("item", "requester", "requested_for", "impact", "urgency", "priority", "created_at", "tags", "data")
LONGEST = 300
NO_OBJECT = "This must be an object with the form's fields."


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The sample request: who asks for whom, through which form, and what guards see of it."""

    requester: User | None
    requested_for: User | None
    form: Form
    zone: ZoneInfo
    facts: Json


def read_sample(request: Json, *, actor: User | None, now: datetime) -> Sample:
    """The sample request. Its data go through the form of its item, else they are taken as they are; without a
    requester the actor asks. Raises InvalidInput with every problem under `request.<field>`.
    """
    read = _Reader(request)
    item = read.found("item", lambda slug: CatalogItem.objects.filter(slug=slug).first(), "There is no such item.")
    requester = read.person("requester") or actor
    requested_for = read.person("requested_for") or requester
    form = _form_of(item)
    zone = ZoneInfo(item.time_zone if item else "UTC")
    seen = {
        **read.plain(now),
        "item": item.slug if item else "",
        "requester": requester.username if requester else "",
        "requested_for": requested_for.username if requested_for else "",
        "data": read.data(form if item else None, zone),
    }
    if requested_for and "department" not in request:
        seen["department"] = requested_for.department
    read.refuse()
    facts = {"request": seen, "run": {"n": 1}}
    return Sample(requester=requester, requested_for=requested_for, form=form, zone=zone, facts=facts)


def bare_facts(request: Json, *, now: datetime) -> Json:
    """What guards see of a sample request where there is no database to ask. Raises InvalidInput."""
    read = _Reader(request)
    names = {name: read.text(name) for name in ("item", "requester", "requested_for")}
    seen = {**read.plain(now), **names, "data": read.data(None, ZoneInfo("UTC"))}
    read.refuse()
    return {"request": seen, "run": {"n": 1}}


def scope_seen(facts: Mapping[str, Any], amount_field: str | None) -> Scope:
    """What a deputy must be allowed to answer: the item and the amount, as guards see it."""
    data, item = facts["request"]["data"], facts["request"]["item"]
    amount, currency = data.get(amount_field or ""), data.get(f"{amount_field}_currency")
    if amount is None or currency is None:
        return Scope(item=item)
    return Scope(item=item, amount=Decimal(str(amount)), currency=currency)


def _form_of(item: CatalogItem | None) -> Form:
    version = current_form(item) if item else None
    return form_of(version.pk) if version else Form(fields=())


class _Reader:
    """Takes the fields of a sample request one by one, and notes what is wrong with them."""

    def __init__(self, request: Json) -> None:
        self.request = request
        self.errors: dict[str, list[str]] = {}
        for name in request.keys() - {*TEXTS, *OTHERS}:
            self._wrong(str(name)[:60], "There is no such field.")

    def refuse(self) -> None:
        """Raises InvalidInput if anything was wrong."""
        if self.errors:
            raise InvalidInput(self.errors)

    def plain(self, now: datetime) -> Json:
        """The fields that are the same in every world."""
        impact, urgency = (self.one_of(name, Level.values, Level.MEDIUM) for name in ("impact", "urgency"))
        return {
            **{name: self.text(name, default) for name, default in TEXTS.items()},
            "impact": impact,
            "urgency": urgency,
            "priority": self.one_of("priority", Priority.values, priority_of(impact, urgency)),
            "created_at": self.instant("created_at", now),
            "tags": self.tags(),
        }

    def text(self, name: str, default: str = "") -> str:
        value = self.request.get(name, default)
        if problem := text_problem(value, max_length=LONGEST):
            self._wrong(name, problem)
            return default
        return str(value)

    def one_of(self, name: str, known: Iterable[str], default: str) -> str:
        value = self.request.get(name, default)
        if value not in known:
            self._wrong(name, f"This must be one of {', '.join(known)}.")
            return str(default)
        return str(value)

    def found(self, name: str, find: Callable[[str], Any], otherwise: str) -> Any:
        """What a name stands for; None where none is given, or nothing has it."""
        value = self.text(name)
        row = find(value) if value else None
        if value and row is None:
            self._wrong(name, otherwise)
        return row

    def person(self, name: str) -> User | None:
        def find(username: str) -> User | None:
            return User.objects.filter(username=username, is_active=True).first()

        user: User | None = self.found(name, find, "There is no active person with this user name.")
        return user

    def instant(self, name: str, default: datetime) -> datetime:
        try:
            return read_instant(self.request[name]) if name in self.request else default
        except ValueError as problem:
            self._wrong(name, str(problem))
            return default

    def tags(self) -> list[str]:
        tags = self.request.get("tags", [])
        if isinstance(tags, list) and all(text_problem(tag, max_length=LONGEST) is None for tag in tags):
            return tags
        self._wrong("tags", "This must be a list of texts.")
        return []

    def data(self, form: Form | None, zone: ZoneInfo) -> Json:
        """What guards see of the data: through the form, else as they are."""
        data = self.request.get("data", {})
        if not isinstance(data, Mapping):
            self._wrong("data", NO_OBJECT)
            return {}
        if form is None:
            return dict(data)
        try:
            return form.facts(form.accept(data), zone)
        except InvalidInput as refusal:
            self.errors |= {f"request.{name}": messages for name, messages in refusal.errors.items()}
            return {}

    def _wrong(self, name: str, text: str) -> None:
        self.errors.setdefault(f"request.{name}", []).append(text)
