import pytest
from django.test import Client
from django.utils.html import escape

from apps.calendars.models import BusinessCalendar, CalendarVersion
from apps.core.admin_parts import as_text
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


def test_the_button_saves_and_then_freezes_a_version(client: Client, calendar: BusinessCalendar) -> None:
    url = address(BusinessCalendar, "change", calendar.pk)
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


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("week", '{"mon": ["17:00-09:00", "12:00"]}', "week.mon"),
        ("week", "{}", "This field is required."),
        ("week", "[", "Line 1"),
        ("time_zone", "Europe/Nowhere", "Europe/Nowhere"),
        ("country", "XX", "No holidays are known for 'XX'."),
    ],
)
def test_what_cannot_be_computed_with_is_refused_beside_its_field(
    client: Client, calendar: BusinessCalendar, field: str, value: str, problem: str
) -> None:
    url = address(BusinessCalendar, "change", calendar.pk)
    answer = client.post(url, filled_in(client.get(url), **{field: value, FREEZE: "1"}))
    errors = errors_of(answer)
    assert list(errors) == [field]
    assert problem in errors[field][0]
    assert BusinessCalendar.objects.get().week == WEEK
    assert not CalendarVersion.objects.exists()


def test_a_text_that_is_refused_is_shown_again_as_it_was_typed(client: Client, calendar: BusinessCalendar) -> None:
    url = address(BusinessCalendar, "change", calendar.pk)
    answer = client.post(url, filled_in(client.get(url), week='{"mon":   [}'))
    assert "{&quot;mon&quot;:   [}" in answer.content.decode()


def test_a_calendar_that_its_holidays_close_for_ever_is_saved_but_not_frozen(client: Client) -> None:
    calendar = BusinessCalendar.objects.create(key="never", name="Never", time_zone="UTC", week={})
    url = address(BusinessCalendar, "change", calendar.pk)
    answer = client.get(url)
    assert "sf-bad" in answer.content.decode()
    assert not CalendarVersion.objects.exists()


def test_the_week_can_be_read_with_what_the_next_days_are_like(client: Client, calendar: BusinessCalendar) -> None:
    text = client.get(address(BusinessCalendar, "change", calendar.pk)).content.decode()
    assert text.count("<td>09:00-17:00</td>") == 14
    assert "Never frozen" in text


def test_the_week_is_written_as_people_read_it(client: Client, calendar: BusinessCalendar) -> None:
    page = client.get(address(BusinessCalendar, "change", calendar.pk))
    assert escape(as_text(WEEK)) in page.content.decode()
