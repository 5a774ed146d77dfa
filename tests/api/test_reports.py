"""Reports over HTTP: the figures, as CSV, who reads them, and what may be asked."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.requests.models import Request
from apps.requests.sweeps import run_sweeps
from apps.sla.models import SlaPolicyVersion
from tests.api.conftest import Client, World
from tests.factories import make_person, make_team

START = datetime(2026, 11, 23, 9, tzinfo=UTC)  # a Monday
PATHS = ("/reports/sla/", "/reports/sla/due/", "/reports/throughput/", "/reports/bottlenecks/")
NOBODY = {"count": 0, "median": None, "p90": None}
EVERYTHING = {"item": "", "team": "", "priorities": [], "metrics": [], "since": None, "until": None}


def at(hours: float = 0, **more: Any) -> time_machine.travel:
    return time_machine.travel(START + timedelta(hours=hours, **more), tick=False)


def decide(world: World, request: Request) -> None:
    path = f"/requests/{request.number}/approvals/"
    (approval,) = world.client("mia").api("get", path).json()["results"]
    world.client("mia").api("post", f"/approvals/{approval['id']}/decide/", {"decision": "approve"})


def finish(world: World, request: Request) -> None:
    (task,) = world.client("ivo").api("get", f"/requests/{request.number}/tasks/").json()["results"]
    answer = world.client("ivo").api("post", f"/tasks/{task['id']}/complete/")
    assert answer.status_code == 200, answer.content


@pytest.fixture
def history(world: World) -> World:
    """One request approved after half an hour and done after two, one that nobody answers, due at ten."""
    with at():
        done, _ = world.ask(), world.ask(title="=1+1")
    with at(0.5):
        decide(world, done)
    with at(2):
        finish(world, done)
        run_sweeps()
    return world


@pytest.fixture
def ada(db: None) -> Client:
    with at(3):
        return Client().of(make_person("ada", roles=["auditor"]))


def ask(client: Client, path: str) -> Any:
    with at(3):
        answer = client.api("get", f"/reports/{path}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def lines(client: Client, path: str) -> list[dict[str, str]]:
    with at(3):
        answer = client.api("get", f"/reports/{path}")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(StringIO(answer.content.decode(), newline="")))


def test_compliance_counts_the_clocks_of_each_metric(history: World, ada: Client) -> None:
    report = ask(ada, "sla/")
    nothing = dict.fromkeys(("ola_team", "item", "team", "priority", "month", "target"))
    half, two = ({"count": 1, "median": seconds, "p90": seconds} for seconds in (1800, 7200))
    assert report == {
        "filters": EVERYTHING,
        "by": [],
        "at": "2026-11-23T12:00:00Z",
        "rows": report["totals"],
        "totals": [
            {"metric": "response", **nothing, "met": 1, "breached": 1, "running": 0, "paused": 0, "share": 0.5,
             "plain": half, "counted": half},
            {"metric": "resolution", **nothing, "met": 1, "breached": 0, "running": 1, "paused": 0, "share": 1.0,
             "plain": two, "counted": two},
        ],
        "ola_rows": [],
        "ola_totals": [],
    }  # fmt: skip


def test_compliance_is_broken_down_by_what_is_asked(history: World, ada: Client) -> None:
    report = ask(ada, "sla/?metric=resolution&by=month,team,item,priority,target")
    assert report["by"] == ["item", "team", "priority", "month", "target"]
    rows = [
        (row["item"], row["team"], row["priority"], row["month"], row["target"], row["met"], row["running"])
        for row in report["rows"]
    ]
    laptop, month = {"key": "laptop", "name": "Laptop"}, "2026-11-01"
    target = {"key": "laptop/resolution", "name": "resolution"}
    assert rows == [
        (laptop, {"key": "it", "name": "It"}, "medium", month, target, 1, 0),
        (laptop, {"key": "", "name": "No team"}, "medium", month, target, 0, 1),
    ]


def test_throughput_tells_what_came_and_went(history: World, ada: Client) -> None:
    report = ask(ada, "throughput/?per=day")
    row = {
        "start": "2026-11-23", "item": None, "team": None, "priority": None, "submitted": 2, "reopened": 0,
        "completed": 1, "rejected": 0, "cancelled": 0, "ended": 1, "open": 1,
    }  # fmt: skip
    assert (report["per"], report["rows"], report["totals"]) == ("day", [row], {**row, "start": None})


def test_bottlenecks_tell_where_requests_wait(history: World, ada: Client) -> None:
    report = ask(ada, "bottlenecks/")
    work, approval = report["steps"]
    named = {"item": {"key": "laptop", "name": "Laptop"}, "workflow": {"key": "simple", "name": "Simple"}}
    assert work == {
        "kind": "step", **named, "place": {"key": "work", "name": "Work"}, "visits": 1, "now": 0, "oldest": None,
        "waiting": {"count": 1, "median": 5400, "p90": 5400}, "total": 5400,
    }  # fmt: skip
    assert (approval["place"]["key"], approval["visits"], approval["now"]) == ("approve", 2, 1)
    assert (approval["oldest"], approval["total"]) == ("2026-11-23T09:00:00Z", 1800)
    assert [(stage["kind"], stage["place"]["key"], stage["total"]) for stage in report["stages"]] == [
        ("stage", "work", 5400),
        ("stage", "approval", 1800),
    ]
    assert report["totals"] == {"visits": 3, "now": 1, "total": 7200}


def test_what_breaches_soon_is_listed_with_the_time_left(history: World, ada: Client) -> None:
    report = ask(ada, "sla/due/")
    (row,) = report["rows"]
    waiting = Request.objects.get(title="=1+1")
    assert row == {
        "number": waiting.number, "title": "=1+1", "item": {"key": "laptop", "name": "Laptop"}, "team": None,
        "assignee": None, "priority": "medium", "metric": "resolution",
        "target": {"key": "laptop/resolution", "name": "resolution"}, "due_at": "2026-11-23T19:00:00Z",
        "seconds_left": 7 * 3600, "by_calendar": False,
    }  # fmt: skip
    assert (report["hours"], report["total"], report["overdue"]) == (8, 1, 0)
    assert ask(ada, "sla/due/?hours=6")["rows"] == []


def test_filters_let_through_what_they_name(history: World, ada: Client) -> None:
    """The response clocks were decided at half past nine and, not in time, at ten."""
    counted = {
        "item=laptop": 2,
        "team=it": 1,
        "priority=medium,high": 2,
        "priority=low": 0,
        "metric=step": 0,
        "until=2026-11-23T10:00:00Z": 1,
        "since=2026-11-23T10:00:00Z": 1,
        "since=2026-11-23T10:00:00.000001Z": 0,
        "until=2026-11-23T11:00:00%2B01:00": 1,
        "until=9998-12-31T23:59:59-23:59": 2,
        "since=2026-11-23T10:00:00%2B00:00:01.5": 1,
    }
    found = {}
    for query in counted:
        rows = [row for row in ask(ada, f"sla/?{query}")["rows"] if row["metric"] == "response"]
        found[query] = sum(row["met"] + row["breached"] for row in rows)
    assert found == counted


def test_the_filters_are_told_back(history: World, ada: Client) -> None:
    query = "item=laptop&team=it&priority=low,high&since=2026-11-23T10:00:00%2B01:00"
    assert ask(ada, f"bottlenecks/?{query}")["filters"] == EVERYTHING | {
        "item": "laptop", "team": "it", "priorities": ["low", "high"], "since": "2026-11-23T09:00:00Z",
    }  # fmt: skip


def test_csv_has_the_rows_under_a_name_of_the_day(history: World, ada: Client) -> None:
    with at(3):
        answer = ada.api("get", "/reports/sla/?by=item&format=csv")
    assert answer["Content-Disposition"] == 'attachment; filename="sla-2026-11-23.csv"'
    assert answer.content.decode() == (
        "metric,ola_team,ola_team_name,item,item_name,met,breached,share,running,paused,"
        "plain_count,plain_median,plain_p90,counted_count,counted_median,counted_p90\r\n"
        "response,,,laptop,Laptop,1,1,0.5,0,0,1,1800,1800,1,1800,1800\r\n"
        "resolution,,,laptop,Laptop,1,0,1,1,0,1,7200,7200,1,7200,7200\r\n"
    )
    (day,) = lines(ada, "throughput/?per=day&format=csv")
    assert (day["day"], day["submitted"], day["open"]) == ("2026-11-23", "2", "1")
    assert [line["place"] for line in lines(ada, "bottlenecks/?format=csv")] == ["work", "approval", "work", "approve"]


def test_a_teams_own_targets_stand_apart_in_json_and_csv(world: World, ada: Client) -> None:
    durations = {level: {"seconds": 600} for level in ("critical", "high", "medium", "low")}
    own = {"id": "own", "metric": "resolution", "team": "it", "durations": durations}
    SlaPolicyVersion.freeze("laptop", {"targets": [own]})
    with at():
        request = world.ask()
        decide(world, request)
    with at(0.5):
        finish(world, request)
    report, team = ask(ada, "sla/"), {"key": "it", "name": "It"}
    assert (report["rows"], report["totals"]) == ([], [])
    assert report["ola_rows"] == report["ola_totals"]
    assert [(row["ola_team"], row["breached"], row["share"]) for row in report["ola_totals"]] == [(team, 1, 0.0)]
    assert [(line["ola_team"], line["breached"]) for line in lines(ada, "sla/?format=csv")] == [("it", "1")]


def test_a_title_that_is_a_formula_is_a_text_in_a_spreadsheet(history: World, ada: Client) -> None:
    (line,) = lines(ada, "sla/due/?format=csv")
    assert (line["title"], line["seconds_left"], line["due_at"]) == ("'=1+1", "25200", "2026-11-23T19:00:00+00:00")


def test_nobody_else_reads_reports(world: World) -> None:
    for name in ("rita", "mia", "stan"):
        client = world.client(name)
        for path in (*PATHS, *(f"{path}?format=csv" for path in PATHS)):
            answer = client.api("get", path)
            assert (answer.status_code, answer["Content-Type"]) == (403, "application/problem+json"), (name, path)
            assert answer.json()["code"] == "not_permitted"


def test_a_lead_reads_of_the_teams_they_lead_only(history: World) -> None:
    with at(3):
        ivo = history.client("ivo")
    assert [(row["metric"], row["met"], row["breached"]) for row in ask(ivo, "sla/")["rows"]] == [
        ("response", 1, 0),
        ("resolution", 1, 0),
    ]
    assert ask(ivo, "sla/due/")["total"] == 0
    assert ask(ivo, "throughput/")["totals"]["submitted"] == 1
    assert ask(ivo, "bottlenecks/")["totals"]["visits"] == 2


def test_without_a_token_nothing_is_read(db: None) -> None:
    assert {Client().api("get", path).status_code for path in PATHS} == {401}


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("sla/?by=colour", "by"),
        ("sla/?by=item,", "by"),
        ("sla/?metric=speed", "metric"),
        ("sla/?priority=urgent", "priority"),
        ("sla/?since=yesterday", "since"),
        ("sla/?until=2026-11-23T10:00:00", "until"),
        ("sla/?format=xlsx", "format"),
        ("sla/?per=day", "per"),
        ("sla/?item=%00", "item"),
        ("sla/?item=none", "item"),
        ("throughput/?team=none", "team"),
        ("bottlenecks/?item=none&format=csv", "item"),
        ("sla/?since=2026-11-23T10:00:00Z&until=2026-11-23T10:00:00Z", "until"),
        ("throughput/?since=2026-11-23T10:00:00Z&until=2026-11-23T10:30:00%2B01:00", "until"),
        ("sla/due/?hours=0", "hours"),
        ("sla/due/?hours=169", "hours"),
        ("sla/due/?hours=-1", "hours"),
        ("sla/due/?since=2026-11-23T10:00:00Z", "since"),
        ("throughput/?per=year", "per"),
        ("throughput/?by=month", "by"),
        ("throughput/?metric=response", "metric"),
        ("bottlenecks/?by=item", "by"),
        ("bottlenecks/?page_size=10", "page_size"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_name(ada: Client, path: str, field: str) -> None:
    with at(3):
        answer = ada.api("get", f"/reports/{path}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


@pytest.mark.parametrize(
    ("query", "reasons"),
    [
        ("until=9999-12-31T23:59:59Z", {"until": ["This must be a time of the years 1900 to 9998."]}),
        ("until=9999-12-31", {"until": ["This must be a time with its offset, such as 2026-01-31T09:00:00Z."]}),
        ("since=2026-12-01T00:00:00Z&until=2026-11-01T00:00:00Z", {"until": ["This must be later than since."]}),
        ("item=none&team=hr", {"item": ["There is no such item in your reports."],
                               "team": ["There is no such team in your reports."]}),
    ],
)  # fmt: skip
def test_a_refusal_says_the_true_reason(ada: Client, query: str, reasons: dict[str, list[str]]) -> None:
    with at(3):
        assert ada.api("get", f"/reports/sla/?{query}").json()["errors"] == reasons


@pytest.mark.parametrize("hours", ["-1", "0", "169", "soon", "1.5"])
def test_hours_that_nobody_can_look_ahead_are_refused_in_one_sentence(ada: Client, hours: str) -> None:
    with at(3):
        answer = ada.api("get", f"/reports/sla/due/?hours={hours}")
    assert answer.json()["errors"] == {"hours": ["This must be a whole number from 1 to 168."]}


def test_a_lead_may_not_ask_for_another_team(history: World) -> None:
    make_team("hr", make_person("hana"))
    with at(3):
        ivo = history.client("ivo")
        answers = {team: ivo.api("get", f"/reports/throughput/?team={team}") for team in ("it", "hr")}
    assert {team: answer.status_code for team, answer in answers.items()} == {"it": 200, "hr": 400}


def test_a_report_of_too_many_days_is_refused(history: World, ada: Client) -> None:
    with time_machine.travel(START + timedelta(days=1000), tick=False):
        client = Client().of(make_person("audrey", roles=["auditor"]))
        answer = client.api("get", "/reports/throughput/?per=day")
        rows = client.api("get", "/reports/throughput/?per=day&since=2026-11-24T00:00:00Z").json()["rows"]
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["since"])
    assert len(rows) == 1000


def test_three_requests_take_the_statements_of_one(world: World) -> None:
    ivo, counts = world.client("ivo"), []
    for requests in (1, 2):
        for _ in range(requests):
            decide(world, world.ask())
        counts.append([_statements(ivo, path) for path in (*PATHS, "/reports/sla/?by=item,team,priority,month,target")])
    assert counts[0] == counts[1]


def _statements(client: Client, path: str) -> int:
    client.api("get", path)  # versions are cached from here on
    with CaptureQueriesContext(connection) as statements:
        assert client.api("get", path).status_code == 200
    return len(statements)
