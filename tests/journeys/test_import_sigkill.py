"""SIGKILL in the middle of an import, at random moments: the next run goes on, nothing is lost, nothing is there twice.

And two imports of one log at the same time: together they are one.
"""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.journeys.ledger import broken_rules, committed_events, read
from tests.journeys.processes import NO_REDIS, ROOT, fresh_database, manage, production_env

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(900)]
HISTORY = ROOT / "fixtures" / "history"
IMPORT = ["import_log", str(HISTORY / "declarations.csv.gz"), str(HISTORY / "declarations.mapping.json"), "--json"]
TWICE = "SELECT external_id FROM requests_request GROUP BY 1 HAVING count(*) > 1"
PEOPLE = "SELECT count(*), count(DISTINCT username) FROM accounts_user"
DOOR = """
CREATE FUNCTION go_through_the_door() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock_shared(1, 1 + (SELECT count(*) FROM requests_importedcase)::integer);
    RETURN NEW;
END $$;
CREATE TRIGGER door BEFORE INSERT ON requests_importedcase FOR EACH ROW EXECUTE FUNCTION go_through_the_door()
"""


@pytest.fixture
def env(template: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    with fresh_database(template=template) as url:
        yield production_env(tmp_path, database=url, redis=NO_REDIS)


def begin(env: dict[str, str], *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "manage.py", *IMPORT, *options]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=quiet, stderr=quiet, start_new_session=True)


def report_of(printed: str) -> dict[str, object]:
    report = json.loads(printed.splitlines()[-1])
    return {key: report[key] for key in ("cases", "accepted", "refused", "final")}


def wait_for_cases(env: dict[str, str], number: int) -> None:
    """Until so many cases are committed (or the import is over)."""
    end = time.monotonic() + 240
    while read(env["DATABASE_URL"], "SELECT count(*) FROM requests_importedcase")[0][0] < number:
        assert time.monotonic() < end, "the import does not get on"
        time.sleep(0.02)


@contextmanager
def closed_door(env: dict[str, str], number: int) -> Iterator[None]:
    """No import gets past the case of this number meanwhile, so none is over before it is killed."""
    with psycopg.connect(env["DATABASE_URL"], autocommit=True) as server:
        server.execute("SELECT pg_advisory_lock(1, %s)", [number])
        yield


def ledger_of_cases(env: dict[str, str]) -> list[tuple[object, ...]]:
    """What each case is, apart from numbers, which may have gaps."""
    sql = """SELECT c."case", c.accepted, c.status, c.step, c.reason, s.last_seq, s.last_at
             FROM requests_importedcase c JOIN outbox_stream s ON s.id = c.request_id ORDER BY 1"""
    return read(env["DATABASE_URL"], sql)


@pytest.mark.parametrize(("kills", "cases"), [(2, 60), pytest.param(10, 300, marks=pytest.mark.long)])
def test_an_import_that_is_killed_again_and_again_comes_to_the_same_end(env, template, tmp_path, kills, cases):
    limit = ("--limit", str(cases))
    dice, seen, part = random.Random(20261124), 0, cases // (kills + 2)
    with psycopg.connect(env["DATABASE_URL"]) as server:
        server.execute(DOOR)
    for number in range(1, kills + 1):
        before = committed_events(env["DATABASE_URL"])
        with closed_door(env, part * number + part // 2):
            running = begin(env, *limit)
            wait_for_cases(env, part * number)
            time.sleep(dice.uniform(0, 0.1))
            os.killpg(running.pid, signal.SIGKILL)
            assert running.wait() == -signal.SIGKILL, "the import was over before it was killed"
        after = committed_events(env["DATABASE_URL"])
        assert before.items() < after.items(), "a committed event changed or vanished, or the run did not go on"
        assert broken_rules(env["DATABASE_URL"]) == {}
        seen = len(after)
    printed = manage(*IMPORT, *limit, "--out", str(tmp_path / "cases.csv"), env=env)
    assert len(committed_events(env["DATABASE_URL"])) > seen
    assert broken_rules(env["DATABASE_URL"]) == {}
    assert read(env["DATABASE_URL"], TWICE) == []
    with fresh_database(template=template) as other:
        calm = {**env, "DATABASE_URL": other}
        assert report_of(manage(*IMPORT, *limit, env=calm)) == report_of(printed)
        assert ledger_of_cases(calm) == ledger_of_cases(env)
        assert read(other, PEOPLE) == read(env["DATABASE_URL"], PEOPLE)
    with (tmp_path / "cases.csv").open() as table:
        assert sum(1 for _ in csv.DictReader(table)) == cases


def test_two_imports_of_one_log_at_the_same_time_are_one(env):
    limit = ("--limit", "40")
    running = [begin(env, *limit) for _ in range(2)]
    assert [one.wait(timeout=300) for one in running] == [0, 0]
    report = report_of(manage(*IMPORT, *limit, env=env))
    assert report["cases"] == 40
    assert len(ledger_of_cases(env)) == 40
    assert read(env["DATABASE_URL"], TWICE) == []
    assert broken_rules(env["DATABASE_URL"]) == {}
