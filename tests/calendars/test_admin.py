from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from apps.calendars.models import BusinessCalendar, CalendarVersion, Holiday, SpecialDay
from apps.calendars.services import freeze_calendar
from apps.core import clock
from tests.calendars.test_ics import CHRISTMAS, ics
from tests.core.admin_pages import address, admin_client, errors_of, filled_in, said

pytestmark = pytest.mark.django_db
WEEK = {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
FREEZE = "calendars_businesscalendar_freeze"


@pytest.fixture
def client() -> Client:
    return admin_client()[0]


@pytest.fixture
def calendar() -> BusinessCalendar:
    return BusinessCalendar.objects.create(key="office", name="Office", time_zone="Europe/Amsterdam", week=WEEK)


def page_of(calendar: BusinessCalendar) -> str:
    return address(BusinessCalendar, "change", calendar.pk)


def save(client: Client, calendar: BusinessCalendar, **changes: Any) -> HttpResponse:
    return client.post(page_of(calendar), filled_in(client.get(page_of(calendar)), **changes), follow=True)


def look_at(client: Client, calendar: BusinessCalendar, **asked: Any) -> HttpResponse:
    return client.get(reverse("admin:calendars_businesscalendar_look", args=[calendar.pk]), asked)


def send_file(client: Client, calendar: BusinessCalendar, data: bytes) -> HttpResponse:
    url = reverse("admin:calendars_businesscalendar_import_holidays", args=[calendar.pk])
    return client.post(url, {"file": SimpleUploadedFile("days.ics", data)})


# ------------------------------------------------------------------------------------ hours


def test_the_button_saves_and_then_freezes_a_version(client: Client, calendar: BusinessCalendar) -> None:
    url = page_of(calendar)
    sent = filled_in(client.get(url), country="nl", **{FREEZE: "1"})
    answer = client.post(
        url, sent | {"holidays-TOTAL_FORMS": 1, "holidays-0-date": "2026-12-24", "holidays-0-name": "Eve"}, follow=True
    )
    version = CalendarVersion.objects.get()
    assert said(answer)[-1] == "Frozen as office v1. Requests submitted from now on are measured by it."
    assert version.document["holidays"]["2026-12-24"] == "Eve"
    assert version.document["holidays"]["2026-04-27"] == "King's Day"
    assert version.created_by == f"user:{answer.wsgi_request.user.pk}"
    again = client.post(url, filled_in(client.get(url), **{FREEZE: "1"}), follow=True)
    assert said(again)[-1] == "Nothing changed since office v1."
    assert CalendarVersion.objects.count() == 1


def test_a_week_is_typed_as_people_write_hours(client: Client) -> None:
    url = address(BusinessCalendar, "add")
    typed = {"open_mon": "9-12:30, 13:00-17:00", "break_mon": "10:00-10:15", "open_sat": "22:00 – 06:00"}
    client.post(url, filled_in(client.get(url), key="new", name="New", time_zone="Asia/Dubai", **typed))
    made = BusinessCalendar.objects.get()
    assert made.week == {"mon": ["09:00-12:30", "13:00-17:00"], "sat": ["22:00-06:00"]}
    assert made.breaks == {"mon": ["10:00-10:15"]}
    shown = client.get(page_of(made)).context["adminform"].form
    assert [shown[field].value() for field in ("open_mon", "break_mon", "open_sat", "open_sun")] == [
        "09:00-12:30, 13:00-17:00",
        "10:00-10:15",
        "22:00-06:00",
        "",
    ]


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("open_mon", "09:00-09:00", "“09:00-09:00” ends before it starts, or is longer than a day."),
        ("open_mon", "soon", "“soon” is no window such as “09:00-17:00”."),
        ("open_mon", "09:00-12:00, 11:00-13:00", "These windows overlap."),
        ("open_mon", "22:00-09:30", "Runs into the first window of the next day: they overlap."),
        ("break_tue", "13:00-12:00", "“13:00-12:00” ends before it starts, or is longer than a day."),
        ("time_zone", "Nowhere", "“Nowhere” is no time zone; give an IANA name such as “Europe/Amsterdam”."),
        ("time_zone", "localtime", "“localtime” is no time zone; give an IANA name such as “Europe/Amsterdam”."),
        ("country", "XX", "No holidays are known for 'XX'."),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_with_is_refused_beside_its_field(
    client: Client, calendar: BusinessCalendar, field: str, value: str, problem: str
) -> None:
    answer = save(client, calendar, **{field: value, FREEZE: "1"})
    assert errors_of(answer) == {field: [problem]}
    assert answer.context["adminform"].form[field].value() == value
    assert BusinessCalendar.objects.get().week == WEEK
    assert not CalendarVersion.objects.exists()


def test_a_week_that_never_opens_is_refused(client: Client, calendar: BusinessCalendar) -> None:
    answer = save(client, calendar, **{f"open_{day}": "" for day in WEEK})
    assert errors_of(answer) == {"__all__": ["The calendar never opens."]}
    assert BusinessCalendar.objects.get().week == WEEK


def test_the_week_can_be_read_with_what_the_next_days_are_like(client: Client, calendar: BusinessCalendar) -> None:
    text = client.get(page_of(calendar)).content.decode()
    assert text.count("<td>09:00-17:00</td>") == 14
    assert "Never frozen" in text


def test_a_saved_week_that_never_opens_is_said_on_its_page(client: Client) -> None:
    calendar = BusinessCalendar.objects.create(key="never", name="Never", time_zone="UTC", week={})
    assert "sf-bad" in client.get(page_of(calendar)).content.decode()


# ------------------------------------------------------------------------------------ single dates


def special(day: str, kind: str, hours: str) -> dict[str, Any]:
    row = {"date": day, "kind": kind, "hours": hours, "note": ""}
    return {"special_days-TOTAL_FORMS": 1} | {f"special_days-0-{key}": value for key, value in row.items()}


def test_hours_and_breaks_of_single_dates_are_frozen_with_the_week(client: Client, calendar: BusinessCalendar) -> None:
    save(client, calendar, **special("2026-12-24", "hours", "9-12"))
    SpecialDay.objects.create(calendar=calendar, date=date(2026, 12, 23), hours="10:00-11:00")
    SpecialDay.objects.create(calendar=calendar, date=date(2026, 12, 30), kind="break", hours="12:00-12:30")
    SpecialDay.objects.create(calendar=calendar, date=date(2026, 12, 31))
    document = freeze_calendar(calendar).document
    assert document["breaks"] == {"2026-12-30": ["12:00-12:30"]}
    assert document["overrides"] == {
        "2026-12-23": ["10:00-11:00"],
        "2026-12-24": ["09:00-12:00"],
        "2026-12-31": [],
    }


@pytest.mark.parametrize(
    ("kind", "hours", "problem"),
    [
        ("hours", "12:00", "“12:00” is no window such as “09:00-17:00”."),
        ("hours", "9-12, 11-13", "These windows overlap."),
        ("break", "", "A break needs its hours, such as “12:00-12:30”."),
        ("break", "13:00-12:00", "“13:00-12:00” ends before it starts, or is longer than a day."),
    ],
)
def test_hours_of_a_date_that_cannot_be_read_are_refused(
    client: Client, calendar: BusinessCalendar, kind: str, hours: str, problem: str
) -> None:
    answer = save(client, calendar, **special("2026-12-24", kind, hours))
    formset = answer.context["inline_admin_formsets"][1].formset
    assert formset.errors == [{"hours": [problem]}]
    assert not SpecialDay.objects.exists()


def test_hours_of_a_date_that_is_a_holiday_are_saved_with_a_warning(client: Client, calendar: BusinessCalendar) -> None:
    day = f"{clock.now().year}-12-25"
    answer = save(client, calendar, country="nl", **special(day, "hours", "9-12"))
    warning = f"{day} is a holiday (Christmas Day), which closes the date: its own hours do not count."
    assert said(answer)[0] == warning
    assert str(SpecialDay.objects.get()) == f"{day} open only 9-12"
    assert warning not in said(save(client, calendar, country=""))


# ------------------------------------------------------------------------------------ looking and trying


def test_the_holidays_of_a_year_are_listed_before_they_are_frozen(client: Client, calendar: BusinessCalendar) -> None:
    BusinessCalendar.objects.update(country="NL")
    Holiday.objects.create(calendar=calendar, date="2027-12-24", name="Eve")
    text = look_at(client, calendar, year=2027).context["holidays"]
    assert "<td>2027-04-27</td><td>Tuesday</td><td>King&#x27;s Day</td><td>NL</td>" in text
    assert "<td>2027-12-24</td><td>Friday</td><td>Eve</td><td>own</td>" in text
    assert "2026-" not in text
    assert look_at(client, calendar, year="1").context["year_form"].errors["year"]


def test_single_dates_of_a_year_are_listed_and_marked_where_a_holiday_closes_them(
    client: Client, calendar: BusinessCalendar
) -> None:
    BusinessCalendar.objects.update(country="NL")
    for day, kind, hours in (
        ("2027-04-27", "hours", "9-12"),
        ("2027-12-24", "hours", ""),
        ("2027-12-30", "break", "12-13"),
        ("2028-04-27", "hours", "9-12"),
    ):
        SpecialDay.objects.create(calendar=calendar, date=day, kind=kind, hours=hours, note="Fair")
    text = look_at(client, calendar, year=2027).context["single_dates"]
    marked = '<span class="sf-bad">no: a holiday (King&#x27;s Day)</span>'
    assert f"<td>Tue 2027-04-27</td><td>open only</td><td>9-12</td><td>Fair</td><td>{marked}</td>" in text
    assert "<td>Fri 2027-12-24</td><td>open only</td><td>closed</td><td>Fair</td><td>yes</td>" in text
    assert "<td>Thu 2027-12-30</td><td>break</td><td>12-13</td><td>Fair</td><td>yes</td>" in text
    assert "2028-" not in text
    assert look_at(client, calendar, year=2030).context["single_dates"] == "No single dates in 2030."


TRY = {"start": "2026-03-02T16:00+01:00", "length": "2", "unit": "hours", "of": "edited"}


def test_a_deadline_is_tried_with_every_stretch_and_why(client: Client, calendar: BusinessCalendar) -> None:
    answer = look_at(client, calendar, **TRY).context["answer"]
    assert (answer["due"], answer["counted"]) == ("Tue 03 Mar 2026 10:00 CET", "2:00 h")
    assert answer["spans"].count("<td>counted</td>") == 2
    assert "<td>16:00 h</td><td>no: closed</td>" in answer["spans"]


def test_a_holiday_that_is_in_the_way_bears_its_name(client: Client, calendar: BusinessCalendar) -> None:
    Holiday.objects.create(calendar=calendar, date="2026-03-03", name="Fair")
    answer = look_at(client, calendar, **TRY).context["answer"]
    assert "<td>24:00 h</td><td>no: holiday (Fair)</td>" in answer["spans"]


def test_it_is_tried_with_what_was_frozen_or_is_edited(client: Client, calendar: BusinessCalendar) -> None:
    freeze_calendar(calendar)
    BusinessCalendar.objects.update(week={day: ["12:00-17:00"] for day in WEEK})
    dues = [look_at(client, calendar, **TRY | {"of": of}).context["answer"]["due"] for of in ("edited", "1")]
    assert dues == ["Tue 03 Mar 2026 13:00 CET", "Tue 03 Mar 2026 10:00 CET"]


def test_business_days_and_minutes_are_units_of_their_own(client: Client, calendar: BusinessCalendar) -> None:
    found = [look_at(client, calendar, **TRY | {"unit": unit}).context["answer"]["due"] for unit in ("days", "minutes")]
    assert found == ["Wed 04 Mar 2026 16:00 CET", "Mon 02 Mar 2026 16:02 CET"]


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("start", "2026-03-02T16:00", "This time has no offset from UTC; write for example “2026-03-02T10:00+01:00”."),
        ("start", "2026-02-30T16:00+01:00", "No time such as “2026-03-02T10:00+01:00”."),
        ("start", "9999-03-02T16:00+01:00", "This leads out of the years 1900 to 2500."),
        ("length", "-1", "Ensure this value is greater than or equal to 0."),
        ("length", "10001", "At most 10,000 business hours can be tried."),
        ("length", "NaN", "Enter a number."),
        ("of", "7", "Select a valid choice. 7 is not one of the available choices."),
    ],
)
def test_what_cannot_be_tried_is_refused_beside_its_field(
    client: Client, calendar: BusinessCalendar, field: str, value: str, problem: str
) -> None:
    shown = look_at(client, calendar, **TRY | {field: value})
    assert shown.context["answer"] is None
    assert shown.context["try_form"].errors == {field: [problem]}


