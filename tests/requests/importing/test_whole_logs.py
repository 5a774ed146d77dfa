"""Whole logs: each case ends where its last accepted line left it, refusals are real, and everything reads back.

What is expected comes from a naive reference that knows the process as a table of (state, activity) -> state.
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from apps.outbox.models import Event
from apps.requests.models import Request
from apps.requests.selectors.clocks import explained_clocks
from apps.sla.models import SlaClock
from tests.conftest import SHARED_DATA
from tests.factories import PASSWORD, make_person
from tests.requests.importing.logs import HISTORY, Outcome, import_log
from tests.requests.importing.naive_clocks import HELP_DESK, UNIVERSITY, Measured, lives, measured, stays

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(3600)]
FULL_SIZE = bool(os.environ.get("FULL_SIZE"))  # `make full-import`: the whole of the real logs
GENERATED = HISTORY / "declarations.csv.gz"
Table = Mapping[tuple[str, str], str]
Told = tuple[datetime, str, str]

needs_shared = pytest.mark.skipif(
    not SHARED_DATA.exists(), reason=f"NOT RUN: needs the real logs in {SHARED_DATA.parent.name}/{SHARED_DATA.name}"
)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the reference says of a case: the accepted lines, where they lead, and where it breaks off."""

    accepted: list[Told]
    state: str
    broken_at: str | None


