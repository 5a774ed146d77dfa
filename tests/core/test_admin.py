"""Every page of the admin: it opens, runtime tables cannot be written, lists do not get slower with their rows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.delegations import Terms, create_delegation
from apps.approvals.models import ApprovalPolicyVersion
from apps.calendars.models import BusinessCalendar, CalendarVersion
from apps.core import clock
from apps.core.admin import ReadOnlyAdmin
from apps.core.models import KeyedVersion
from apps.notifications.models import Notification
from apps.outbox.models import Event, Incident, Stream
from apps.outbox.relay import place_events
from apps.requests.models import ImportedCase, Rebasing, Request
from apps.requests.services.decisions import record_decision
from apps.requests.services.work import claim_task
from apps.workflows.models import ActionCall, KeyClaim, Task, Timer, WorkflowRun
from apps.workflows.services.secrets import set_secret
from serviceflow.admin_menu import GROUPS
from tests.core.admin_pages import address, admin_client
from tests.factories import (
    MANAGER_LEVEL,
    line_document,
    make_calendar,
    make_item,
    make_person,
    make_request,
    make_sla,
    make_team,
    make_workflow,
)

pytestmark = pytest.mark.django_db
SITE = admin.site._registry
READ_ONLY = [model for model, page in SITE.items() if isinstance(page, ReadOnlyAdmin)]
RUNTIME = {
    "Stream", "Event", "Note", "Delivery", "Incident", "WorkflowRun", "StepVisit", "Task", "Timer", "Approval",
    "SlaClock", "Request", "RequestParticipant", "ImportedCase", "Rebasing", "Notification",
    "KeyClaim", "ActionCall", "Delegation",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Hundreds of refusals are asked for here: their log lines would take longer than the pages."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def client() -> Client:
    """The superuser's browser, in a world with at least three rows of everything."""
    browser, ada = admin_client()
    boss = make_person("boss", manager=ada)
    ann, bob = make_person("ann", roles=["one", "two", "three"], manager=boss), make_person("bob", manager=boss)
    for key in ("it", "hr", "finance"):
        make_team(key, bob, lead=boss)
        make_sla(key)
        make_calendar(key)
        make_workflow(line_document(key))
        week = {"mon": ["09:00-17:00"]}
        BusinessCalendar.objects.create(key=key, name=key, time_zone="UTC", week=week)
        ApprovalPolicyVersion.freeze(key, {"levels": [MANAGER_LEVEL]})
        set_secret(key, value="hidden", actor=None)
    first = make_item("thing", sla_key="it")
    items = [
        first,
        *(make_item(slug, sla_key="it", workflow=first.rules.get().workflow) for slug in ("other", "third")),
    ]
    for request in [make_request(item, ann) for item in items]:
        approval = request.stream.approvals.get()
        record_decision(approval, verdict="approve", comment="fine", actor=boss)
    claim_task(Task.objects.latest("pk"), actor=bob)
    for day in range(3):
        away = clock.now() + timedelta(days=1 + 2 * day)
        create_delegation(boss, Terms(deputy=bob, starts_at=away, ends_at=away + timedelta(days=1)))
    place_events()
    for run in WorkflowRun.objects.all():
        _rest(run, ann.pk)
    return browser


def _rest(run: WorkflowRun, told: int) -> None:
    """What this world's requests do not bring about by themselves."""
    now = clock.now()
    stream, event = run.stream, run.stream.events.latest("seq")
    Timer.objects.create(stream=stream, run=run, visit=9, kind="wait", due_at=now, check_at=now + timedelta(hours=1))
    KeyClaim.objects.create(key="van", stream=stream, run=run, visit=9, step="work", asked_at=now, check_at=now)
    ActionCall.objects.create(
        stream=stream, run=run, visit=9, step="work", action="webhook", settings={"url": "https://e.org"}, opened_at=now
    )
    Incident.objects.create(stream=stream, kind="sweep", key="sla", detail="The sweep failed", opened_at=now)
    Notification.objects.create(user_id=told, event=event, kind="completed", at=now)
    ImportedCase.objects.create(request=stream.request, source="old", case=str(run.pk), status="submitted")
    Rebasing.objects.create(
        target=f"policy:{run.pk}", asked_by=stream.request.requester, asked_at=stream.request.created_at
    )


