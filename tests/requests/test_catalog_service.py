from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest
from django.contrib.auth.models import Group

from apps.calendars.models import BusinessCalendar, CalendarVersion, Holiday
from apps.core.errors import BrokenDocument, Conflict, DomainError, InvalidInput
from apps.outbox.models import Event, Stream
from apps.requests.models import CatalogItem, FormVersion, SelectionRule
from apps.requests.selectors import items_for
from apps.requests.services.catalog import ensure_calendar, ensure_item, ensure_workflow
from apps.sla.models import SlaPolicyVersion
from apps.workflows.models import Workflow, WorkflowVersion
from apps.workflows.services.drafting import create_workflow, save_draft
from apps.workflows.services.publishing import retire_version
from tests.factories import FORM, line_document, make_person, make_request

pytestmark = pytest.mark.django_db

Json = dict[str, Any]
TABLES = (
    BusinessCalendar, Holiday, CalendarVersion, FormVersion, SlaPolicyVersion, Workflow, WorkflowVersion, CatalogItem,
    SelectionRule, Group, Stream, Event,
)  # fmt: skip
CALENDAR: Json = {
    "key": "university",
    "name": "University hours",
    "time_zone": "Europe/Amsterdam",
    "country": "NL",
    "week": {"mon": ["09:00-17:00"]},
    "holidays": {"2026-12-24": "Quiet day"},
}
TARGETS: Json = {
    "targets": [
        {
            "id": "resolution",
            "metric": "resolution",
            "calendar": "university",
            "durations": {name: {"business_seconds": 3600} for name in ("critical", "high", "medium", "low")},
        }
    ]
}
RULE: Json = {"name": "Every declaration", "guard": "", "workflow": "declarations"}
ITEM: Json = {
    "slug": "declarations",
    "name": "Expense declaration",
    "summary": "Money back",
    "category": "Finance",
    "icon": "€",
    "time_zone": "Europe/Amsterdam",
    "archive_after_seconds": 3600,
    "reopen_days": 7,
    "position": 3,
    "form": FORM,
    "sla": TARGETS,
    "calendar": CALENDAR,
    "audience": ["employee"],
    "rules": [{"name": "Large", "guard": "request.data.amount > 1000.0", "workflow": "declarations"}, RULE],
}
UNSENT = object()


def document(name: str = "Declarations") -> Json:
    return line_document("declarations", work()) | {"name": name}


def work() -> Json:
    return {"id": "work", "kind": "task", "name": "Work", "assign": {"requester": True}}


@pytest.fixture
def workflow(db: None) -> Workflow:
    return ensure_workflow(document())


def counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in TABLES}


@contextmanager
def refused(error: type[DomainError]) -> Iterator[pytest.ExceptionInfo[Any]]:
    """The call raises exactly this error and takes its own rows back: no transaction around it does."""
    before = counts()
    with pytest.raises(error) as info:
        yield info
    assert (type(info.value), counts()) == (error, before)


def changed(entry: Json, path: str, value: Any) -> Json:
    """A copy of the entry in which the value at the path is another, or left out."""
    copy: Any = deepcopy(entry)
    *parents, last = path.split("/")
    place = copy
    for name in parents:
        place = place[int(name) if isinstance(place, list) else name]
    if value is UNSENT:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return copy


# calendars


def test_a_calendar_is_made_with_its_holidays_and_frozen():
    ensure_calendar(CALENDAR)
    calendar = BusinessCalendar.objects.get()
    assert (calendar.key, calendar.name, calendar.country) == ("university", "University hours", "NL")
    assert [(f"{day.date}", day.name) for day in calendar.holidays.all()] == [("2026-12-24", "Quiet day")]
    version = CalendarVersion.objects.get()
    assert (version.key, version.n, version.document["week"]) == ("university", 1, {"mon": ["09:00-17:00"]})
    assert version.document["holidays"]["2026-12-24"] == "Quiet day"
    assert version.document["time_zone"] == "Europe/Amsterdam"


def test_the_holidays_of_a_country_are_known_from_the_year_that_is_named():
    ensure_calendar(CALENDAR | {"from_year": 2010})
    assert min(CalendarVersion.objects.get().document["holidays"]) == "2010-01-01"