def cases_of(log: Path, *, limit: int | None = None) -> dict[str, list[Told]]:
    """The lines of each case by time, then by place in the file: when, activity, role."""
    found: dict[str, list[Told]] = defaultdict(list)
    with gzip.open(log, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["case_id"] in found or limit is None or len(found) < limit:
                at = datetime.fromisoformat(row["timestamp"])
                found[row["case_id"]].append((at, row["activity"], row.get("role", "agent")))
    return {case: sorted(lines, key=lambda line: line[0]) for case, lines in found.items()}


def walk(lines: list[Told], table: Table) -> Expected:
    state, accepted = "new", []
    for line in lines:
        following = table.get((state, line[1]))
        if following is None:
            return Expected(accepted=accepted, state=state, broken_at=f"{line[1]} is not possible at {state}")
        state = following
        accepted.append(line)
    return Expected(accepted=accepted, state=state, broken_at=None)


def script() -> ModuleType:
    """The script that made up the log."""
    path = settings.BASE_DIR / "scripts" / "generate_log.py"
    spec = importlib.util.spec_from_file_location("generate_log", path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def generated_table() -> Table:
    steps = [(place, way) for place, ways in script().PROCESS.items() for way in ways if way[1]]
    return {(place, named(activity)): leads_to for place, (_, activity, leads_to, _) in steps}


def real_table() -> Table:
    model: Any = json.loads((SHARED_DATA / "replay_model.json").read_text())
    states = {state: state.lower() for state in model["states"]} | {"SUB": "sub"}
    return {(states[t["from"]], named(t["event"])): states[t["to"]] for t in model["transitions"]}


def named(event: str) -> str:
    return f"Declaration {event}" if " by " in event else event


def read_events(request: Request) -> list[Told]:
    events = Event.objects.filter(stream_id=request.pk).order_by("seq")
    return [(event.at, event.data["activity"], event.role) for event in events if "activity" in event.data]


def read_through_the_api(client: Client, number: str) -> list[Told]:
    events = client.get(f"/api/v1/requests/{number}/events/?page_size=200").json()["results"]
    own = [event for event in events if "activity" in event["data"]]
    return [(datetime.fromisoformat(event["at"]), event["data"]["activity"], event["role"]) for event in own]


def check(outcome: Outcome, lines: Mapping[str, list[Told]], table: Table) -> Counter[str]:
    """Every case against the reference; returns the refusals that the reference counts."""
    broken: Counter[str] = Counter()
    requests = {request.number: request for request in Request.objects.filter(origin="import")}
    for row in outcome.table:
        expected = walk(lines[row["case_id"]], table)
        assert (row["step"] or row["status"], int(row["accepted"]), row["reason"] or None) == (
            expected.state,
            len(expected.accepted),
            expected.broken_at,
        ), row
        assert read_events(requests[row["number"]]) == expected.accepted, row
        broken.update([expected.broken_at] if expected.broken_at else [])
    assert [row["case_id"] for row in outcome.table] == list(lines)
    assert outcome.report["refused"] == broken
    assert outcome.report["accepted"] == sum(int(row["accepted"]) for row in outcome.table)
    return broken


def export(folder: Path, kind: str, *, item: str) -> Path:
    path = folder / f"export.{kind}"
    call_command("export_log", format=kind, item=item, out=path, stderr=io.StringIO())
    return path


def exported(path: Path) -> dict[str, list[Told]]:
    """The lines of an export by case, in the order in which they stand there."""
    found: dict[str, list[Told]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["timestamp"])
            found[row["case_id"]].append((at, row["activity"], row["role"]))
    return found


def api_client() -> Client:
    make_person("auditor", roles=["auditor"])
    client = Client()
    body = {"username": "auditor", "password": PASSWORD}
    token = client.post("/api/v1/auth/token/", body, content_type="application/json").json()["access"]
    return Client(headers={"authorization": f"Bearer {token}"})


def import_declarations(log: Path, folder: Path, **options: Any) -> Outcome:
    return import_log(log, HISTORY / "declarations.mapping.json", table=folder / "cases.csv", **options)


@pytest.fixture
def clocks_sum_up() -> Iterator[None]:
    """After the test every clock that was stopped is met or breached, never both, never in the future."""
    yield
    for row in SlaClock.objects.exclude(stopped_at=None):
        assert row.status in ("met", "breached", "void")
        assert (row.breached_at is not None) == (row.status == "breached")


SUPERVISOR = frozenset({"adm", "bud", "pre", "sup"})  # the steps of that stage
DAYS_3, DAYS_10 = 24 * 3600, 200 * 3600  # business seconds: three days of eight hours; two hundred hours


def stored_clocks(numbers: Iterable[str], target: str) -> dict[str, list[Measured]]:
    """The clocks of a target that ended, by the request's number."""
    found: dict[str, list[Measured]] = {number: [] for number in numbers}
    rows = SlaClock.objects.filter(target=target, stopped_at__isnull=False).exclude(status="void").order_by("id")
    for row in rows.select_related("stream__request"):
        clock = Measured(
            started_at=row.started_at, stopped_at=row.stopped_at, elapsed=round(row.elapsed, 6), status=row.status
        )
        found[row.stream.request.number].append(clock)
    return found


def check_supervisor_clocks(outcome: Outcome, lines: Mapping[str, list[Told]], table: Table) -> Counter[str]:
    """Every stay in the supervisor stage against a naive count; how many were met and breached."""
    expected: dict[str, list[Measured]] = {}
    for row in outcome.table:
        accepted, states = walk(lines[row["case_id"]], table).accepted, ["new"]
        for _, activity, _ in accepted:
            states.append(table[states[-1], activity])
        spans = stays(accepted, states[1:], SUPERVISOR)
        expected[row["number"]] = [measured([span], UNIVERSITY, allowed=DAYS_3) for span in spans]
    assert stored_clocks(expected, "supervisor") == expected
    return Counter(clock.status for clocks in expected.values() for clock in clocks)


def check_ticket_clocks(outcome: Outcome, lines: Mapping[str, list[Told]]) -> Counter[str]:
    """Every life of every ticket against a naive count, in which what was waited for does not count."""
    expected: dict[str, list[Measured]] = {}
    for row in outcome.table:
        if row["number"]:
            accepted = lines[row["case_id"]][: int(row["accepted"])]
            expected[row["number"]] = [measured(spans, HELP_DESK, allowed=DAYS_10) for spans in lives(accepted)]
    assert stored_clocks(expected, "resolution") == expected
    return Counter(clock.status for clocks in expected.values() for clock in clocks)


def check_replays(*, every: int) -> int:
    """One request in `every`: its stored clocks are what its events say, and the intervals sum up; how many clocks."""
    looked_at = 0
    for request in Request.objects.filter(origin="import").order_by("pk")[::every]:
        until = Event.objects.filter(stream_id=request.pk).latest("seq").at  # where the log leaves it
        for one in explained_clocks(request, until=until):
            counted = sum((part.end - part.start).total_seconds() for part in one.reading.intervals if part.counted)
            assert (one.reading.status, one.reading.due_at) == (one.clock.status, one.clock.due_at), request.number
            assert counted == pytest.approx(one.reading.elapsed, abs=1e-3), request.number
            looked_at += 1
    return looked_at


def test_the_generated_log_is_what_its_script_writes():
    made_up = script()
    lines = list(made_up.lines(made_up.random.Random(made_up.SEED)))
    with gzip.open(GENERATED, "rt") as file:
        assert list(csv.reader(file)) == [list(made_up.HEADER), *map(list, lines)]


@pytest.mark.sqlite
def test_the_generated_log_ends_where_its_process_says(tmp_path, clocks_sum_up):
    outcome = import_declarations(GENERATED, tmp_path, limit=120)
    broken = check(outcome, cases_of(GENERATED, limit=120), generated_table())
    assert sum(broken.values()) >= 5, "the log should break some rules"
    stays_of_supervisors = check_supervisor_clocks(outcome, cases_of(GENERATED, limit=120), generated_table())
    assert min(stays_of_supervisors["met"], stays_of_supervisors["breached"]) >= 5


def test_imported_events_read_back_through_the_api_in_order_time_and_role(tmp_path):
    outcome = import_declarations(GENERATED, tmp_path, limit=25)
    lines, table, client = cases_of(GENERATED, limit=25), generated_table(), api_client()
    for row in outcome.table:
        assert read_through_the_api(client, row["number"]) == walk(lines[row["case_id"]], table).accepted


def test_the_export_gives_the_accepted_lines_back_to_the_letter(tmp_path):
    import_declarations(GENERATED, tmp_path, limit=60)
    lines, table = cases_of(GENERATED, limit=60), generated_table()
    path = export(tmp_path, "csv", item="declarations")
    accepted = {case: walk(told, table).accepted for case, told in lines.items()}
    assert exported(path) == accepted
    with gzip.open(GENERATED, "rt") as log:
        written = [(row["case_id"], row["activity"], row["timestamp"], row["role"]) for row in csv.DictReader(log)]
    with path.open(newline="") as file:
        read = [(row["case_id"], row["activity"], row["timestamp"], row["role"]) for row in csv.DictReader(file)]
    assert [line for line in written if line in set(read)] == read


def test_an_export_to_xes_can_be_imported_again_and_comes_to_the_same(tmp_path):
    first = import_declarations(GENERATED, tmp_path, limit=60)
    document = json.loads((HISTORY / "declarations.mapping.json").read_text())
    document["workflow"] = json.loads((HISTORY / "declarations.workflow.json").read_text())
    mapping = tmp_path / "mapping.json"
    mapping.write_text(json.dumps({**document, "source": "second"}))
    log = export(tmp_path, "xes", item="declarations")
    again = import_log(log, mapping, table=tmp_path / "again.csv", strict=True)
    assert again.report["refused"] == {}
    kept = ("case_id", "status", "step", "accepted")
    assert [[row[key] for key in kept] for row in again.table] == [[row[key] for key in kept] for row in first.table]


@needs_shared
@pytest.mark.long
def test_the_real_declarations_end_where_the_replay_model_says(tmp_path, clocks_sum_up):
    log = SHARED_DATA / "bpic2020_domestic.csv.gz"
    limit = None if FULL_SIZE else 800
    outcome = import_declarations(log, tmp_path, limit=limit)
    broken = check(outcome, cases_of(log, limit=limit), real_table())
    print(json.dumps(outcome.report))
    stays_of_supervisors = check_supervisor_clocks(outcome, cases_of(log, limit=limit), real_table())
    print("24 business hours in the supervisor stage:", dict(stays_of_supervisors))
    assert check_replays(every=10) > len(outcome.table) // 10
    accepted = {case: walk(told, real_table()).accepted for case, told in cases_of(log, limit=limit).items()}
    assert exported(export(tmp_path, "csv", item="declarations")) == accepted
    assert broken["Declaration REJECTED by EMPLOYEE is not possible at sub"] == (7 if FULL_SIZE else 1)
    assert sum(broken.values()) == (13 if FULL_SIZE else 2)
    if FULL_SIZE:
        ends = Counter(row["step"] or row["status"] for row in outcome.table)
        assert ends == {
            "paid": 9903, "ret": 282, "draft": 135, "prej": 25, "sub": 7, "payreq": 3, "rej": 1, "fin": 1
        }  # fmt: skip


@needs_shared
@pytest.mark.long
def test_the_real_help_desk_pauses_while_it_waits_and_takes_work_back(tmp_path, clocks_sum_up):
    log = SHARED_DATA / "helpdesk_italy.csv.gz"
    mapping = HISTORY / "helpdesk.mapping.json"
    limit = None if FULL_SIZE else 600
    outcome = import_log(log, mapping, table=tmp_path / "cases.csv", limit=limit)
    lines = cases_of(log, limit=limit)
    print(json.dumps(outcome.report))
    print("200 business hours without the waits:", dict(check_ticket_clocks(outcome, lines)))
    assert check_replays(every=10) > len(outcome.table) // 10
    for row in outcome.table:
        told = read_events(Request.objects.get(number=row["number"])) if row["number"] else []
        assert told == lines[row["case_id"]][: int(row["accepted"])], row
    given_back = exported(export(tmp_path, "csv", item="help-desk"))
    assert {case: [line[:2] for line in told] for case, told in given_back.items()} == {
        row["case_id"]: [line[:2] for line in lines[row["case_id"]][: int(row["accepted"])]]
        for row in outcome.table
        if row["number"]
    }
    unrefused = [row for row in outcome.table if not row["reason"]]
    assert all(int(row["accepted"]) == len(lines[row["case_id"]]) for row in unrefused)
    assert len(unrefused) >= 0.99 * len(lines)
    waiting = [row for row in unrefused if lines[row["case_id"]][-1][1] == "Wait"]
    assert {row["status"] for row in waiting} == {"on_hold"}
    paused = Event.objects.filter(type="sla.paused").count()
    assert paused >= sum(activity == "Wait" for case in lines.values() for _, activity, _ in case) // 2
