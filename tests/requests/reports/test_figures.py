"""What reports count, against a second, naive count in Python over requests that real services made."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Team, User
from apps.approvals.models import Approval
from apps.core.errors import InvalidInput, NotPermitted
from apps.outbox.models import Event
from apps.requests.enums import IMPORT, Priority
from apps.requests.models import Request
from apps.requests.reports import NO_TEAM, NOTHING, ComplianceRow, Filters, Named
from apps.requests.selectors import visible_requests
from apps.requests.selectors.reports import (
    BY,
    GROUPS,
    bottlenecks,
    compliance,
    compliance_by_each,
    due_soon,
    throughput,
)
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import cancel_request, hold_request, reopen_request
from apps.requests.services.rebasing import Rebase, apply
from apps.requests.services.work import complete_task
from apps.requests.stays import Spread
from apps.requests.sweeps import run_sweeps
from apps.sla.models import SlaClock, SlaPolicyVersion
from apps.workflows.models import StepVisit, Task
from tests.factories import (
    approval_document,
    line_document,
    make_calendar,
    make_item,
    make_person,
    make_request,
    make_sla,
    make_team,
    make_workflow,
)  # fmt: skip
from tests.requests.conftest import World
from tests.requests.flows import make_flow, publish
from tests.requests.test_clocks import stored_equals_replay

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
LAST = datetime(2026, 1, 31, 22, 30, tzinfo=UTC)  # an hour and a half before February, in Amsterdam half an hour
READ = LAST + timedelta(days=40)
EVERYTHING = Filters()
UNTIMED = {"plain": NOTHING, "counted": NOTHING}


def at(hours: float) -> time_machine.travel:
    return time_machine.travel(LAST + timedelta(hours=hours), tick=False)


def answered(request: Request, world: World, verdict: str, hours: float) -> None:
    with at(hours):
        approval = Approval.objects.filter(stream_id=request.pk).latest("pk")
        record_decision(approval, verdict=verdict, actor=world.manager, comment="So")


def asked(item: Any, world: World, hours: float, **wish: Any) -> Request:
    with at(hours):
        return make_request(item, world.requester, **wish)


@pytest.fixture
def history(world: World) -> World:
    """Two items, two teams, two priorities; some on each side of the turn of the month; whatever can become of one."""
    clerk = make_person("clerk")
    make_team("hr", clerk, lead=make_person("head"))
    leave = make_item("leave", workflow=make_workflow(approval_document("leave", team="hr")), sla_key="standard")
    urgent = {"impact": "high", "urgency": "high"}
    for n, (item, worker) in enumerate(product((world.item, leave), (0, 0.5, 0.75, 1.75))):
        request = asked(item, world, worker, **(urgent if n % 2 else {}))
        answered(request, world, "approve", worker + 0.4)
        if n % 4 != 3:
            _finish(request, clerk if item == leave else world.worker, worker + 1 + n * 5)
    answered(asked(leave, world, 2), world, "reject", 30)
    given_up = asked(world.item, world, 3)
    with at(9):
        run_sweeps()
    with at(12):
        cancel_request(given_up, actor=world.requester)
    with at(12.5):
        hold_request(asked(leave, world, 12.5, **urgent), reason="Wait", actor=world.administrator)
    asked(world.item, world, 14)
    with at(48):
        run_sweeps()
    asked(world.item, world, 47.9)
    return world


def _finish(request: Request, worker: User, hours: float) -> None:
    with at(hours):
        run_sweeps()
        complete_task(Task.objects.get(stream_id=request.pk, ended_at=None), outcome="done", actor=worker)


@pytest.fixture
def auditor(db: None) -> User:
    return make_person("auditor", roles=["auditor"], time_zone="Europe/Amsterdam")


@pytest.fixture(autouse=True)
def _no_later() -> Iterator[None]:
    """Reports are read an hour after the last request unless a test travels."""
    with at(49):
        yield


# compliance


def naive_compliance(by: tuple[str, ...], zone: ZoneInfo) -> dict[tuple[Any, ...], dict[str, Any]]:
    groups: dict[tuple[Any, ...], list[SlaClock]] = defaultdict(list)
    for row in SlaClock.objects.exclude(status="void").select_related("policy", "stream__request__item"):
        groups[row.metric, *(_part(row, name, zone) for name in by)].append(row)
    return {key: _figures(rows) for key, rows in groups.items()}


def _part(row: SlaClock, name: str, zone: ZoneInfo) -> Any:
    request = row.stream.request
    if name == "month":
        decided = {"met": row.stopped_at, "breached": row.breached_at}.get(row.status) or LAST + timedelta(hours=49)
        return decided.astimezone(zone).date().replace(day=1)
    parts = {
        "item": request.item.slug,
        "team": request.team.key if request.team else "",
        "priority": row.priority,
        "target": f"{row.policy.key}/{row.target}",
    }
    return parts[name]


def _figures(rows: list[SlaClock]) -> dict[str, Any]:
    reached = [row for row in rows if row.stopped_at and not (row.breached_at and _cancelled(row))]
    return {
        **Counter(row.status for row in rows),
        "plain": Spread.of([(row.stopped_at - row.started_at).total_seconds() for row in reached]),
        "counted": Spread.of([row.elapsed for row in reached]),
    }


def _cancelled(row: SlaClock) -> bool:
    return row.stream.request.outcome == "cancelled"


def told(rows: Any, by: tuple[str, ...]) -> dict[tuple[Any, ...], dict[str, Any]]:
    found = {}
    for row in rows:
        parts = [getattr(row, name) for name in by]
        counts = {name: getattr(row, name) for name in ("met", "breached", "running", "paused") if getattr(row, name)}
        key = (row.metric, *(part.key if isinstance(part, Named) else part for part in parts))
        assert key not in found
        found[key] = {**counts, "plain": row.plain, "counted": row.counted}
    return found


def test_the_history_has_every_state_a_clock_can_be_in(history: World) -> None:
    assert set(SlaClock.objects.values_list("status", flat=True)) == {"met", "breached", "running", "paused", "void"}


def test_compliance_is_what_a_naive_count_finds(history: World, auditor: User) -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    for by in ((), *((name,) for name in BY), BY):
        report = compliance(auditor, EVERYTHING, by=by)
        assert told(report.rows, by) == naive_compliance(by, zone), by
        assert told(report.totals, ()) == naive_compliance((), zone)


def test_a_month_begins_where_the_reader_is(history: World, auditor: User) -> None:
    months = {}
    for name, zone in (("auditor", "Europe/Amsterdam"), ("far", "America/New_York")):
        reader = auditor if name == "auditor" else make_person(name, roles=["auditor"], time_zone=zone)
        report = compliance(reader, EVERYTHING, by=["month"])
        assert told(report.rows, ("month",)) == naive_compliance(("month",), ZoneInfo(zone))
        months[name] = sum(row.decided for row in report.rows if row.month == date(2026, 1, 1))
    assert 0 < months["auditor"] < months["far"]


def test_a_filter_counts_what_the_group_counted(history: World, auditor: User) -> None:
    filters: dict[str, Callable[[ComplianceRow], Filters]] = {
        "item": lambda row: Filters(item=row.item.key, metrics=(row.metric,)),
        "team": lambda row: Filters(team=row.team.key, metrics=(row.metric,)),
        "priority": lambda row: Filters(priorities=(row.priority,), metrics=(row.metric,)),
    }
    for name, filter_of in filters.items():
        rows = [row for row in compliance(auditor, EVERYTHING, by=[name]).rows if row.team != NO_TEAM]
        for row in rows:
            (total,) = compliance(auditor, filter_of(row)).totals
            assert (total.met, total.breached, total.plain) == (row.met, row.breached, row.plain), row
        assert len(rows) == 4  # two groups of each metric


def test_many_breakdowns_in_one_reading_count_what_each_counts_by_itself(history: World, auditor: User) -> None:
    read = compliance_by_each(auditor, EVERYTHING, BY, timed=("month",))
    for name in BY:
        alone = compliance(auditor, EVERYTHING, by=[name])
        rows = alone.rows if name == "month" else [replace(row, **UNTIMED) for row in alone.rows]
        assert (read[name].by, list(read[name].rows)) == ((name,), list(rows))
        assert list(read[name].totals) == [replace(row, **UNTIMED) for row in alone.totals]


def test_a_clock_breached_long_ago_counts_when_it_was_due_and_while_it_runs(history: World, auditor: User) -> None:
    running = SlaClock.objects.filter(status="breached", stopped_at=None)
    since = min(row.breached_at for row in running)
    report = compliance(auditor, Filters(since=since, until=since + timedelta(microseconds=1)))
    assert sum(row.breached for row in report.totals) == running.filter(breached_at=since).count() > 0


def test_only_what_was_reached_has_taken_time(world: World, auditor: User) -> None:
    """Ten hours are there for the solution: one is done late, one given up late, and one loses its target late."""
    done, given_up = asked(world.item, world, 0), asked(world.item, world, 0)
    answered(done, world, "approve", 0.5)
    _finish(done, world.worker, 12)
    with at(12):
        cancel_request(given_up, actor=world.requester)
    dropped = asked(world.item, world, 13)
    with at(24):
        run_sweeps()
        apply(Rebase(policy=make_targets("standard", within("other", 60))), actor=None)
        stored_equals_replay(dropped)
    twelve = Spread(count=1, median=12 * 3600, p90=12 * 3600)
    (total,) = compliance(auditor, Filters(metrics=("resolution",))).totals
    assert (total.breached, total.plain, total.counted) == (3, twelve, twelve)
    reached = list(SlaClock.objects.order_by("pk").values_list("metric", "status", "reached"))
    assert [(status, yes) for metric, status, yes in reached if metric == "resolution"] == [
        ("breached", True),
        ("breached", False),
        ("breached", False),
    ]
    SlaClock.objects.update(reached=False)
    import_module("apps.sla.migrations.0004_clocks_say_what_was_reached").fill(apps, None)
    assert list(SlaClock.objects.order_by("pk").values_list("metric", "status", "reached")) == reached


def test_a_teams_own_targets_are_counted_apart_from_the_services(world: World, auditor: User) -> None:
    """The team has ten minutes for what the service solves within ten hours, and takes half an hour."""
    make_targets("standard", within("solved", 36_000), within("own", 600, team="it"), within("gone", 60, team="gone"))
    request = asked(world.item, world, 0)
    answered(request, world, "approve", 1)
    _finish(request, world.worker, 1.5)
    report = compliance(auditor, EVERYTHING, by=("team", "target"))
    assert [(row.met, row.breached, row.ola_team) for row in report.totals] == [(1, 0, None)]
    assert [(row.target.key, row.met, row.breached) for row in report.rows if row.target] == [("standard/solved", 1, 0)]
    it, gone = Named(key="it", name="It"), Named(key="gone", name="gone")
    assert [(row.ola_team, row.met, row.breached) for row in report.ola_totals] == [(it, 0, 1), (gone, 1, 0)]
    assert [(row.ola_team, row.team, row.target) for row in report.ola_rows] == [
        (it, it, Named(key="standard/own", name="own")),
        (gone, it, Named(key="standard/gone", name="gone")),
    ]
    assert report.ola_totals[0].counted == Spread(count=1, median=1800, p90=1800)
    each = compliance_by_each(auditor, EVERYTHING, ["month"])["month"]
    assert (each.totals, each.ola_totals) == (
        tuple(replace(row, **UNTIMED) for row in report.totals),
        tuple(replace(row, **UNTIMED) for row in report.ola_totals),
    )
    known = list(SlaClock.objects.order_by("pk").values_list("target", "team"))
    SlaClock.objects.update(team="")
    import_module("apps.sla.migrations.0005_clocks_of_teams_own_targets").fill(apps, None)
    assert list(SlaClock.objects.order_by("pk").values_list("target", "team")) == known


def within(key: str, seconds: int, **more: Any) -> dict[str, Any]:
    """A target for the solution."""
    durations = {level: {"seconds": seconds} for level in Priority.values}
    return {"id": key, "name": key, "metric": "resolution", "durations": durations, **more}


def make_targets(policy: str, *targets: dict[str, Any]) -> SlaPolicyVersion:
    return SlaPolicyVersion.freeze(policy, {"targets": list(targets)})


# throughput


def naive_throughput(reader_zone: ZoneInfo, start_of: Callable[[date], date]) -> dict[date, tuple[int, ...]]:
    def day(instant: datetime) -> date:
        return start_of(instant.astimezone(reader_zone).date())

    said = {one: f"request.{one}" for one in ("submitted", "reopened", "completed", "rejected", "cancelled")}
    told = Event.objects.filter(type__in=said.values(), stream__request__submitted_at__isnull=False)
    days = {one: [day(event.at) for event in told.filter(type=kind)] for one, kind in said.items()}
    found = {}
    for start in {one for each in days.values() for one in each} | {day(LAST + timedelta(hours=49))}:
        counts = tuple(each.count(start) for each in days.values())
        until = {one: sum(when <= start for when in each) for one, each in days.items()}
        came = until["submitted"] + until["reopened"]
        found[start] = (*counts, came - until["completed"] - until["rejected"] - until["cancelled"])
    return found


def test_throughput_is_what_a_naive_count_finds(history: World, auditor: User) -> None:
    starts: dict[str, Callable[[date], date]] = {
        "day": lambda day: day,
        "week": lambda day: day - timedelta(days=day.weekday()),
        "month": lambda day: day.replace(day=1),
    }
    for per, start_of in starts.items():
        report = throughput(auditor, EVERYTHING, per=per)
        rows = {r.start: (r.submitted, r.reopened, r.completed, r.rejected, r.cancelled, r.open) for r in report.rows}
        assert rows == naive_throughput(ZoneInfo("Europe/Amsterdam"), start_of)
    assert report.totals.submitted == Request.objects.exclude(submitted_at=None).count()
    assert report.totals.open == Request.objects.filter(submitted_at__isnull=False, ended_at=None).count()


def test_what_was_told_of_a_period_stays_so_when_a_request_is_reopened_and_ends_again(
    world: World, auditor: User
) -> None:
    request = asked(world.item, world, 0.25)
    answered(request, world, "reject", 0.3)  # in Amsterdam on the last day of January
    before = throughput(auditor, EVERYTHING, per="day").rows[0]
    with at(24):
        reopen_request(request, reason="It is needed", actor=world.requester)
    answered(request, world, "approve", 25)
    _finish(request, world.worker, 26)
    rows = throughput(auditor, EVERYTHING, per="day").rows
    assert rows[0] == before
    assert [(r.start.day, r.submitted, r.reopened, r.rejected, r.completed, r.open) for r in rows[:3] if r.start] == [
        (31, 1, 0, 1, 0, 0),
        (1, 0, 1, 0, 0, 1),
        (2, 0, 0, 0, 1, 0),
    ]
    totals = throughput(auditor, EVERYTHING, per="day").totals
    assert (totals.submitted, totals.reopened, totals.ended, totals.open) == (1, 1, 2, 0)


def test_a_child_run_is_no_request_that_came_or_went(world: World, auditor: User) -> None:
    publish(line_document("child", {"id": "do", "kind": "task", "name": "Do", "assign": {"team": "it"}}))
    parent = line_document("parent", {"id": "sub", "kind": "subflow", "name": "Sub", "workflow": "child"})
    request = asked(make_flow(parent), world, 0)
    _finish(request, world.worker, 1)
    totals = throughput(auditor, EVERYTHING).totals
    assert (totals.submitted, totals.reopened, totals.completed, totals.open) == (1, 0, 1, 0)


def test_groups_of_a_throughput_add_up_to_the_whole(history: World, auditor: User) -> None:
    whole = {row.start: row for row in throughput(auditor, EVERYTHING, per="day").rows}
    parts = throughput(auditor, EVERYTHING, per="day", by=GROUPS)
    for name in ("submitted", "reopened", "completed", "rejected", "cancelled", "ended", "open"):
        for start, row in whole.items():
            assert sum(getattr(part, name) for part in parts.rows if part.start == start) == getattr(row, name)
    assert parts.totals == throughput(auditor, EVERYTHING, per="day").totals


def test_a_period_keeps_what_was_open_before_it_and_has_no_gap(history: World, auditor: User) -> None:
    since = LAST + timedelta(hours=26)
    whole = {row.start: row.open for row in throughput(auditor, EVERYTHING, per="day").rows}
    rows = throughput(auditor, Filters(since=since), per="day").rows
    assert {row.start: row.open for row in rows} == {
        start: n for start, n in whole.items() if start >= date(2026, 2, 2)
    }
    with time_machine.travel(READ, tick=False):
        starts = [row.start for row in throughput(auditor, EVERYTHING, per="week").rows]
    assert starts == [date(2026, 1, 26) + timedelta(weeks=n) for n in range(len(starts))]
    assert starts[-1] == date(2026, 3, 9)


# bottlenecks


def test_steps_are_what_a_naive_count_finds(history: World, auditor: User) -> None:
    report = bottlenecks(auditor, EVERYTHING)
    found = {
        (one.item.key, one.workflow.key, one.place.key): (one.visits, one.now, one.oldest, one.waiting, one.total)
        for one in report.steps
    }
    groups: dict[tuple[str, str, str], list[StepVisit]] = defaultdict(list)
    for visit in StepVisit.objects.select_related("run__version__workflow", "run__stream__request__item"):
        groups[visit.run.stream.request.item.slug, visit.run.version.workflow.key, visit.step].append(visit)
    assert found == {key: _stays(visits) for key, visits in groups.items()}
    assert list(report.steps) == sorted(report.steps, key=lambda one: -one.total)
    assert report.totals.visits == StepVisit.objects.count()


def _stays(visits: list[StepVisit]) -> tuple[Any, ...]:
    waits = [(v.ended_at - v.opened_at).total_seconds() for v in visits if v.status == "ended" and v.ended_at]
    there = [visit.opened_at for visit in visits if visit.ended_at is None]
    return len(visits), len(there), min(there, default=None), Spread.of(waits), sum(waits)


def test_a_request_sent_back_and_mended_stays_in_its_stage(world: World, auditor: User) -> None:
    request = asked(world.item, world, 0)
    answered(request, world, "return", 1)
    with at(3):
        complete_task(Task.objects.get(), outcome="done", actor=world.requester)
    with at(7):
        record_decision(Approval.objects.latest("pk"), verdict="approve", actor=world.manager)
    approval, work = sorted(bottlenecks(auditor, EVERYTHING).stages, key=lambda one: one.place.key)
    seven = 7 * 3600
    assert (approval.place, approval.visits) == (Named(key="approval", name="Approval"), 1)
    assert (approval.waiting, approval.total) == (Spread(count=1, median=seven, p90=seven), seven)
    assert (work.visits, work.now, work.oldest, work.waiting) == (1, 1, LAST + timedelta(hours=7), Spread())


# what breaches soon


def test_the_earliest_is_first_and_what_stands_still_is_not_due(history: World, auditor: User) -> None:
    report = due_soon(auditor, EVERYTHING, hours=168)
    due = (
        SlaClock.objects.filter(status="running")
        .order_by("due_at", "pk")
        .values_list("stream__request__number", "target")
    )
    assert [(row.number, row.target.key.rpartition("/")[2]) for row in report.rows] == list(due)
    assert report.total == len(due) == len(report.rows)
    cut = due_soon(auditor, EVERYTHING, hours=168, most=1)
    assert (cut.rows, cut.total) == (report.rows[:1], report.total)


def test_what_is_overdue_and_unswept_has_less_than_nothing_left(world: World, auditor: User) -> None:
    asked(world.item, world, 40)
    (first, second) = due_soon(auditor, EVERYTHING, hours=2).rows
    assert (first.metric, first.seconds_left) == ("response", -8 * 3600)
    assert (second.metric, second.seconds_left) == ("resolution", 3600)
    assert due_soon(auditor, EVERYTHING, hours=2).overdue == 1


def test_business_time_is_told_in_business_seconds(world: World, auditor: User) -> None:
    make_calendar()
    make_business_sla("standard")
    with time_machine.travel(datetime(2026, 2, 6, 15, tzinfo=UTC), tick=False):  # Friday 16:00 in Amsterdam
        make_request(world.item, world.requester)
        (row,) = due_soon(auditor, EVERYTHING, hours=100).rows
    assert (row.due_at, row.seconds_left, row.by_calendar) == (datetime(2026, 2, 9, 9, tzinfo=UTC), 7200, True)
    with time_machine.travel(datetime(2026, 2, 9, 16, tzinfo=UTC), tick=False):
        assert due_soon(auditor, EVERYTHING).rows[0].seconds_left == -7 * 3600


def make_business_sla(key: str) -> None:
    durations = {level: {"business_seconds": 7200} for level in ("critical", "high", "medium", "low")}
    target = {"id": "answer", "name": "Answer", "metric": "response", "durations": durations, "calendar": "office"}
    SlaPolicyVersion.freeze(key, {"targets": [target]})


def test_a_history_that_is_being_imported_is_counted_but_nobodys_work(world: World, auditor: User) -> None:
    Request.objects.filter(pk=asked(world.item, world, 48).pk).update(origin=IMPORT)
    assert due_soon(auditor, EVERYTHING, hours=168).total == 0
    assert [row.running for row in compliance(auditor, EVERYTHING).totals] == [1, 1]


# who, what cannot be asked, and what it costs


def test_a_lead_counts_their_own_teams_only(history: World, auditor: User) -> None:
    head = User.objects.get(username="head")
    own = Filters(team="hr")
    for report in (compliance, bottlenecks, due_soon):
        figures, same = report(head, EVERYTHING), report(auditor, own)
        for name in ("rows", "steps", "totals"):
            assert getattr(figures, name, None) == getattr(same, name, None)
    assert throughput(head, EVERYTHING).totals == throughput(auditor, own).totals
    assert throughput(head, Filters(team="it")).rows == ()


def test_a_lead_who_came_later_and_is_no_member_may_open_whatever_is_counted(history: World) -> None:
    Team.objects.filter(key="hr").update(lead=make_person("newcomer"))
    newcomer, former = (User.objects.get(username=name) for name in ("newcomer", "head"))
    own = set(Request.objects.filter(team__key="hr").values_list("number", flat=True))
    assert {one.number for one in due_soon(newcomer, EVERYTHING, hours=168).rows} <= own
    assert throughput(newcomer, EVERYTHING).totals.submitted == len(own) == 4
    assert {one.number for one in visible_requests(newcomer)} == own
    assert list(visible_requests(former)) == []


def test_a_stay_at_a_stage_belongs_whole_to_the_period_in_which_it_began(world: World, auditor: User) -> None:
    task = {"kind": "task", "stage": "work", "assign": {"team": "it"}}
    document = line_document("two", {"id": "one", "name": "One", **task}, {"id": "other", "name": "Other", **task})
    document["stages"] = [{"id": "work", "name": "Work"}]
    request = asked(make_item("two", workflow=make_workflow(document)), world, 0)
    for hours in (1, 5):
        with at(hours):
            complete_task(Task.objects.get(stream_id=request.pk, ended_at=None), outcome="done", actor=world.worker)
    turn = LAST + timedelta(hours=0.5)
    before, after = (bottlenecks(auditor, period).stages for period in (Filters(until=turn), Filters(since=turn)))
    assert [(stay.visits, stay.now, stay.total) for stay in before] == [(1, 0, 5 * 3600)]
    assert after == ()


@pytest.mark.parametrize("report", [compliance, throughput, bottlenecks, due_soon])
def test_nobody_else_and_nobody_who_left_reads_a_report(world: World, report: Any) -> None:
    world.lead.is_active = False
    for reader in (world.requester, world.worker, world.lead):
        with pytest.raises(NotPermitted):
            report(reader, EVERYTHING)


def test_what_no_report_has_is_refused(auditor: User) -> None:
    for ask in (
        lambda: compliance(auditor, EVERYTHING, by=["colour"]),
        lambda: throughput(auditor, EVERYTHING, by=["month"]),
        lambda: throughput(auditor, EVERYTHING, per="year"),
        lambda: due_soon(auditor, EVERYTHING, hours=169),
        lambda: bottlenecks(auditor, Filters(since=READ, until=LAST)),
    ):
        with pytest.raises(InvalidInput):
            ask()


def test_nothing_gives_no_rows(auditor: User) -> None:
    assert (compliance(auditor, EVERYTHING, by=BY).rows, throughput(auditor, EVERYTHING).rows) == ((), ())
    empty = bottlenecks(auditor, EVERYTHING)
    assert (empty.steps, empty.stages, due_soon(auditor, EVERYTHING).rows) == ((), (), ())


def test_many_rows_and_groups_take_the_statements_of_few(world: World) -> None:
    make_sla("other")
    other = make_item("other", workflow=make_workflow(approval_document("other")), sla_key="other")
    reports = {
        lambda reader: compliance(reader, EVERYTHING): 2,
        lambda reader: compliance(reader, EVERYTHING, by=BY): 5,
        lambda reader: compliance_by_each(reader, EVERYTHING, BY, timed=("month",)): 9,
        lambda reader: throughput(reader, EVERYTHING): 3,
        lambda reader: throughput(reader, EVERYTHING, by=GROUPS): 5,
        lambda reader: bottlenecks(reader, EVERYTHING): 5,
        lambda reader: due_soon(reader, EVERYTHING, hours=168): 3,
    }
    for items in ((world.item,), (world.item, other)):
        for item in items:
            answered(asked(item, world, 1), world, "approve", 2)
        lead = User.objects.get(username="lead")
        counts = [_statements(report, lead) for report in reports]
        assert counts == list(reports.values())


def _statements(report: Callable[[User], Any], reader: User) -> int:
    report(reader)  # the versions it meets are cached from here on
    with CaptureQueriesContext(connection) as statements:
        report(reader)
    return len(statements)
