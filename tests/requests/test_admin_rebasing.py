"""The pages on which administrators carry open requests over to a new version."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from apps.calendars.models import BusinessCalendar
from apps.calendars.services import freeze_calendar
from apps.outbox.models import Event
from apps.requests.models import Rebasing, Request
from apps.requests.services.rebasing_worker import run_rebasings
from apps.sla.models import SlaClock, SlaPolicyVersion
from tests.core.admin_pages import admin_client
from tests.factories import make_calendar, make_request, make_sla
from tests.requests.test_clocks import LEVELS, policy, resolution

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
ASK = "/admin/requests/rebasing/ask/"


def text_of(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer
    return answer.content.decode()


def test_a_policy_is_looked_at_applied_and_its_result_shown(world):
    request = make_request(world.item, world.requester)
    make_sla(resolution_s=60)
    client, _ = admin_client()
    page = text_of(client, f"{ASK}?policy=standard")
    assert "1 open request still runs on earlier versions." in page
    assert not Rebasing.objects.exists()
    answer = client.post(f"{ASK}?policy=standard", {"mode": "now"})
    row = Rebasing.objects.get()
    assert answer["Location"] == f"/admin/requests/rebasing/{row.pk}/change/"
    page = text_of(client, answer["Location"])
    assert "1 of 2 clocks move, 0 begin, 0 would now be breached, 0 no longer; 0 waits and deadlines move." in page
    assert request.number in page
    assert "Apply to 1 request<" in page
    assert not Event.objects.filter(type="sla.rebased").exists()
    assert client.get(f"/admin/requests/rebasing/{row.pk}/apply/").status_code == 302
    assert Rebasing.objects.get().status == "looked_at"
    client.post(f"/admin/requests/rebasing/{row.pk}/apply/")
    assert "Being applied: 0 of 1 requests." in text_of(client, answer["Location"])
    run_rebasings()
    assert "Applied: 1 request carried over." in text_of(client, answer["Location"])
    assert SlaClock.objects.get(stream_id=request.pk, target="resolution").allowed == 60


def test_what_would_begin_and_what_cannot_be_measured_are_listed(world):
    policy("standard", resolution())
    sound, broken = (make_request(world.item, world.requester) for _ in range(2))
    Request.objects.filter(pk=broken.pk).update(pins={**broken.pins, "calendars": {"office": 999_999}})
    make_calendar()
    durations = {level: {"business_seconds": 9000} for level in LEVELS}
    policy("standard", resolution(), resolution(id="new", name="Back in stock", calendar="office", durations=durations))
    client, _ = admin_client()
    client.post(f"{ASK}?policy=standard", {"mode": "retroactive"})
    page = text_of(client, f"/admin/requests/rebasing/{Rebasing.objects.get().pk}/change/")
    assert "0 of 2 clocks move, 1 begin, 0 would now be breached, 0 no longer; 0 waits and deadlines move." in page
    assert "would begin" in page
    assert f"{sound.number} Back in stock" in re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "1 request cannot be measured by the new version." in page
    assert "Applied, it would stay on its version, with an incident." in page
    assert "CalendarVersion matching query does not exist." in page
    assert page.index(sound.number) < page.index(broken.number)


def test_a_holiday_frozen_in_the_admin_leads_to_the_page_of_the_calendar(world):
    calendar = BusinessCalendar.objects.create(key="office", name="Office", week={"mon": ["09:00-17:00"]})
    freeze_calendar(calendar)
    policy("standard", resolution(calendar="office", durations={p: {"business_seconds": 9000} for p in LEVELS}))
    make_request(world.item, world.requester)
    calendar.holidays.create(date="2030-01-07", name="Moving")
    version = freeze_calendar(calendar)
    client, _ = admin_client()
    path = f"/admin/calendars/calendarversion/{version.pk}/carry-over/"
    assert client.get(path)["Location"] == f"{ASK}?calendar=office"
    assert "1 open request still runs" in text_of(client, f"{ASK}?calendar=office")


def test_a_version_without_a_forerunner_and_an_unknown_key_are_refused_in_words(world):
    client, _ = admin_client()
    assert "there is nothing to replace" in text_of(client, f"{ASK}?policy=standard")
    assert "There is no such key" in text_of(client, f"{ASK}?calendar=%00nowhere")
    assert client.get(ASK).status_code == 404
    assert client.get("/admin/requests/rebasing/99/change/").status_code == 404


def test_staff_who_are_no_administrators_do_not_get_the_page(world):
    make_sla(resolution_s=60)
    client, person = admin_client(is_superuser=False)
    assert client.get(f"{ASK}?policy=standard").status_code == 403
    assert client.post(f"{ASK}?policy=standard", {"mode": "now"}).status_code == 403
    assert not Rebasing.objects.exists()
    assert SlaPolicyVersion.objects.count() == 2
    assert person.is_staff
