"""Requests carried over to new versions, through the API."""

from __future__ import annotations

import pytest

from apps.outbox.models import Event
from apps.requests.models import Rebasing, Request
from apps.requests.services.rebasing_worker import run_rebasings
from apps.sla.models import SlaClock, SlaPolicyVersion
from tests.api.conftest import Client
from tests.factories import make_calendar, make_person, make_sla

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def admin(world):
    return Client().of(make_person("boss", roles=["administrator"]))


def test_a_look_is_applied_by_a_worker_and_its_progress_can_be_read(world, admin):
    request = world.ask()
    make_sla("laptop", resolution_s=60)
    look = admin.api("post", "/sla/rebase/preview/", {"policy": "laptop", "n": 2, "retroactive": False})
    assert look.status_code == 201
    said = look.json()
    assert (said["status"], said["total"], said["moved"], said["target"]) == ("looked_at", 1, 1, "policy:laptop")
    assert [one["target"] for one in said["shown"]] == ["resolution"]
    assert not Event.objects.filter(type="sla.rebased").exists()
    applied = admin.api("post", "/sla/rebase/", {"id": said["id"]})
    assert (applied.status_code, applied.json()["status"]) == (202, "changing")
    run_rebasings()
    done = admin.api("get", f"/sla/rebase/{said['id']}/").json()
    assert (done["status"], done["changed"], done["failed"]) == ("done", 1, 0)
    assert SlaClock.objects.get(stream_id=request.pk, target="resolution").allowed == 60


def test_a_look_names_clocks_that_would_begin_and_requests_that_cannot_be_measured(world, admin):
    sound, broken = world.ask(), world.ask()
    pins = {**Request.objects.get(pk=broken.pk).pins, "calendars": {"office": 999_999}}
    Request.objects.filter(pk=broken.pk).update(pins=pins)
    make_calendar()
    levels = ("critical", "high", "medium", "low")
    new = {"id": "new", "metric": "resolution", "calendar": "office"}
    new["durations"] = {level: {"business_seconds": 3600} for level in levels}
    document = SlaPolicyVersion.objects.get(key="laptop").document
    SlaPolicyVersion.freeze("laptop", {**document, "targets": [*document["targets"], new]})
    said = admin.api("post", "/sla/rebase/preview/", {"policy": "laptop", "retroactive": True}).json()
    assert (said["status"], said["begun"], said["moved"], said["unmeasured"]) == ("looked_at", 1, 0, 1)
    (begun,) = said["shown"]
    assert (begun["number"], begun["target"], begun["status"], begun["new_status"]) == (
        sound.number, "new", None, "running",
    )  # fmt: skip
    assert said["reasons"] == [{"number": broken.number, "reason": "CalendarVersion matching query does not exist."}]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "policy"),
        ({"policy": "laptop", "calendar": "office"}, "policy"),
        ({"policy": "nowhere"}, "policy"),
        ({"calendar": "nowhere"}, "calendar"),
        ({"policy": "laptop"}, "policy"),
        ({"policy": "laptop", "n": 7}, "n"),
        ({"policy": "laptop", "n": -1}, "n"),
        ({"policy": "laptop", "n": 10**20}, "n"),
        ({"policy": ["laptop"]}, "policy"),
        ({"policy": "laptop", "retroactive": "yes"}, "retroactive"),
    ],
)
def test_an_unfit_look_is_refused_by_field(world, admin, body, field):
    answer = admin.api("post", "/sla/rebase/preview/", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert not Rebasing.objects.exists()


def test_what_was_never_looked_at_cannot_be_applied(world, admin):
    assert admin.api("post", "/sla/rebase/", {"id": 12345}).json()["errors"] == {"id": ["There is no such look."]}
    assert admin.api("post", "/sla/rebase/", {"id": 10**20}).status_code == 400
    assert admin.api("get", "/sla/rebase/12345/").status_code == 404


def test_only_administrators_look_and_apply(world):
    make_sla("laptop", resolution_s=60)
    auditor = Client().of(make_person("otto", roles=["auditor"]))
    for api, status in ((world.client("ivo"), 404), (auditor, 403)):  # as for the policies themselves
        answers = [
            api.api("post", "/sla/policies/", {"key": "x", "document": {}}),
            api.api("post", "/sla/rebase/preview/", {"policy": "laptop"}),
            api.api("post", "/sla/rebase/", {"id": 1}),
            api.api("get", "/sla/rebase/1/"),
        ]
        assert [one.status_code for one in answers] == [status] * 4
    assert not Rebasing.objects.exists()
