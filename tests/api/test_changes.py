"""The log of changes names whose token it was."""

from __future__ import annotations

from typing import Any

import pytest
from auditlog.context import auditlog_value
from auditlog.models import LogEntry

from apps.calendars.models import BusinessCalendar
from tests.api.conftest import Client
from tests.api.test_sla import OFFICE
from tests.factories import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
BODY: dict[str, Any] = {"key": "desk", "document": OFFICE}


def names(kind: str) -> list[tuple[str, str | None]]:
    """What is changed in the log, and by whom, oldest first."""
    entries = LogEntry.objects.filter(content_type__model=kind).order_by("pk").select_related("actor")
    return [(str(entry.object_repr), entry.actor and entry.actor.username) for entry in entries]


def test_what_is_published_with_a_token_is_logged_under_its_name() -> None:
    ada, bert = (Client().of(make_person(name, roles=["administrator"])) for name in ("ada", "bert"))
    assert ada.api("post", "/sla/calendars/", BODY).status_code == 201
    assert bert.api("post", "/sla/calendars/", {**BODY, "country": "NL"}).status_code == 201
    assert names("businesscalendar") == [("desk", "ada"), ("desk", "bert")]
    assert names("calendarversion") == [("desk v1", "ada"), ("desk v2", "bert")]
    assert {entry.remote_addr for entry in LogEntry.objects.filter(actor__isnull=False)} == {"127.0.0.1"}


def test_after_the_call_nobody_is_named_also_where_it_was_refused() -> None:
    ada = Client().of(make_person("ada", roles=["administrator"]))
    for body, status in ((BODY, 201), ({**BODY, "country": "XX"}, 400)):
        assert ada.api("post", "/sla/calendars/", body).status_code == status
        assert auditlog_value.get()["actor"] is None
        BusinessCalendar.objects.create(key=f"own-{status}", name=f"Own {status}", week={})
    assert names("businesscalendar") == [("desk", "ada"), ("Own 201", None), ("Own 400", None)]


def test_a_token_counts_and_not_the_session_beside_it() -> None:
    client = Client().of(make_person("ada", roles=["administrator"]))
    client.force_login(make_person("bert"))
    assert client.api("post", "/sla/calendars/", BODY).status_code == 201
    assert names("businesscalendar") == [("desk", "ada")]
