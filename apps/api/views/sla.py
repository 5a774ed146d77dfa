"""SLA policies and calendars: read, published, and a calendar asked what it makes of a start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from apps.api.bodies import Body, Shape, flag, read_body, shape, text
from apps.api.idempotency import one_effect
from apps.api.pagination import Order
from apps.api.query import YEARS, read_query
from apps.api.schema import lists, reads, writes
from apps.api.serializers.sla import ComputedSerializer, DocumentSerializer, KeyedSerializer
from apps.api.views.base import ApiView, actor_of, shown
from apps.calendars.business_time import Calendar, add, between, explain
from apps.calendars.models import CalendarVersion
from apps.calendars.selectors import calendar_of
from apps.calendars.services import calendar_warnings
from apps.core.errors import InvalidInput, NotVisible
from apps.core.models import KeyedVersion
from apps.requests.services import targets
from apps.requests.services.target_references import warnings_of
from apps.sla.models import SlaPolicyVersion

BY_KEY = Order(name="key", columns=("key",))
BESIDE = ("key", "name", "country")
MOST_VERSIONS = 100
MOST_SPANS = 2000
LONGEST = 10 * 366 * 86_400
VERSION = {"version": {"type": "integer", "minimum": 1, "description": "A number; the newest one without it"}}
KEY = text("Letters, digits, - and _", maxLength=80)
BASE = {
    "type": "integer",
    "minimum": 0,
    "maximum": 2**31 - 1,
    "description": "The version this one follows (0: none); another one there is 409",
}
POLICY = shape(
    {"key": KEY, "document": {"type": "object", "description": "The targets"}, "base": BASE},
    required=("key", "document"),
)
CALENDAR = shape(
    {
        "key": KEY,
        "name": text("Left out: as it is, at first the key", maxLength=120),
        "country": text("Its public holidays (ISO code) are added; left out: as it is", maxLength=2),
        "document": {"type": "object", "description": "Time zone, week, holidays, overrides and breaks"},
        "base": BASE,
    },
    required=("key", "document"),
)
INSTANT = text("With its offset: 2026-03-02T10:00:00+01:00", maxLength=40)
COMPUTE = shape(
    {
        "start": INSTANT,
        "seconds": {
            "type": "number",
            "minimum": -LONGEST,
            "maximum": LONGEST,
            "description": "Open seconds from the start; a negative number counts backwards",
        },
        "end": INSTANT,
        "intervals": flag(
            "Every stretch between the two, with why it counts or not; none for a reversed pair", default=False
        ),
    },
    required=("start",),
)


class SlaPoliciesView(ApiView):
    @lists("The newest version of every SLA policy, for those who design or audit them", KeyedSerializer)
    def get(self, http: HttpRequest) -> Response:
        read_query(http)
        rows = targets.newest_for(actor_of(http), SlaPolicyVersion).defer("document")
        return self.paged(http, rows, BY_KEY, KeyedSerializer)

    @writes(
        "Publish the next version of an SLA policy; nothing is published where the newest one says the same",
        DocumentSerializer,
        body=POLICY,
        status=201,
    )
    @one_effect
    def post(self, http: HttpRequest) -> Response:
        return _published(http, POLICY, targets.publish_targets_as)


class SlaPolicyView(ApiView):
    @reads("An SLA policy with its versions", DocumentSerializer, query=VERSION)
    def get(self, http: HttpRequest, key: str) -> Response:
        return _document(_version(http, SlaPolicyVersion, key))


class SlaCalendarsView(ApiView):
    @lists("The newest version of every calendar, for those who design or audit them", KeyedSerializer)
    def get(self, http: HttpRequest) -> Response:
        read_query(http)
        rows = targets.newest_for(actor_of(http), CalendarVersion).defer("document")
        return self.paged(http, rows, BY_KEY, KeyedSerializer)

    @writes(
        "Publish the next version of a calendar; nothing is published where the newest one says the same",
        DocumentSerializer,
        body=CALENDAR,
        status=201,
    )
    @one_effect
    def post(self, http: HttpRequest) -> Response:
        return _published(http, CALENDAR, targets.publish_calendar_as)


class SlaCalendarView(ApiView):
    @reads("A calendar with its versions, by its key or the id of a version", DocumentSerializer, query=VERSION)
    def get(self, http: HttpRequest, key: str) -> Response:
        return _document(_version(http, CalendarVersion, key))


class ComputeView(ApiView):
    """For everybody who is signed in: a calendar's hours are no secret, every due time tells of them."""

    http_method_names = ["post"]

    @writes(
        "When open seconds from a start are over, or how many are open until an end; nothing changes",
        ComputedSerializer,
        body=COMPUTE,
    )
    @one_effect
    def post(self, http: HttpRequest, key: str) -> Response:
        version = _calendar(key)
        body = read_body(http.data, COMPUTE)
        return Response(shown(ComputedSerializer, {"calendar": version, **_computed(calendar_of(version.pk), body)}))


