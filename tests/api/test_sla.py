"""SLA policies and calendars through the API: who reads and publishes them, and what a calendar answers."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from apps.calendars.models import BusinessCalendar, CalendarVersion, Holiday, SpecialDay
from apps.core import clock
from apps.sla.models import SlaPolicyVersion
from tests.api.conftest import Client, World
from tests.factories import make_calendar, make_item, make_person, make_sla, make_team

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
WEEK = {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
OFFICE = {"time_zone": "Europe/Amsterdam", "week": WEEK}
LEVELS = ("critical", "high", "medium", "low")
TARGET = {
    "id": "fix",
    "metric": "resolution",
    "calendar": "office",
    "durations": {level: {"business_seconds": 3600} for level in LEVELS},
}


@pytest.fixture
def ada() -> Client:
    make_calendar()
    return Client().of(make_person("ada", roles=["administrator"]))


def document(**more: Any) -> dict[str, Any]:
    return {"targets": [{**deepcopy(TARGET), **more}]}


def versions() -> list[str]:
    return [str(one) for kind in (SlaPolicyVersion, CalendarVersion) for one in kind.objects.order_by("key", "n")]


def errors(client: Client, path: str, body: Any) -> dict[str, list[str]]:
    """Why the body is refused; no version was made."""
    before = versions()
    answer = client.api("post", path, body)
    assert answer.status_code == 400, answer.content
    assert versions() == before
    found: dict[str, list[str]] = answer.json().get("errors", {"": [answer.json()["detail"]]})
    return found


# ------------------------------------------------------------------------------------ policies


def test_a_policy_is_published_and_read_with_its_versions(ada: Client) -> None:
    first = ada.api("post", "/sla/policies/", {"key": "gold", "document": document()})
    assert (first.status_code, first.json()["n"]) == (201, 1)
    assert first["Location"].endswith("/api/v1/sla/policies/gold/")
    second = ada.api("post", "/sla/policies/", {"key": "gold", "document": document(warn_at=[50]), "base": 1}).json()
    assert (second["n"], second["document"]["targets"][0]["warn_at"]) == (2, [50])
    again = ada.api("post", "/sla/policies/", {"key": "gold", "document": document(warn_at=[50])}).json()
    assert again["n"] == 2
    read = ada.api("get", "/sla/policies/gold/").json()
    assert (read["n"], [one["n"] for one in read["versions"]]) == (2, [2, 1])
    older = ada.api("get", "/sla/policies/gold/?version=1").json()
    assert (older["n"], older["document"]) == (1, document())
    (row,) = ada.api("get", "/sla/policies/").json()["results"]
    assert (row["key"], row["n"]) == ("gold", 2)


def test_a_policy_that_changed_meanwhile_is_not_published_over(ada: Client) -> None:
    make_sla("gold")
    answer = ada.api("post", "/sla/policies/", {"key": "gold", "document": document(), "base": 0})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert answer.json()["detail"] == "'gold' has changed meanwhile: its newest version is 1. Nothing was published."
    assert versions() == ["gold v1", "office v1"]


def test_auditors_read_administrators_publish_and_others_see_nothing(ada: Client) -> None:
    make_sla("gold")
    auditor = Client().of(make_person("otto", roles=["auditor"]))
    nobody = Client().of(make_person("stan"))
    paths = ("/sla/policies/", "/sla/policies/gold/", "/sla/calendars/", "/sla/calendars/office/")
    assert [auditor.api("get", path).status_code for path in paths] == [200, 200, 200, 200]
    assert [nobody.api("get", path).status_code for path in paths] == [404, 404, 404, 404]
    before = versions()
    for path, body in (
        ("policies", {"key": "x", "document": document()}),
        ("calendars", {"key": "x", "document": OFFICE}),
    ):
        assert auditor.api("post", f"/sla/{path}/", body).status_code == 403
        assert nobody.api("post", f"/sla/{path}/", body).status_code == 404
    assert versions() == before


ENDS = [{"event": "request.completed"}, {"event": "request.rejected"}]
HUGE: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({"durations": 5}, {"document.targets.0.durations": ["Must name a duration for each priority."]}),
    ({"calendar": "moon"}, {"document.targets.0.calendar": ["There is no calendar 'moon'."]}),
    (
        {"calendar": {"of": "team", "else": "moon"}},
        {"document.targets.0.calendar.else": ["There is no calendar 'moon'."]},
    ),
    ({"team": "nowhere"}, {"document.targets.0.team": ["There is no team 'nowhere'."]}),
    ({"color": "red"}, {"document.targets.0.color": ["Unknown key."]}),
    (
        {"on": {"stop": [*ENDS, {"event": "request.complete"}]}},
        {
            "document.targets.0.on.stop.2.event": [
                "There is no event 'request.complete'. Did you mean “request.completed”?"
            ]
        },
    ),
    (
        {"on": {"reset": [{"event": "comment.added", "where": "event.intern"}]}},
        {
            "document.targets.0.on.reset.0.where": [
                "Event comment.added has no field “intern”; it has: internal, comment, step, run."
                " Did you mean “internal”?"
            ]
        },
    ),
    (
        {"on": {"resume": []}},
        {
            "document.targets.0.on.resume": [
                'Once paused this clock would stand for ever: add {"event": "request.resumed"} here.'
            ]
        },
    ),
    (
        {"on": {"stop": [{"event": "request.completed", "where": "request.data.x > 1"}]}},
        {"document.targets.0.on.stop.0.where": ["Only the event may be read here, not request."]},
    ),
]


@pytest.mark.parametrize(("more", "expected"), HUGE)
def test_a_policy_is_refused_by_place(ada: Client, more: dict[str, Any], expected: dict[str, list[str]]) -> None:
    assert errors(ada, "/sla/policies/", {"key": "gold", "document": document(**more)}) == expected


@pytest.mark.parametrize("number", [0, -5, True, "3600", 3600.5, 10**12, None])
def test_a_target_is_a_whole_number_of_seconds(ada: Client, number: Any) -> None:
    durations = {**TARGET["durations"], "low": {"business_seconds": number}}  # type: ignore[dict-item]
    found = errors(ada, "/sla/policies/", {"key": "gold", "document": document(durations=durations)})
    assert found == {"document.targets.0.durations.low": ["Must be a whole number from 1 to 316224000."]}


@pytest.mark.parametrize("number", ["NaN", "1e400", "1" + "0" * 30])
def test_a_number_that_is_none_is_refused_before_anything_reads_it(ada: Client, number: str) -> None:
    body = f'{{"key": "gold", "document": {{"targets": [{{"id": "a", "x": {number}}}]}}}}'.encode()
    said = errors(ada, "/sla/policies/", body)
    assert next(iter(said.values()))[0] in (
        "The body is not JSON: NaN is no number.",
        "This number is too large.",
    )


def test_what_is_nested_ten_thousand_deep_is_refused(ada: Client) -> None:
    body = b'{"key": "gold", "document": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001
    assert errors(ada, "/sla/policies/", body)[""][0].startswith("The body is nested too deeply.")


ESCALATIONS: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({"do": "notify", "to": [{"person": "ghost"}]}, {"to.0": ["There is no active person 'ghost'."]}),
    ({"do": "notify", "to": [{"person": "gone"}]}, {"to.0": ["There is no active person 'gone'."]}),
    ({"do": "notify", "to": [{"role": "king"}]}, {"to.0": ["There is no role 'king'."]}),
    ({"do": "reassign", "to": [{"team": "none"}]}, {"to.0": ["There is no team 'none'."]}),
    ({"do": "reassign", "to": [{"assignee": True}]}, {"to.0": ["Whoever has the request has it already."]}),
    ({"do": "notify", "to": [{"person": 5}]}, {"to.0": ["person is followed by a name of 1 to 150 characters."]}),
    (
        {"do": "notify", "to": [{"manager_of": "me"}]},
        {"to.0": ["manager_of is followed by one of requester, requested_for."]},
    ),
    ({"do": "notify", "to": [{"lead": False}]}, {"to.0": ["lead is followed by true."]}),
    (
        {"do": "run_action", "action": "comment", "with": {}},
        {"with.text": ["Must be text of 1 to 10,000 characters."]},
    ),
    (
        {"do": "run_action", "action": "set_fields", "with": {"fields": {}}},
        {"with.fields": ["Must name 1 to 50 fields and their values."]},
    ),
    ({"do": "run_action", "action": "webhook", "with": {}}, {"action": ["Must be one of comment, set_fields."]}),
]


@pytest.mark.parametrize(("escalation", "expected"), ESCALATIONS)
def test_an_escalation_names_what_is_there(
    ada: Client, escalation: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    make_person("gone", is_active=False)
    more = {"escalations": [{"id": "late", "at": 100, **escalation}]}
    found = errors(ada, "/sla/policies/", {"key": "gold", "document": document(**more)})
    place = "document.targets.0.escalations.0"
    assert found == {f"{place}.{where}": said for where, said in expected.items()}


def test_what_no_workflow_has_is_a_warning_for_the_author(ada: Client) -> None:
    make_team("it")
    make_item("laptop", sla_key="gold")
    targets = [
        {**TARGET, "id": metric, "metric": kind, "of": of}
        for metric, kind, of in (("a", "stage", "work"), ("b", "step", "polish"), ("c", "approval", "work"))
    ]
    where = "event.step == 'work' || event.step in ['polish', 'approve']"
    targets[0]["on"] = {"reset": [{"event": "task.released", "where": where}]}
    made = ada.api("post", "/sla/policies/", {"key": "gold", "document": {"targets": targets}}).json()
    never = "this target never starts."
    assert made["warnings"] == [
        {"place": "targets.1.of", "message": f"No published workflow of laptop has the step 'polish': {never}"},
        {"place": "targets.2.of", "message": f"No published workflow of laptop has the approval 'work': {never}"},
        {
            "place": "targets.0.on.reset.0.where",
            "message": "No published workflow of laptop has the step 'polish': no event fits that.",
        },
    ]
    unused = ada.api("post", "/sla/policies/", {"key": "other", "document": document()}).json()
    said = "No active item selects this policy: it measures nothing yet."
    assert unused["warnings"] == [{"place": "policy", "message": said}]


# ------------------------------------------------------------------------------------ calendars


def test_a_calendar_is_published_as_staff_would_edit_it(ada: Client) -> None:
    told = {
        **OFFICE,
        "holidays": {"2026-12-24": "Company holiday"},
        "overrides": {"2026-12-31": ["09:00-12:00"]},
        "breaks": {"mon": ["12:00-12:30"], "2026-03-02": ["15:00-15:30"]},
    }
    made = ada.api("post", "/sla/calendars/", {"key": "desk", "name": "Help desk", "document": told})
    assert (made.status_code, made.json()["document"]) == (201, told)
    calendar = BusinessCalendar.objects.get(key="desk")
    assert (calendar.name, calendar.week, calendar.breaks) == ("Help desk", WEEK, {"mon": ["12:00-12:30"]})
    del told["holidays"], told["breaks"]
    again = ada.api("post", "/sla/calendars/", {"key": "desk", "document": told, "base": 1}).json()
    assert (again["n"], again["document"]) == (2, {**told, "holidays": {}})
    assert (Holiday.objects.count(), [str(day) for day in SpecialDay.objects.all()]) == (
        0,
        ["2026-12-31 open only 09:00-12:00"],
    )
    assert BusinessCalendar.objects.get(key="desk").name == "Help desk"
    by_id = ada.api("get", f"/sla/calendars/{made.json()['id']}/").json()
    assert (by_id["n"], [one["n"] for one in by_id["versions"]]) == (1, [2, 1])


def edited() -> dict[str, Any]:
    """What staff see of the only calendar they edit."""
    (calendar,) = BusinessCalendar.objects.all()
    rows = [str(row) for part in (calendar.holidays, calendar.special_days) for row in part.all()]
    return {"name": calendar.name, "country": calendar.country, "week": calendar.week, "rows": rows}


DESK = {"key": "desk", "name": "Help desk", "country": "nl"}
OWN = {"holidays": {"2026-12-24": "Company holiday"}, "overrides": {"2026-12-31": ["09:00-12:00"]}}
EDITED = {
    "name": "Help desk",
    "country": "NL",
    "week": WEEK,
    "rows": ["2026-12-24 Company holiday", "2026-12-31 open only 09:00-12:00"],
}


def test_publishing_what_was_read_changes_nothing_at_all(ada: Client) -> None:
    first = ada.api("post", "/sla/calendars/", {**DESK, "document": {**OFFICE, **OWN}}).json()
    assert first["document"]["holidays"][f"{clock.now().year + 10}-01-01"] == "New Year's Day"
    BusinessCalendar.objects.update(week={"mon": ["10:00-11:00"]})  # edited, not frozen yet
    read = ada.api("get", "/sla/calendars/desk/").json()["document"]
    again = ada.api("post", "/sla/calendars/", {"key": "desk", "document": read, "country": "NL"}).json()
    assert (again["n"], again["id"]) == (1, first["id"])
    assert edited() == EDITED | {"week": {"mon": ["10:00-11:00"]}}


def test_a_country_that_is_left_out_is_kept_and_its_holidays_become_no_own_ones(ada: Client) -> None:
    ada.api("post", "/sla/calendars/", {**DESK, "document": {**OFFICE, **OWN}})
    SpecialDay.objects.update(hours="9-12", note="Early")
    read = ada.api("get", "/sla/calendars/desk/").json()["document"]
    read["holidays"] |= {"2026-05-05": "Our own day", "2014-12-25": "Christmas Day"}
    second = ada.api("post", "/sla/calendars/", {"key": "desk", "document": read}).json()
    assert (second["n"], second["document"]["holidays"]) == (2, second["document"]["holidays"] | read["holidays"])
    rows = ["2026-05-05 Our own day", "2026-12-24 Company holiday", "2026-12-31 open only 9-12"]
    assert edited() == EDITED | {"rows": rows}
    assert SpecialDay.objects.get().note == "Early"
    none = ada.api("post", "/sla/calendars/", {"key": "desk", "document": {**OFFICE, **OWN}, "country": ""}).json()
    assert (none["n"], none["document"]["holidays"]) == (3, OWN["holidays"])
    assert edited() == EDITED | {"country": "", "rows": rows[1:]}


def test_hours_of_a_date_that_is_a_holiday_are_a_warning_for_the_author(ada: Client) -> None:
    closed = {"holidays": {"2026-12-24": "Eve", "2026-12-25": "Day"}}
    told: dict[str, Any] = {
        **OFFICE,
        **closed,
        "overrides": {"2026-12-23": ["09:00-12:00"], "2026-12-24": ["09:00-12:00"]},
    }
    told["overrides"]["2026-12-25"] = []  # closed twice is no contradiction
    made = ada.api("post", "/sla/calendars/", {**DESK, "country": "", "document": told}).json()
    said = "2026-12-24 is a holiday (Eve), which closes the date: its own hours do not count."
    assert made["warnings"] == [{"place": "overrides.2026-12-24", "message": said}]


CALENDARS: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    (
        {"week": {"mon": ["09:00-13:00", "12:00-17:00"]}},
        {"document.week.mon": ["These windows overlap."]},
    ),
    ({"week": {"mon": ["17:00"]}}, {"document.week.mon": ["“17:00” is no window such as “09:00-17:00”."]}),
    (
        {"breaks": {"mon": ["13:00-12:00"]}},
        {"document.breaks.mon": ["“13:00-12:00” ends before it starts, or is longer than a day."]},
    ),
    ({"week": {}}, {"document.week": ["The calendar never opens."]}),
    (
        {"time_zone": "Mars/Base"},
        {"document.time_zone": ["“Mars/Base” is no time zone; give an IANA name such as “Europe/Amsterdam”."]},
    ),
    ({"colour": "red"}, {"document.colour": ["Unknown key."]}),
    ({"holidays": {"2026-02-30": "x"}}, {"document.holidays.2026-02-30": ["No date such as “2026-12-25”."]}),
    ({"holidays": {"2026-02-28": "x" * 121}},
     {"document.holidays.2026-02-28.name": ["Ensure this value has at most 120 characters (it has 121)."]}),
]  # fmt: skip


@pytest.mark.parametrize(("more", "expected"), CALENDARS)
def test_a_calendar_is_refused_by_place(ada: Client, more: dict[str, Any], expected: dict[str, list[str]]) -> None:
    assert errors(ada, "/sla/calendars/", {"key": "desk", "document": {**OFFICE, **more}}) == expected
    assert BusinessCalendar.objects.count() == 0


BESIDE: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({"key": "a b"}, {"key": ["Enter a valid “slug” consisting of letters, numbers, underscores or hyphens."]}),
    ({"country": "XX"}, {"country": ["No holidays are known for 'XX'."]}),
    ({"base": -1}, {"base": ["This must be the number of a version, or 0."]}),
    ({"colour": "red"}, {"colour": ["There is no such field."]}),
]


@pytest.mark.parametrize(("more", "expected"), BESIDE)
def test_what_stands_beside_a_calendar_is_refused_by_field(
    ada: Client, more: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    assert errors(ada, "/sla/calendars/", {"key": "desk", "document": OFFICE, **more}) == expected


# ------------------------------------------------------------------------------------ computing

COMPUTE = "/sla/calendars/office/compute/"
MONDAY = "2026-03-02T16:00:00+01:00"
NOW = {"calendar": {"key": "office", "n": 1}, "due_at": None, "open_seconds": None, "intervals": None}


def test_everybody_who_is_signed_in_may_ask_a_calendar(world: World) -> None:
    make_calendar()
    stan = world.client("stan")
    due = stan.api("post", COMPUTE, {"start": MONDAY, "seconds": 7200}).json()
    assert due == {**NOW, "due_at": "2026-03-03T09:00:00Z"}
    back = stan.api("post", COMPUTE, {"start": MONDAY, "seconds": -28_800}).json()
    assert back == {**NOW, "due_at": "2026-02-27T15:00:00Z"}
    counted = stan.api("post", COMPUTE, {"start": MONDAY, "end": "2026-03-03T10:00:00+01:00"}).json()
    assert counted == {**NOW, "open_seconds": 7200}
    told = stan.api("post", COMPUTE, {"start": MONDAY, "seconds": 7200, "intervals": True}).json()["intervals"]
    assert [(one["from"][:13], one["to"][:13], one["why"]) for one in told] == [
        ("2026-03-02T15", "2026-03-02T16", "open"),
        ("2026-03-02T16", "2026-03-03T08", "closed"),
        ("2026-03-03T08", "2026-03-03T09", "open"),
    ]
    assert stan.api("post", "/sla/calendars/moon/compute/", {"start": MONDAY, "seconds": 1}).status_code == 404
    assert Client().api("post", COMPUTE, {"start": MONDAY, "seconds": 1}).status_code == 401


def test_a_reversed_pair_has_no_stretches_and_counting_backwards_has_some(ada: Client) -> None:
    before = "2026-03-02T15:00:00+01:00"
    reversed_pair = ada.api("post", COMPUTE, {"start": MONDAY, "end": before, "intervals": True}).json()
    assert reversed_pair == {**NOW, "open_seconds": 0, "intervals": []}
    back = ada.api("post", COMPUTE, {"start": MONDAY, "seconds": -3600, "intervals": True}).json()
    span = {"from": "2026-03-02T14:00:00Z", "to": "2026-03-02T15:00:00Z", "why": "open"}
    assert back == {**NOW, "due_at": "2026-03-02T14:00:00Z", "intervals": [span]}


OFFSET = "2026-03-02T10:00:00+01:00"
QUESTIONS: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({}, {"start": ["This field is required."]}),
    ({"start": MONDAY}, {"seconds": ["Give either seconds or an end."]}),
    ({"start": MONDAY, "seconds": 1, "end": MONDAY}, {"seconds": ["Give either seconds or an end."]}),
    (
        {"start": "2026-03-02T10:00", "seconds": 1},
        {"start": [f"This time has no offset from UTC: {OFFSET} has one."]},
    ),
    ({"start": MONDAY, "end": "2026-03-02"}, {"end": [f"This time has no offset from UTC: {OFFSET} has one."]}),
    ({"start": "soon", "seconds": 1}, {"start": [f"This must be a time such as {OFFSET}."]}),
    ({"start": 5, "seconds": 1}, {"start": ["This must be text."]}),
    ({"start": MONDAY, "seconds": "1"}, {"seconds": ["This must be a number."]}),
    ({"start": MONDAY, "seconds": True}, {"seconds": ["This must be a number."]}),
    ({"start": MONDAY, "seconds": 10**12}, {"seconds": ["This must be from -316224000 to 316224000."]}),
    ({"start": MONDAY, "seconds": 10**30}, {"seconds": ["This number is too large."]}),
    ({"start": "0001-01-01T00:00:00+01:00", "seconds": 1}, {"start": ["The year must be from 1900 to 9998."]}),
    (
        {"start": "9000-01-01T00:00:00Z", "seconds": 1},
        {"start": ["This leads out of the years 1900 to 2500."]},
    ),
    (
        {"start": MONDAY, "end": "2099-03-02T10:00:00Z", "intervals": True},
        {"intervals": ["There are 38,091 stretches; at most 2,000 are given."]},
    ),
]


@pytest.mark.parametrize(("body", "expected"), QUESTIONS)
def test_a_question_is_refused_by_field(ada: Client, body: dict[str, Any], expected: dict[str, list[str]]) -> None:
    assert errors(ada, COMPUTE, body) == expected


def test_lists_cost_the_same_with_one_and_with_three_rows(ada: Client, django_assert_num_queries: Any) -> None:
    for keys in (["a"], ["b", "c"]):
        for key in keys:
            make_sla(key)
            make_calendar(key)
        for path in ("/sla/policies/", "/sla/calendars/"):
            with django_assert_num_queries(3):
                ada.api("get", path)
        with django_assert_num_queries(5):
            ada.api("get", "/sla/policies/a/")