@pytest.mark.parametrize("known", [BusinessCalendar, CalendarVersion])
def test_a_calendar_whose_key_is_known_is_left_alone(known):
    fields = {"document": {"week": {}}, "hash": "x", "n": 1} if known is CalendarVersion else {"week": {}}
    row = known.objects.create(key="university", **fields)
    before = counts()
    ensure_calendar(CALENDAR)
    ensure_calendar({"key": "university", "week": 7})
    assert (counts(), known.objects.get()) == (before, row)


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("key", UNSENT, "calendar/key"),
        ("key", "two words", "calendar/key"),
        ("key", "k" * 51, "calendar/key"),
        ("name", UNSENT, "calendar/name"),
        ("name", 7, "calendar/name"),
        ("name", "n" * 121, "calendar/name"),
        ("name", "a\x00b", "calendar/name"),
        ("time_zone", "Europe/Atlantis", "calendar/time_zone"),
        ("time_zone", ["UTC"], "calendar/time_zone"),
        ("country", "XX", "calendar/country"),
        ("country", "NLD", "calendar/country"),
        ("country", None, "calendar/country"),
        ("week", UNSENT, "calendar/week"),
        ("week", [], "calendar/week"),
        ("week", {"mon": "09:00-17:00"}, "calendar/week.mon"),
        ("week", {"mon": ["17:00-17:00"]}, "calendar/week.mon"),
        ("week", {"funday": []}, "calendar/week.funday"),
        ("week/mon", [MappingProxyType({})], "calendar/week/mon/0"),
        ("holidays", [], "calendar/holidays"),
        ("holidays", {"2026-02-30": "Never"}, "calendar/holidays/2026-02-30/date"),
        ("holidays", {"20260101": "Twice"}, "calendar/holidays/20260101/date"),
        ("holidays", {"2026-01-01": 7}, "calendar/holidays/2026-01-01"),
        ("holidays", {"2026-01-01": "n" * 121}, "calendar/holidays/2026-01-01/name"),
        ("holidays", {7: "No text"}, "calendar/holidays/7"),
        ("from_year", "2010", "calendar/from_year"),
        ("from_year", 1, "calendar/from_year"),
        ("colour", "red", "calendar/colour"),
    ],
)
def test_a_wrong_calendar_is_refused_by_place_and_nothing_is_made(path, value, place):
    with refused(InvalidInput) as info:
        ensure_calendar(changed(CALENDAR, path, value))
    assert place in info.value.errors


@pytest.mark.parametrize("entry", [None, [], "university", 7])
def test_a_calendar_is_an_object(entry):
    with refused(InvalidInput) as info:
        ensure_calendar(entry)
    assert info.value.errors == {"calendar": ["This must be an object."]}


# workflows


def test_a_workflow_is_made_and_published_in_the_name_of_who_asks():
    actor = make_person("designer")
    workflow = ensure_workflow(document(), actor=actor)
    version = WorkflowVersion.objects.get()
    assert (workflow.key, workflow.name) == ("declarations", "Declarations")
    assert (version.workflow, version.n, version.status, version.created_by) == (workflow, 1, "published", actor)
    assert version.document == document()
    assert Event.objects.get(stream=workflow.stream).actor == f"user:{actor.pk}"


def test_the_same_document_again_changes_nothing(workflow):
    before = counts()
    assert ensure_workflow(document()) == workflow
    assert counts() == before


def test_a_workflow_that_is_published_with_another_document_is_not_replaced(workflow):
    with refused(Conflict) as info:
        ensure_workflow(document("Other"))
    assert info.value.detail == (
        "The workflow 'declarations' is published with another document. "
        "Publish this one in the staff pages first, or give it another key."
    )
    assert workflow.versions.get().document == document()


def test_a_draft_beside_the_published_document_is_left_alone(workflow):
    save_draft(workflow, document=document("Other"), actor=None)
    before = counts()
    assert ensure_workflow(document()) == workflow
    assert counts() == before


@pytest.mark.parametrize("name", ["Declarations", "Other"])
def test_a_workflow_that_is_only_drawn_is_not_published_from_here(name):
    drawn = create_workflow("declarations", name="Declarations")
    save_draft(drawn, document=document(name), actor=None)
    with refused(
        Conflict,
    ) as info:
        ensure_workflow(document())
    assert info.value.detail.startswith("The workflow 'declarations' is not published. ")
    assert drawn.versions.get().status == "draft"


