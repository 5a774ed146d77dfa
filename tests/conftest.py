"""What every test can rely on: clean process caches, a guard that is lifted for SQLite's flush, loud skips."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
import time_machine
from django.db import connection
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.sqlite3.base import DatabaseWrapper as SqliteDatabase
from django.db.models.signals import post_init
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker

from apps.approvals import selectors as approval_selectors
from apps.calendars import selectors as calendar_selectors
from apps.core import clock
from apps.outbox.models import Event
from apps.requests import facts
from apps.requests.selectors import rounds
from apps.sla import selectors as sla_selectors
from apps.workflows import selectors as workflow_selectors
from tests.event_fields import Watch

SHARED_DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VERSION_CACHES = (
    approval_selectors.policy_of,
    calendar_selectors.calendar_of,
    facts.form_of,
    rounds.inline_policy,
    sla_selectors.policy_of,
    sla_selectors.events_of,
    workflow_selectors.definition_of,
)

HYPOTHESIS = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "print_blob": True}  # no stopwatch
hypothesis_settings.register_profile("short", max_examples=40, **HYPOTHESIS)
hypothesis_settings.register_profile("long", max_examples=1000, **HYPOTHESIS)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


@pytest.fixture(autouse=True)
def _fresh_version_caches() -> Iterator[None]:
    """Ids start again where a test's rows were flushed, so what was cached by id is forgotten between tests."""
    yield
    for cache in VERSION_CACHES:
        cache.cache_clear()


@pytest.fixture
def time_stands_still() -> Iterator[None]:
    """At this instant: what is counted per minute is then counted within one minute."""
    with time_machine.travel(clock.now(), tick=False):
        yield


@pytest.fixture(scope="session")
def watch_on_events() -> Iterator[Watch]:
    watch = Watch()
    post_init.connect(watch.look, sender=Event)
    yield watch
    post_init.disconnect(watch.look, sender=Event)


@pytest.fixture(autouse=True)
def _events_carry_what_the_catalogue_says(watch_on_events: Watch) -> Iterator[None]:
    yield
    assert watch_on_events.told() == []


@pytest.fixture(scope="session", autouse=True)
def _flush_may_delete_events() -> Iterator[None]:
    """On SQLite a flush deletes row by row, which the events' triggers forbid: they are put aside for its transaction.

    PostgreSQL truncates, which row triggers do not see.
    """
    operations = SqliteDatabase.ops_class
    flush = operations.execute_sql_flush
    triggers = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'outbox_event'"

    def flush_without_triggers(self: BaseDatabaseOperations, sql_list: list[str]) -> None:
        with self.connection.cursor() as cursor:
            found = cursor.execute(triggers).fetchall()
        flush(self, [*(f"DROP TRIGGER {name}" for name, _ in found), *sql_list, *(sql for _, sql in found)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "execute_sql_flush", flush_without_triggers)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """At the end connections that a server thread or a browser left open are closed, so the database can be dropped."""
    yield
    if on_postgresql():
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@lru_cache
def on_postgresql() -> bool:
    return connection.vendor == "postgresql"


@lru_cache
def redis_command() -> str | None:
    """`redis-server` on the path; tests start one of their own with it."""
    return shutil.which("redis-server")


MISSING = {
    "postgres": (on_postgresql, "PostgreSQL's locks (this run is on SQLite)"),
    "redis": (lambda: bool(redis_command()), "redis-server on the path"),
    "browser": (lambda: bool(CHROMIUM), "Chromium on the path"),
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for marker, (is_there, what) in MISSING.items():
            if item.get_closest_marker(marker) and not is_there():
                item.add_marker(pytest.mark.skip(reason=f"NOT RUN: needs {what}"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """What stands now stands to the end: looking through it again and again for garbage took a tenth of the run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        reasons = sorted({str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple)})
        terminalreporter.section(f"{len(skipped)} TESTS WERE NOT RUN", sep="!", red=True, bold=True)
        for reason in reasons:
            terminalreporter.write_line(reason, red=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where nothing may be skipped (CI), a skip fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("NOTHING_SKIPPED") and on_postgresql() and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