# ------------------------------------------------------------------------------------ holidays from a file


def test_a_file_is_shown_first_and_its_days_are_added_when_somebody_says_so(
    client: Client, calendar: BusinessCalendar
) -> None:
    Holiday.objects.create(calendar=calendar, date="2026-12-26", name="Own name")
    shown = send_file(client, calendar, ics(CHRISTMAS))
    assert shown.context["new"] == 1
    assert "<td>Friday</td><td>Christmas</td><td>new</td>" in shown.context["found"]
    assert Holiday.objects.count() == 1
    answer = client.post(shown.wsgi_request.path, {"preview": shown.context["signed"]}, follow=True)
    assert said(answer) == ["Holidays added: 1; there already: 1. Freeze a version to use them."]
    assert list(calendar.holidays.values_list("date", "name")) == [
        (date(2026, 12, 25), "Christmas"),
        (date(2026, 12, 26), "Own name"),
    ]


def test_a_broken_file_is_refused_and_adds_nothing(client: Client, calendar: BusinessCalendar) -> None:
    for data, reason in (
        (b"", "This is no calendar file: it has no BEGIN:VCALENDAR."),
        (b"\xff", "This is not UTF-8 (byte 1)."),
    ):
        assert send_file(client, calendar, data).context["form"].errors == {"file": [reason]}
    assert not Holiday.objects.exists()


def test_a_preview_that_was_changed_or_is_of_another_calendar_adds_nothing(
    client: Client, calendar: BusinessCalendar
) -> None:
    other = BusinessCalendar.objects.create(key="other", name="Other", week=WEEK)
    shown = send_file(client, calendar, ics(CHRISTMAS))
    signed = shown.context["signed"]
    for of, preview in ((calendar, signed + "x"), (other, signed)):
        url = reverse("admin:calendars_businesscalendar_import_holidays", args=[of.pk])
        answer = client.post(url, {"preview": preview}, follow=True)
        assert said(answer) == ["This preview is too old or was changed; read the file again."]
    assert not Holiday.objects.exists()