def test_a_retired_workflow_is_not_brought_back(workflow):
    retire_version(workflow.versions.get(), actor=None)
    with refused(Conflict):
        ensure_workflow(document())


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (None, "workflow"),
        ([], "workflow"),
        ({}, "workflow"),
        (document() | {"workflow": 7}, "workflow"),
        (document() | {"name": None}, "workflow"),
        (document() | {"name": "a\x00b"}, "workflow/name"),
        (document() | {"name": "\ud800"}, "workflow/name"),
        (document() | {"steps": [float("nan")]}, "workflow/steps/0"),
        (document() | {"steps": 7}, "steps"),
        (line_document("declarations", work() | {"assign": {"team": "nobody"}}), "work"),
    ],
)
def test_a_document_that_the_gate_or_the_database_refuses_leaves_no_workflow(wrong, place):
    with refused(BrokenDocument) as info:
        ensure_workflow(wrong)
    assert list(info.value.errors) == [place]


@pytest.mark.parametrize(("field", "value"), [("workflow", "two words"), ("name", "n" * 201)])
def test_a_key_or_name_that_does_not_fit_leaves_no_workflow(field, value):
    with refused(InvalidInput) as info:
        ensure_workflow(document() | {field: value})
    assert list(info.value.errors) == [f"workflow/{'key' if field == 'workflow' else 'name'}"]


# items


def test_an_item_is_made_with_everything_it_needs(workflow):
    item = ensure_item(ITEM)
    assert (item.slug, item.name, item.summary, item.category) == (
        "declarations", "Expense declaration", "Money back", "Finance")  # fmt: skip
    assert (item.icon, item.time_zone, item.position, item.active) == ("€", "Europe/Amsterdam", 3, True)
    assert (item.archive_after, item.reopen_days) == (timedelta(hours=1), 7)
    assert (item.form_key, FormVersion.objects.get().key, FormVersion.objects.get().document) == (
        "declarations", "declarations", FORM)  # fmt: skip
    assert (item.sla_key, SlaPolicyVersion.objects.get().key) == ("declarations", "declarations")
    assert CalendarVersion.objects.get().key == "university"
    assert list(item.rules.values_list("order", "name", "guard", "workflow")) == [
        (1, "Large", "request.data.amount > 1000.0", workflow.pk),
        (2, "Every declaration", "", workflow.pk),
    ]


def test_an_item_without_settings_has_those_of_the_catalogue(workflow):
    item = ensure_item({"slug": "plain", "name": "Plain", "form": FORM, "rules": [RULE]})
    assert (item.category, item.time_zone, item.sla_key, item.active) == ("General", "UTC", "", True)
    assert (item.archive_after, item.reopen_days, item.position) == (timedelta(days=30), 14, 100)
    assert (item.audience.count(), SlaPolicyVersion.objects.count()) == (0, 0)


def test_only_the_roles_of_the_audience_see_the_item_and_ask_for_it(workflow):
    item = ensure_item(ITEM)
    employee, stranger = make_person("employee", roles=["employee"]), make_person("stranger")
    assert (list(items_for(employee)), list(items_for(stranger))) == ([item], [])
    data = {"reason": "Train", "amount": {"amount": "12.50", "currency": "EUR"}}
    request = make_request(item, employee, data=data)
    assert (request.status, request.selection["rule"]) == ("submitted", "Every declaration")


def test_form_and_targets_are_frozen_under_the_keys_that_are_named(workflow):
    item = ensure_item(ITEM | {"form_key": "expenses", "sla_key": "slow"})
    assert (item.form_key, item.sla_key) == ("expenses", "slow")
    assert (FormVersion.objects.get().key, SlaPolicyVersion.objects.get().key) == ("expenses", "slow")


def test_the_same_item_again_changes_nothing(workflow):
    item, before = ensure_item(ITEM), counts()
    assert ensure_item(ITEM) == item
    assert counts() == before


def test_an_item_whose_slug_is_known_is_left_alone_whatever_else_is_said(workflow):
    item, before = ensure_item(ITEM), counts()
    assert (
        ensure_item({"slug": "declarations", "name": "Other", "form": 7, "calendar": [], "audience": ["new"]}) == item
    )
    item.refresh_from_db()
    assert (item.name, counts()) == ("Expense declaration", before)


def test_an_item_may_be_inactive(workflow):
    assert ensure_item(ITEM | {"active": False}).active is False


def test_rules_without_a_workflow_lead_to_the_one_that_is_given(workflow):
    item = ensure_item(ITEM | {"rules": [{"name": "Always"}]}, workflow=workflow)
    assert list(item.rules.values_list("name", "guard", "workflow")) == [("Always", "", workflow.pk)]