def test_every_page_opens_for_a_superuser(client: Client) -> None:
    answers = {}
    for model, page in SITE.items():
        row = model._default_manager.order_by("pk").last()
        assert row is not None, f"the world has no {model.__name__}"
        may_add = page.get_model_perms(client.get("/admin/").wsgi_request)["add"]
        pages = {"changelist": (), "change": (row.pk,)} | ({"add": ()} if may_add else {})
        answers |= {
            (model.__name__, name): client.get(address(model, name, *args)).status_code for name, args in pages.items()
        }
    assert {page: status for page, status in answers.items() if status != 200} == {}
    assert len(answers) > 60


def test_the_runtime_tables_are_read_only() -> None:
    assert {model.__name__ for model in READ_ONLY} == RUNTIME | {"WorkflowVersion", "LogEntry"}


def test_a_runtime_table_takes_no_writes_and_nothing_changes(client: Client) -> None:
    for model in READ_ONLY:
        row = model._default_manager.order_by("pk").last()
        before = list(model._default_manager.order_by("pk").values())
        for page, args in (("add", ()), ("change", (row.pk,)), ("delete", (row.pk,))):
            assert client.post(address(model, page, *args), {"post": "yes", "kind": "x"}).status_code == 403
        client.post(
            address(model, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        )
        assert list(model._default_manager.order_by("pk").values()) == before


def test_a_version_can_be_added_but_neither_changed_nor_deleted(client: Client) -> None:
    versions = [model for model in SITE if issubclass(model, KeyedVersion)]
    assert len(versions) == 4
    for model in versions:
        row = model._default_manager.order_by("pk").last()
        for page in ("change", "delete"):
            answer = client.post(address(model, page, row.pk), {"key": "x", "document": "{}", "post": "yes"})
            assert answer.status_code == 403
        assert model._default_manager.filter(pk=row.pk, document=row.document).exists()
        assert client.get(address(model, "add")).status_code == (403 if model is CalendarVersion else 200)


def test_a_list_of_three_rows_needs_the_statements_of_a_list_of_one(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = {}
    client.get("/admin/")
    for model, page in SITE.items():
        counts = [_statements(client, model, page, rows, monkeypatch) for rows in (1, 1, 3)]
        if counts[1] != counts[2]:
            grown[model.__name__] = counts
    assert grown == {}


def _statements(
    client: Client, model: type[Model], page: admin.ModelAdmin, rows: int, monkeypatch: pytest.MonkeyPatch
) -> int:
    monkeypatch.setattr(page, "list_per_page", rows)
    with CaptureQueriesContext(connection) as seen:
        answer = client.get(address(model, "changelist"))
    assert len(answer.context["cl"].result_list) == rows, f"the world has fewer than {rows} {model.__name__}"
    return len(seen)


def test_every_page_is_in_the_menu_once() -> None:
    listed = [model for entries in GROUPS.values() for _, model, _ in entries]
    assert sorted(listed) == sorted(model._meta.label_lower for model in SITE)
    assert [apps.get_model(model) for model in listed]


def test_somebody_who_is_not_staff_is_sent_to_the_log_in() -> None:
    browser, _ = admin_client(is_staff=False, is_superuser=False)
    assert browser.get("/admin/").status_code == 302
    assert browser.get(address(Request, "changelist")).status_code == 302


def test_staff_without_a_grant_see_no_page() -> None:
    browser, _ = admin_client(is_superuser=False)
    assert {browser.get(address(model, "changelist")).status_code for model in SITE} == {403}


def test_the_world_of_these_tests_is_placed_and_chained(client: Client) -> None:
    assert not Event.objects.filter(position=None).exists()
    assert Stream.objects.filter(kind="request").count() == 3
