"""The page Reports: who may open it, that its figures are those of the reports, its filters, CSV files and charts."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.http import QueryDict
from django.utils import timezone
from playwright.sync_api import Page

from apps.accounts.models import User
from apps.core import clock
from apps.portal.periods import Days
from apps.portal.report_filters import Asked, asked_by
from apps.portal.report_page import SHEETS
from apps.portal.report_panels import share_said
from apps.requests.models import Request
from apps.requests.reports import Named, sheet_of
from apps.requests.selectors.reports import Choices, choices_for, compliance, throughput
from apps.requests.services.lifecycle import cancel_request, reopen_request
from apps.requests.services.work import complete_task
from apps.requests.sweeps import run_sweeps
from apps.sla.models import SlaClock, SlaPolicyVersion
from tests.factories import approval_document, make_item, make_person, make_request, make_team, make_workflow
from tests.portal.conftest import World, as_, page_of, text_of
from tests.portal.test_browser import Opener, browser_here, open_page, violations  # noqa: F401 - fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
CELL = re.compile(r'<td data-label="[^"]*" class="num">(.*?)</td>')


@pytest.fixture
def auditor(db: None) -> User:
    return make_person("aude", roles=["auditor"])


def finish(world: World, request: Request) -> None:
    """Mia approves, Ivo does the work."""
    complete_task(world.approve(request), outcome="done", actor=world.ivo)


def some_history(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[Request, Request]:
    """Two hours ago two requests were submitted; one is done, nobody answered the other in time."""
    done, late = world.ask(title="Done"), world.ask(title="Late")
    finish(world, done)
    later = clock.now() + timedelta(hours=2)
    monkeypatch.setattr(clock, "now", lambda: later)
    run_sweeps()
    return done, late


def tables_of(page: str) -> dict[str, list[list[str]]]:
    """The texts of the cells of each table with a chart, row by row."""
    found = re.findall(r'<table class="list process-list" id="([\w-]+)-table">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    return {name: [CELL.findall(row) for row in body.split("</tr>")[:-1]] for name, body in found}


def charts_of(page: str) -> dict[str, Any]:
    found = re.findall(r'<script id="([\w-]+)-data" type="application/json">(.*?)</script>', page)
    return {name: json.loads(told) for name, told in found}


def words(cell: str) -> str:
    """A cell as a chart says it: what belongs to the figure in brackets."""
    return unescape(re.sub(r'<span class="under">(.*?)</span>', r" (\1)", cell))


# who may open it


@pytest.mark.parametrize(("role", "status"), [("administrator", 200), ("auditor", 200), ("finance", 403)])
def test_the_page_is_for_those_who_see_everything(world: World, role: str, status: int) -> None:
    client = as_(make_person("reader", roles=[role]))
    assert [client.get(path).status_code for path in ("/reports/", "/reports/throughput.csv")] == [status, status]
    assert ('href="/reports/"' in client.get("/").content.decode()) == (status == 200)


def test_who_leads_a_team_sees_the_figures_of_its_requests_only(world: World) -> None:
    make_team("hr", make_person("hana"))
    for team, title in (("it", "Ours"), ("hr", "Theirs")):
        item = make_item(
            team, workflow=make_workflow(approval_document(team, team=team)), sla_key="standard", name=title
        )
        world.approve(make_request(item, world.rita))
    client = as_(world.lea)
    page = text_of(client.get("/reports/"))
    assert 'href="/reports/"' in client.get("/").content.decode()
    assert ("Submitted 1 Ended 0" in page, "By team CSV" in page, "It 100 % 1 of 1" in page) == (True, True, True)
    assert "Hr" not in page
    assert client.get("/reports/", {"team": "hr"}).status_code == 404
    assert "hr" not in client.get("/reports/compliance-by-team.csv").content.decode()
    assert as_(world.ivo).get("/reports/").status_code == 403


def test_nobody_sees_it_who_is_not_logged_in(anonymous) -> None:
    paths = ("/reports/", "/reports/due.csv")
    assert [anonymous.get(path)["Location"] for path in paths] == [f"/login/?next={path}" for path in paths]


# the figures


def test_the_page_begins_with_the_figures_in_short(world: World, auditor: User, monkeypatch) -> None:
    some_history(world, monkeypatch)
    page = text_of(as_(auditor).get("/reports/"))
    assert (
        "First response in time 50 % 1 of 2 Solution in time 100 % 1 of 1 Targets missed 1 Open now 1 Due in 24 hours 1"
        " Submitted 2 Ended 1" in page
    )


def test_its_tables_say_what_the_reports_say(world: World, auditor: User, monkeypatch) -> None:
    some_history(world, monkeypatch)
    tables = tables_of(as_(auditor).get("/reports/").content.decode())
    by_item = {row.metric: row for row in compliance(auditor, asked_for().filters, by=("item",)).rows}
    flow = throughput(auditor, asked_for().filters).rows
    shares = [
        f"{share_said(row.share)} ({row.met} of {row.decided}{', 1 open' if row.running else ''})"
        for row in by_item.values()
    ]
    assert [words(cell) for cell in tables["by-item"][0]] == shares == ["50 % (1 of 2)", "100 % (1 of 1, 1 open)"]
    assert tables["by-team"][0][0].startswith("100 %")
    assert tables["flow"] == [[str(row.submitted), str(row.ended), str(row.open)] for row in flow] == [["2", "1", "1"]]
    assert [cell.split("<")[0] for cell in tables["steps"][0]][3:] == ["2", "1"]


def test_a_teams_own_targets_are_a_table_of_their_own(world: World, auditor: User, monkeypatch) -> None:
    durations = {level: {"seconds": 36_000} for level in ("critical", "high", "medium", "low")}
    solved = {"id": "solved", "metric": "resolution", "durations": durations}
    own = {"id": "own", "name": "Own", "metric": "resolution", "team": "it", "durations": durations}
    SlaPolicyVersion.freeze("standard", {"targets": [solved, own]})
    some_history(world, monkeypatch)
    client = as_(auditor)
    page, tables = text_of(client.get("/reports/")), tables_of(client.get("/reports/").content.decode())
    assert "Solution in time 100 % 1 of 1 Targets missed 0 Open" in page
    assert [words(cell) for cell in tables["by-month"][0]] == ["100 % (1 of 1, 1 open)"]
    assert [words(cell) for cell in tables["own-targets"][0]] == ["100 % (1 of 1, 1 open)"]
    assert "Teams&#x27; own targets" in client.get("/reports/").content.decode()
    sheets = {one: client.get(f"/reports/{one}.csv").content.decode() for one in ("own-targets", "compliance-by-team")}
    assert {name: [line.split(",")[1] for line in sheet.splitlines()[1:]] for name, sheet in sheets.items()} == {
        "own-targets": ["it"],
        "compliance-by-team": ["", ""],
    }


def test_a_request_that_came_back_and_ended_again_ended_twice(world: World, auditor: User) -> None:
    request = world.ask()
    finish(world, request)
    reopen_request(request, reason="Broken", actor=world.rita)
    cancel_request(request, actor=world.rita)
    page = as_(auditor).get("/reports/").content.decode()
    assert [words(cell) for cell in tables_of(page)["flow"][0]] == [
        "1 (and 1 reopened)",
        "2 (1 completed, 1 cancelled)",
        "0",
    ]
    assert "Open now 0 Due in 24 hours 0 Submitted 1 and 1 reopened Ended 2" in text_of(as_(auditor).get("/reports/"))


def test_a_chart_is_drawn_from_the_figures_of_its_table(world: World, auditor: User, monkeypatch) -> None:
    some_history(world, monkeypatch)
    page = as_(auditor).get("/reports/").content.decode()
    tables, charts = tables_of(page), charts_of(page)
    assert set(charts) == {"by-month", "by-item", "by-team", "by-priority", "times", "flow", "stages", "steps"}
    for name, chart in charts.items():
        columns = [[words(row[place]) for row in tables[name]] for place in range(len(chart["series"]))]
        assert [one["said"] for one in chart["series"]] == columns, name
    shown = charts["by-item"]
    assert (shown["names"], shown["unit"], [one["values"] for one in shown["series"]]) == (
        [["New laptop"]], "%", [[50.0], [100.0]],
    )  # fmt: skip


def test_what_is_due_soon_leads_to_its_request_and_its_time_runs_down(world: World, auditor: User, monkeypatch) -> None:
    _, late = some_history(world, monkeypatch)
    page = as_(auditor).get("/reports/", {"hours": "24"}).content.decode()
    due = SlaClock.objects.get(stream_id=late.pk, target="resolution").due_at
    assert f'<a href="{page_of(late)}">Late</a>' in page
    assert re.findall(r'data-left datetime="([^"]+)"[^>]*>([^<]+)<', page) == [(due.isoformat(), "7 h 59 min left")]


def test_a_share_is_cut_so_that_all_means_all() -> None:
    shares = {None: "–", 1.0: "100 %", 0.9996: "99.9 %", 0.5: "50 %", 0.29: "29 %", 0.0: "0 %", 2 / 3: "66.6 %"}
    assert {share: share_said(share) for share in shares} == shares


def test_an_empty_page_says_what_to_do(world: World, auditor: User) -> None:
    page = text_of(as_(auditor).get("/reports/"))
    assert "There is nothing to count yet" in page
    assert "Open the catalogue" in page
    assert "Kept in time" not in page


def test_while_nothing_is_decided_no_share_is_drawn(world: World, auditor: User) -> None:
    world.ask()
    page = as_(auditor).get("/reports/")
    assert "First response in time – nothing decided yet" in text_of(page)
    assert "No target of the service was reached or missed here yet." in text_of(page)
    assert set(tables_of(page.content.decode())) == {"flow", "stages", "steps"}


def test_requests_whose_item_has_no_policy_are_counted_but_not_measured(world: World, auditor: User) -> None:
    make_request(make_item("plain", workflow=make_workflow(approval_document("plain"))), world.rita)
    page = text_of(as_(auditor).get("/reports/"))
    assert ("No time is measured here" in page, "Submitted 1" in page, "How long it took" in page) == (
        True,
        True,
        False,
    )


def test_what_was_named_by_people_is_escaped(world: World, auditor: User) -> None:
    item = make_item(
        "sly", workflow=make_workflow(approval_document("sly")), sla_key="standard", name="</script><b>Sly"
    )
    world.approve(make_request(item, world.rita))
    page = as_(auditor).get("/reports/").content.decode()
    assert "</script><b>Sly" not in page
    assert charts_of(page)["by-item"]["names"] == [["</script><b>Sly"]]


# filters


def asked_for(**query: str) -> Asked:
    return asked_by(QueryDict("&".join(f"{name}={value}" for name, value in query.items())), EVERYTHING)


EVERYTHING = Choices(items=(Named(key="laptop", name="New laptop"),), teams=(Named(key="it", name="It"),))


@pytest.mark.parametrize(
    ("query", "submitted"),
    [
        ({}, 2),
        ({"item": "laptop"}, 1),
        ({"item": "other"}, 1),
        ({"team": "it"}, 1),
        ({"item": "other", "team": "it"}, 0),
        ({"priority": "medium"}, 2),
        ({"priority": "critical"}, 0),
        ({"from": "yesterday", "to": "\x00", "hours": "5"}, 2),
        ({"from": "0001-01-01", "to": "9999-12-31"}, 2),
        ({"from": "2200-01-01"}, 2),
        ({"from": "2199-01-01"}, 0),
        ({"to": "1999-01-01"}, 0),
    ],
)
def test_the_filters_say_which_requests_are_counted(world: World, auditor: User, query, submitted: int) -> None:
    world.approve(world.ask())
    make_request(make_item("other", workflow=make_workflow(approval_document("other"))), world.rita)
    page = text_of(as_(auditor).get("/reports/", query))
    shown = [int(count) for count in re.findall(r"Submitted (\d+) Ended", page)]
    assert shown in ([submitted], [] if submitted == 0 else None)
    assert ("Nothing fits these filters" in page) == (shown == [])


def test_a_day_that_is_none_says_so_at_its_field_and_what_is_shown_instead(world: World, auditor: User) -> None:
    world.ask()
    client, query = as_(auditor), {"from": "2025-02-30", "to": "9999-12-31"}
    page = client.get("/reports/", query).content.decode()
    assert re.findall(r'id="([\w-]+)" type="date" .*? aria-describedby="([\w-]+)"', page) == [
        ("reports-from", "reports-from-error"),
        ("reports-to", "reports-to-error"),
    ]
    for said in Days.asked_by(QueryDict("from=2025-02-30&to=9999-12-31")).problems.values():
        assert f">{said}</p>" in page
    assert "field-error" not in client.get("/reports/").content.decode()
    file = client.get("/reports/throughput.csv", query)
    assert (file.status_code, file["Content-Type"]) == (400, "text/plain; charset=utf-8")


@pytest.mark.parametrize("query", [{"item": "nothing"}, {"team": "\x00"}, {"priority": "a" * 500}])
def test_what_nobody_can_choose_is_not_there(world: World, auditor: User, query: dict[str, str]) -> None:
    world.ask()
    client = as_(auditor)
    assert [client.get(path, query).status_code for path in ("/reports/", "/reports/due.csv")] == [404, 404]


@pytest.mark.usefixtures("time_stands_still")
def test_a_period_is_of_the_readers_days(world: World, auditor: User) -> None:
    auditor.time_zone = "Pacific/Kiritimati"
    auditor.save()
    world.ask()
    with timezone.override("Pacific/Kiritimati"):
        today = timezone.localtime(clock.now()).date()
    client = as_(auditor)
    shown = [
        "Submitted 1 Ended" in text_of(client.get("/reports/", {"from": str(day), "to": str(day)}))
        for day in (today, today - timedelta(days=1))
    ]
    assert shown == [True, False]


@pytest.mark.usefixtures("time_stands_still")
def test_quick_periods_keep_the_other_filters(world: World, auditor: User) -> None:
    world.ask()
    page = as_(auditor).get("/reports/", {"item": "laptop", "hours": "72", "from": "2020-02-01"}).content.decode()
    links = re.findall(r'<a class="quick-choice" href="([^"]+)"( aria-current="true")?>', page)
    first = timezone.localtime(clock.now()).date() - timedelta(days=29)
    assert [unescape(link) for link, _ in links][:2] == [
        "/reports/?item=laptop&hours=72",
        f"/reports/?item=laptop&from={first}&hours=72",
    ]
    assert {chosen for _, chosen in links} == {""}
    assert 'aria-current="true">All time' in as_(auditor).get("/reports/").content.decode()


@pytest.mark.parametrize(
    ("query", "per"),
    [
        ({}, "month"),
        ({"to": "2026-02-01"}, "month"),
        ({"from": "2026-01-01", "to": "2026-01-31"}, "day"),
        ({"from": "2026-01-01", "to": "2026-03-31"}, "week"),
        ({"from": "2025-01-01", "to": "2026-03-31"}, "month"),
    ],
)
def test_a_short_period_is_divided_by_days_and_a_long_one_by_months(query: dict[str, str], per: str) -> None:
    assert asked_for(**query).per == per


# CSV


@pytest.mark.parametrize("name", list(SHEETS))
def test_a_table_can_be_had_as_csv_with_all_its_columns(world: World, auditor: User, monkeypatch, name: str) -> None:
    some_history(world, monkeypatch)
    if name == "own-targets":
        SlaClock.objects.update(team="it")
    answer = as_(auditor).get(f"/reports/{name}.csv", {"item": "laptop"})
    asked = asked_by(QueryDict("item=laptop"), choices_for(auditor))
    assert answer.content.decode() == "\ufeff" + sheet_of(SHEETS[name](auditor, asked))
    assert answer.content.count(b"\r\n") > 1
    assert (answer["Content-Type"], answer["Content-Disposition"]) == (
        "text/csv; charset=utf-8",
        f'attachment; filename="{name}.csv"',
    )


def test_csv_links_keep_the_filters_and_an_unknown_sheet_is_not_there(world: World, auditor: User) -> None:
    world.ask()
    client = as_(auditor)
    page = client.get("/reports/", {"item": "laptop"}).content.decode()
    links = re.findall(r'class="sheet-link" href="([^"]+)"', page)
    assert {link.partition("?")[2] for link in links} == {"item=laptop"}
    assert {link.split("/")[2].partition(".")[0] for link in links} <= set(SHEETS)
    assert client.get("/reports/nothing.csv").status_code == 404


def test_the_page_takes_as_many_statements_for_one_request_as_for_three(
    world: World, auditor: User, django_assert_num_queries
) -> None:
    client = as_(auditor)
    for count in (1, 3):
        while Request.objects.count() < count:
            finish(world, world.ask())
            world.ask()
        client.get("/reports/")
        with django_assert_num_queries(23):
            client.get("/reports/")


# in a browser


def drawn(page: Page) -> dict[str, Any]:
    """What each chart shows: its names and the values of its series; a chart without a drawn point is left out."""
    return page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("canvas[data-chart]")].map(canvas => {
            const {data} = window.Chart.getChart(canvas);
            const ink = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(part => part);
            return [canvas.id, ink && [data.labels, data.datasets.map(one => [...one.data])]];
        }))"""
    )


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "look", [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}]
)
def test_charts_are_drawn_with_the_figures_of_their_tables_in_every_look(
    world: World,
    open_page: Opener,  # noqa: F811
    monkeypatch,
    look: dict,
) -> None:
    some_history(world, monkeypatch)
    said: list[str] = []

    def listen(page: Page) -> None:
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))

    page = open_page(make_person("aude", roles=["auditor"]), "/reports/", before=listen, **look)
    page.wait_for_function("window.Chart && document.querySelectorAll('[data-chart-frame][hidden]').length === 0")
    told = charts_of(page.content())
    expected = {
        f"{name}-chart": [
            [names if len(names) > 1 else names[0] for names in chart["names"]],
            [one["values"] for one in chart["series"]],
        ]
        for name, chart in told.items()
    }
    assert (drawn(page), len(expected)) == (expected, 8)
    assert (violations(page), said) == ([], [])
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_without_scripts_the_tables_are_the_page(world: World, open_page: Opener) -> None:  # noqa: F811
    finish(world, world.ask())
    page = open_page(make_person("aude", roles=["auditor"]), "/reports/", java_script_enabled=False)
    shown = [page.locator(f"#{name}-table").is_visible() for name in ("by-month", "flow", "steps")]
    assert (shown, page.locator("canvas:visible").count()) == ([True] * 3, 0)
    page.get_by_label("Item", exact=True).select_option("laptop")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**item=laptop**")