def test_without_rules_every_request_leads_to_the_workflow_that_is_given(workflow):
    item = ensure_item(changed(ITEM, "rules", UNSENT), workflow=workflow)
    assert list(item.rules.values_list("name", "guard", "workflow")) == [("Every request", "", workflow.pk)]


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("slug", UNSENT, "item/slug"),
        ("slug", None, "item/slug"),
        ("slug", 7, "item/slug"),
        ("slug", "two words", "item/slug"),
        ("slug", "a\x00b", "item/slug"),
        ("name", UNSENT, "item/name"),
        ("name", "  ", "item/name"),
        ("name", "n" * 201, "item/name"),
        ("summary", {}, "item/summary"),
        ("summary", "n" * 301, "item/summary"),
        ("summary", "\ud800", "item/summary"),
        ("category", "n" * 81, "item/category"),
        ("icon", "n" * 9, "item/icon"),
        ("time_zone", "Europe/Atlantis", "item/time_zone"),
        ("time_zone", 7, "item/time_zone"),
        ("active", "yes", "item/active"),
        ("archive_after_seconds", True, "item/archive_after_seconds"),
        ("archive_after_seconds", -1, "item/archive_after_seconds"),
        ("archive_after_seconds", 10**30, "item/archive_after_seconds"),
        ("reopen_days", 1.5, "item/reopen_days"),
        ("position", 32_768, "item/position"),
        ("form", [], "item/form"),
        ("form/fields/0/type", "riddle", "item/form/fields/0"),
        ("form/fields/0/label", "a\x00b", "item/form/fields/0/label"),
        ("form/fields/1/max", float("inf"), "item/form/fields/1/max"),
        ("form/extra", 1, "item/form/extra"),
        ("form_key", "two words", "item/form_key"),
        ("form", UNSENT, "item/form_key"),
        ("sla", 7, "item/sla"),
        ("sla/targets", [], "item/sla/targets"),
        ("sla/targets/0/metric", {}, "item/sla/targets.0.metric"),
        ("sla/targets/0/calendar", "moon", "item/sla/targets.0.calendar"),
        ("sla_key", [], "item/sla_key"),
        ("calendar", "university", "item/calendar"),
        ("calendar/time_zone", "Europe/Atlantis", "item/calendar/time_zone"),
        ("calendar/week", {"mon": ["x"]}, "item/calendar/week.mon"),
        ("audience", "employee", "item/audience"),
        ("audience", [""], "item/audience"),
        ("audience", ["n" * 151], "item/audience"),
        ("rules", UNSENT, "item/rules"),
        ("rules", [], "item/rules"),
        ("rules", {}, "item/rules"),
        ("rules/1", "declarations", "item/rules/1"),
        ("rules/1/name", UNSENT, "item/rules/1/name"),
        ("rules/1/name", "n" * 201, "item/rules/1/name"),
        ("rules/1/guard", None, "item/rules/1/guard"),
        ("rules/1/guard", "request.data.amount >", "item/rules/1/guard"),
        ("rules/1/guard", " ", "item/rules/1/guard"),
        ("rules/1/workflow", UNSENT, "item/rules/1/workflow"),
        ("rules/1/workflow", ["declarations"], "item/rules/1/workflow"),
        ("rules/1/workflow", "nowhere", "item/rules/1/workflow"),
        ("rules/1/when", "", "item/rules/1/when"),
        ("colour", "red", "item/colour"),
    ],
)
def test_a_wrong_item_is_refused_by_place_and_nothing_of_it_is_made(workflow, path, value, place):
    before = counts()
    with pytest.raises(InvalidInput) as info:
        ensure_item(changed(ITEM, path, value))
    assert (list(info.value.errors), counts()) == ([place], before)


@pytest.mark.parametrize("entry", [None, [], "declarations", 7])
def test_an_item_is_an_object(entry):
    with refused(InvalidInput) as info:
        ensure_item(entry)
    assert info.value.errors == {"item": ["This must be an object."]}


def test_every_problem_of_an_item_is_named_at_once(workflow):
    wrong: Mapping[str, Any] = {"slug": "x", "rules": 7, "colour": "red", "position": "first"}
    with refused(InvalidInput) as info:
        ensure_item(wrong)
    assert info.value.errors == {
        "item/name": ["This is required."],
        "item/rules": ["This must be a list that is not empty."],
        "item/colour": ["Unknown key."],
        "item/position": ["This must be a whole number from 0 to 32,767."],
    }


def test_what_an_item_names_without_bringing_it_must_exist(workflow):
    entry = {"slug": "x", "name": "X", "form": FORM, "sla_key": "slow", "rules": [RULE]}
    with refused(InvalidInput) as info:
        ensure_item(entry)
    assert info.value.errors == {"item/sla_key": ["There is no SLA policy 'slow'."]}
