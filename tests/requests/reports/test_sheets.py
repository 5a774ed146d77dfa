"""Reports as CSV."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from io import StringIO

from apps.requests.reports import (
    Bottlenecks,
    Compliance,
    ComplianceRow,
    DueClock,
    DueSoon,
    Filters,
    Named,
    Place,
    PlaceTotals,
    Throughput,
    ThroughputRow,
    sheet_of,
)
from apps.requests.stays import Spread

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LAPTOP, IT = Named(key="laptop", name="New laptop, large"), Named(key="it", name="IT")
MEASURED = Spread(count=3, median=60.5, p90=7200)


def lines_of(report) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(sheet_of(report), newline="")))


def test_compliance_has_a_line_for_each_group_and_nothing_for_what_is_not_known():
    rows = (
        ComplianceRow(metric="response", item=LAPTOP, month=date(2026, 3, 1), met=3, breached=1, plain=MEASURED),
        ComplianceRow(metric="resolution", item=LAPTOP, month=date(2026, 3, 1), running=2, paused=1),
    )
    own = ComplianceRow(metric="resolution", ola_team=IT, item=LAPTOP, month=date(2026, 3, 1), breached=1)
    report = Compliance(filters=Filters(), by=("item", "month"), at=AT, rows=rows, totals=(), ola_rows=(own,))
    first, second, third = lines_of(report)
    assert first == {
        "metric": "response",
        "ola_team": "",
        "ola_team_name": "",
        "item": "laptop",
        "item_name": "New laptop, large",
        "month": "2026-03-01",
        "met": "3",
        "breached": "1",
        "share": "0.75",
        "running": "0",
        "paused": "0",
        "plain_count": "3",
        "plain_median": "60.5",
        "plain_p90": "7200",
        "counted_count": "0",
        "counted_median": "",
        "counted_p90": "",
    }
    assert (third["ola_team"], third["ola_team_name"], third["met"], third["breached"]) == ("it", "IT", "0", "1")
    assert (second["ola_team"], second["share"], second["running"], second["paused"], second["plain_median"]) == (
        "",
        "",
        "2",
        "1",
        "",
    )


def test_throughput_is_named_by_its_period():
    row = ThroughputRow(start=date(2026, 3, 2), team=IT, submitted=4, reopened=1, completed=2, rejected=1, open=5)
    report = Throughput(filters=Filters(), per="week", by=("team",), at=AT, rows=(row,), totals=row)
    assert sheet_of(report) == (
        "week,team,team_name,submitted,reopened,completed,rejected,cancelled,ended,open\r\n2026-03-02,it,IT,4,1,2,1,0,3,5\r\n"
    )


def test_places_are_stages_and_steps():
    step = Place(
        kind="step", item=LAPTOP, workflow=IT, place=Named(key="work", name="Work"), visits=4, now=1, waiting=MEASURED,
        total=121.25, oldest=AT,
    )  # fmt: skip
    stage = Place(
        kind="stage", item=LAPTOP, workflow=IT, place=Named(key="do", name="Do"), visits=0, now=0, waiting=Spread(),
        total=0,
    )  # fmt: skip
    totals = PlaceTotals(visits=4, now=1, total=121.25)
    report = Bottlenecks(filters=Filters(), at=AT, steps=(step,), stages=(stage,), totals=totals)
    shown = [(line["kind"], line["place"], line["oldest"], line["waiting_total"]) for line in lines_of(report)]
    assert shown == [("stage", "do", "", "0"), ("step", "work", "2026-03-02T09:30:00+00:00", "121.25")]


def test_a_text_that_would_be_a_formula_is_a_text_and_a_number_below_zero_a_number():
    clock = DueClock(
        number="SR-2026-000001", title='=HYPERLINK("x")', item=LAPTOP, team=None, assignee=None, priority="high",
        metric="response", target=Named(key="standard/response", name="+1"), due_at=AT, seconds_left=-12.5,
        by_calendar=True,
    )  # fmt: skip
    (line,) = lines_of(DueSoon(filters=Filters(), hours=8, at=AT, rows=(clock,), total=1, overdue=1))
    shown = [line[name] for name in ("title", "team", "team_name", "target_name", "seconds_left", "by_calendar")]
    assert shown == ['\'=HYPERLINK("x")', "", "", "'+1", "-12.5", "yes"]