def _computed(calendar: Calendar, body: Body) -> dict[str, Any]:
    """What the body asks. Raises InvalidInput by field."""
    if ("seconds" in body) == ("end" in body):
        raise InvalidInput({"seconds": ["Give either seconds or an end."]})
    start = _instant(body, "start")
    if "end" in body:
        low, high = start, _instant(body, "end")
        with _as_field("end"):
            found: dict[str, Any] = {"due_at": None, "open_seconds": between(calendar, low, high)}
    else:
        due = _after(calendar, start, body["seconds"])
        low, high = min(start, due), max(start, due)
        found = {"due_at": due, "open_seconds": None}
    return found | {"intervals": _spans(calendar, low, high) if body.get("intervals") else None}


def _instant(body: Body, name: str) -> datetime:
    """An aware time. Raises InvalidInput naming it."""
    try:
        found = datetime.fromisoformat(body[name])
    except ValueError:
        raise InvalidInput({name: ["This must be a time such as 2026-03-02T10:00:00+01:00."]}) from None
    if found.tzinfo is None:
        raise InvalidInput({name: ["This time has no offset from UTC: 2026-03-02T10:00:00+01:00 has one."]})
    if found.year not in YEARS:
        raise InvalidInput({name: [f"The year must be from {YEARS[0]} to {YEARS[-1]}."]})
    return found


def _after(calendar: Calendar, start: datetime, seconds: float) -> datetime:
    if abs(seconds) > LONGEST:
        raise InvalidInput({"seconds": [f"This must be from -{LONGEST} to {LONGEST}."]})
    with _as_field("start"):
        return add(calendar, start, seconds)


def _spans(calendar: Calendar, start: datetime, end: datetime) -> Any:
    """Every stretch between the two; none for a reversed pair, which is 0 seconds apart."""
    with _as_field("intervals"):
        found = explain(calendar, start, end)
    if len(found) > MOST_SPANS:
        raise InvalidInput({"intervals": [f"There are {len(found):,} stretches; at most {MOST_SPANS:,} are given."]})
    return found


def _calendar(key: str) -> CalendarVersion:
    """The newest version of the key, else the version of that id. Raises NotVisible."""
    rows = CalendarVersion.objects
    found: CalendarVersion | None = rows.current(key)
    if found is None and key.isascii() and key.isdecimal() and len(key) < 19:
        found = rows.filter(pk=int(key)).first()
    if found is None:
        raise NotVisible
    return found


def _version(http: HttpRequest, kind: targets.Versions, key: str) -> KeyedVersion:
    actor = actor_of(http)
    targets.require_reader(actor)
    query = read_query(http, VERSION, paged=False)
    if kind is CalendarVersion and "version" not in query:
        return _calendar(key)
    found: KeyedVersion = targets.version_for(actor, kind, key, _number(query))
    return found


def _number(query: Mapping[str, str]) -> int | None:
    word = query.get("version")
    if word is None:
        return None
    number = int(word) if word.isascii() and word.isdigit() and len(word) < 10 else 0
    if not number:
        raise InvalidInput({"version": ["This must be the number of a version."]})
    return number


@contextmanager
def _of_the_document() -> Iterator[None]:
    """What is wrong with the document is named below `document`."""
    try:
        yield
    except InvalidInput as refused:
        errors = {f"{'' if place in BESIDE else 'document.'}{place}": said for place, said in refused.errors.items()}
        raise type(refused)(errors) from refused


@contextmanager
def _as_field(name: str) -> Iterator[None]:
    """What business time refuses is a problem of this field."""
    try:
        yield
    except InvalidInput as refused:
        raise InvalidInput({name: [text for said in refused.errors.values() for text in said]}) from refused
    except OverflowError as error:
        raise InvalidInput({name: ["This cannot be counted."]}) from error


def _published(http: HttpRequest, expected: Shape, publish: Callable[..., KeyedVersion]) -> Response:
    """Publishes the body's document as the next version of its key, in the actor's name."""
    actor = actor_of(http)
    targets.require_designer(actor)
    body = read_body(http.data, expected)
    base, words = _base(body), {name: body[name] for name in ("name", "country") if name in body}
    with _of_the_document():
        made = publish(actor, body["key"], body["document"], expected=base, **words)
    answer = _document(made, status=201)
    answer["Location"] = http.build_absolute_uri(f"{http.path}{made.key}/")
    return answer


def _base(body: Body) -> int:
    base: int = body.get("base", targets.ANY)
    if "base" in body and not 0 <= base < 2**31:
        raise InvalidInput({"base": ["This must be the number of a version, or 0."]})
    return base


def _document(version: KeyedVersion, *, status: int = 200) -> Response:
    of_policy = isinstance(version, SlaPolicyVersion)
    warned = warnings_of(version.key, version.document) if of_policy else calendar_warnings(version.document)
    warnings = [{"place": place, "message": said} for place, messages in warned.items() for said in messages]
    versions = targets.versions_of(version)[:MOST_VERSIONS]
    told = {name: getattr(version, name) for name in ("id", "key", "n", "hash", "created_at", "created_by", "document")}
    return Response(shown(DocumentSerializer, {**told, "versions": versions, "warnings": warnings}), status=status)
