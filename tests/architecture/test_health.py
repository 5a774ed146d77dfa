from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from django.conf import settings as configured
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from apps.core import clock
from apps.outbox.publish import NewEvent, lock_streams, publish
from apps.outbox.relay import place_events
from tests.outbox.conftest import open_stream, tell

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
FINE = {"database": "ok", "migrations": "ok", "broker": "ok", "relay": "ok"}


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def deaf_broker() -> Iterator[str]:
    """The address of something that listens and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        yield f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"


def checks(client: Client, status: int) -> dict[str, str]:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (status, status == 200)
    return answer.json()["checks"]


def test_the_process_answers_without_asking_the_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = client.get("/healthz")
    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"ok", "text/plain")


def test_it_is_ready_when_everything_is_there(client):
    assert checks(client, 200) == FINE


def test_a_missing_migration_is_said(client):
    MigrationRecorder(connection).record_unapplied("outbox", "0003_quiet_streams")
    assert checks(client, 503) == {**FINE, "migrations": "not migrated"}


def test_a_relay_that_stands_still_is_said_after_a_minute(client):
    stream = open_stream()
    tell(stream, "request.submitted")
    assert checks(client, 200) == FINE
    late = open_stream()
    new = NewEvent(type="request.submitted", actor="system", at=clock.now() - timedelta(seconds=61))
    publish({lock_streams([late.pk])[0]: [new]})
    assert checks(client, 503) == {**FINE, "relay": "lagging"}
    place_events()
    assert checks(client, 200) == FINE


def test_a_broker_that_is_not_there_is_said(client, settings):
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"
        assert checks(client, 503) == {**FINE, "broker": "OperationalError"}


def test_a_broker_that_never_answers_is_waited_for_no_longer_than_a_while(client, settings, deaf_broker):
    settings.CELERY_BROKER_URL = deaf_broker
    assert checks(client, 503) == {**FINE, "broker": "OperationalError"}


def test_no_answer_says_where_anything_is(client, settings):
    settings.CELERY_BROKER_URL = "redis://:secret@127.0.0.1:1/0"
    said = client.get("/readyz").content.decode()
    assert "secret" not in said
    assert "127.0.0.1" not in said
    assert configured.SECRET_KEY not in said
