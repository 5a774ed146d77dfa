"""What people did comes out as an event log; imported history in the words of its own."""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.approvals.models import Approval
from apps.outbox.models import Event
from apps.outbox.publish import NewEvent, lock_streams, publish
from apps.requests import sweeps
from apps.requests.eventlog.reading import open_log
from apps.requests.eventlog.writing import LoggedEvent
from apps.requests.models import Request
from apps.requests.selectors import eventlog, tasks_of
from apps.requests.selectors.eventlog import logged_events
from apps.requests.services.comments import add_comment
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import (
    Wish,
    cancel_request,
    create_request,
    hold_request,
    reopen_request,
    resume_request,
)
from apps.requests.services.work import claim_task, complete_task, release_task
from apps.workflows.models import Timer
from tests.factories import line_document, make_item, make_request, make_workflow
from tests.requests.importing.logs import ASKED, CHECKED, HISTORY, SHIPPED, WHOLE, Desk, import_log, rows

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
WAIT = {"id": "pause", "kind": "wait", "name": "Pause", "for": {"seconds": 60}}


def lines(**how: Any) -> list[tuple[str, str, str]]:
    """Activity, resource and role of every line."""
    return [(event.activity, event.resource, event.role) for event in logged_events(**how)]


def decide(request: Request, actor: Any, verdict: str = "approve") -> None:
    record_decision(Approval.objects.get(stream_id=request.pk), verdict=verdict, comment="so", actor=actor)


def through(world: Any) -> Request:
    """A request that went all the way."""
    request = make_request(world.item, world.requester)
    decide(request, world.manager)
    complete_task(tasks_of(request).get(), actor=world.worker)
    return request


def export(**options: Any) -> tuple[str, str]:
    """What the command wrote, and what it said."""
    out, said = io.StringIO(), io.StringIO()
    call_command("export_log", stdout=out, stderr=said, **options)
    return out.getvalue(), said.getvalue()


# --- live requests ---------------------------------------------------------------------------------------------------


def test_a_line_says_who_did_what_when_and_on_which_request(world):
    request = make_request(world.item, world.requester)
    decide(request, world.manager)
    submitted, decided = logged_events()
    assert submitted == LoggedEvent(
        case=request.number,
        activity="Submitted",
        at=request.submitted_at,
        resource="requester",
        role="requester",
        attributes={"number": request.number, "event": "request.submitted"},
    )
    assert decided == LoggedEvent(
        case=request.number,
        activity="Approval: approved",
        at=Event.objects.get(type="approval.decided").at,
        resource="manager",
        role="approver",
        attributes={
            "number": request.number,
            "event": "approval.decided",
            "step": "approve",
            "outcome": "approve",
        },
    )


def test_everything_that_people_do_has_its_name(world):
    request = make_request(world.item, world.requester)
    decide(request, world.manager, "return")
    add_comment(request, text="What is missing?", actor=world.requester)
    complete_task(tasks_of(request).get(status="open"), actor=world.requester)
    record_decision(Approval.objects.get(status="pending"), verdict="approve", actor=world.manager)
    task = tasks_of(request).get(status="open")
    claim_task(task, actor=world.worker)
    hold_request(request, reason="No parts", actor=world.lead)
    resume_request(request, actor=world.lead)
    add_comment(request, text="Between us", internal=True, actor=world.worker)
    release_task(task, actor=world.worker)
    complete_task(task, outcome="refused", comment="Too dear", actor=world.senior)
    reopen_request(request, reason="Not so", actor=world.requester)
    cancel_request(request, reason="No longer", actor=world.requester)
    assert lines() == [
        ("Submitted", "requester", "requester"),
        ("Approval: sent back", "manager", "approver"),
        ("Commented", "requester", ""),
        ("Mend: Done", "requester", "assignee"),
        ("Approval: approved", "manager", "approver"),
        ("Work: taken up", "worker", "assignee"),
        ("Put on hold", "lead", ""),
        ("Resumed", "lead", ""),
        ("Commented", "worker", ""),
        ("Work: given back", "worker", "assignee"),
        ("Work: Refused", "senior", "assignee"),
        ("Reopened", "requester", ""),
        ("Cancelled", "requester", ""),
    ]


def test_a_wait_that_ends_is_an_activity_of_the_product(world):
    make_request(make_item("waits", workflow=make_workflow(line_document("waits", WAIT))), world.requester)
    sweeps.run_sweeps(Timer.objects.get().due_at + timedelta(seconds=1))
    assert lines() == [("Submitted", "requester", "requester"), ("Pause: waited", "Service Flow", "")]


def test_a_draft_is_no_activity_until_it_is_cancelled(world):
    draft = create_request(world.item, Wish(data={}), actor=world.requester, submit=False)
    assert lines() == []
    cancel_request(draft, actor=world.requester)
    assert lines() == [("Cancelled", "requester", "")]


def test_times_are_in_the_zone_of_the_item(world):
    item = make_item("far", workflow=make_workflow(line_document("far", WAIT)), time_zone="Asia/Tokyo")
    at = datetime(2024, 7, 1, 23, 30, tzinfo=UTC)
    create_request(item, Wish(data={"reason": "so"}), actor=world.requester, at=at)
    (event,) = logged_events()
    assert event.at.isoformat() == "2024-07-02T08:30:00+09:00"


def test_requests_come_one_after_the_other_and_one_item_can_be_asked_for(world):
    first = make_request(world.item, world.requester)
    other = make_request(make_item("waits", workflow=make_workflow(line_document("waits", WAIT))), world.requester)
    decide(first, world.manager)
    assert [event.case for event in logged_events()] == [first.number, first.number, other.number]
    assert [event.case for event in logged_events(item="thing")] == [first.number, first.number]
    assert [event.case for event in logged_events(item="waits")] == [other.number]
    assert list(logged_events(item="nothing")) == []


def test_the_statements_do_not_grow_with_the_requests(world):
    counts = []
    for more in (1, 2):
        for _ in range(more):
            through(world)
        list(logged_events())
        with CaptureQueriesContext(
            connection,
        ) as statements:
            list(logged_events())
        counts.append([statement["sql"].partition(" FROM ")[2].split()[0] for statement in statements])
    assert counts[0] == counts[1]
    reads = ['"requests_request"', '"approvals_approval"', '"accounts_user"']
    assert [table for table in counts[0] if table in reads] == reads


def test_names_are_looked_up_once_and_chunks_do_not_show(world, monkeypatch):
    for _ in range(3):
        through(world)
    whole = list(logged_events())
    monkeypatch.setattr(eventlog, "TOGETHER", 2)
    with CaptureQueriesContext(connection) as statements:
        assert list(logged_events()) == whole
    assert sum('FROM "accounts_user"' in statement["sql"] for statement in statements) == 2


# --- imported history ------------------------------------------------------------------------------------------------


def imported(world: Any, *told: tuple[str, str, dict[str, Any]], origin: str = "import") -> Request:
    """A request from a log: what was published into its stream, as type, actor and data."""
    request = create_request(world.item, Wish(data={}), actor=world.requester, submit=False)
    Request.objects.filter(pk=request.pk).update(origin=origin, external_id="src:case-1:a")
    at = datetime(2020, 1, 1, 12, tzinfo=UTC)
    with transaction.atomic():
        (stream,) = lock_streams([request.pk])
        publish({stream: [NewEvent(type=kind, actor=who, role="CLERK", at=at, data=data) for kind, who, data in told]})
    return request


def test_an_imported_line_comes_out_in_the_words_of_its_log(world):
    worker = f"user:{world.worker.pk}"
    request = imported(
        world,
        ("request.submitted", worker, {}),
        ("wait.done", "system", {"step": "pause"}),
        ("task.completed", worker, {"activity": "Ticket solved", "outcome": "done", "step": "work"}),
    )
    assert [(event.case, event.activity, event.resource, event.role) for event in logged_events()] == [
        ("case-1:a", "Ticket solved", "worker", "CLERK")
    ]
    (event,) = logged_events()
    assert event.attributes == {
        "number": request.number,
        "event": "task.completed",
        "step": "work",
        "outcome": "done",
    }


def test_an_event_of_any_type_is_a_line_if_it_says_so(world):
    imported(world, ("request.first_response", "system", {"activity": "Seen"}))
    assert lines() == [("Seen", "Service Flow", "CLERK")]


def test_a_line_is_of_the_person_another_acted_for(world):
    data = {"activity": "Parked", "for": world.worker.pk}
    imported(world, ("request.held", f"user:{world.lead.pk}", data), ("request.held", "system", data))
    assert lines() == [("Parked", "worker", "CLERK")] * 2


@pytest.mark.parametrize("origin", ["import", "imported"])
def test_what_lines_led_to_is_left_out_and_what_people_did_afterwards_is_not(world, origin):
    worker = f"user:{world.worker.pk}"
    imported(
        world,
        ("comment.added", worker, {}),
        ("request.held", worker, {"activity": "Parked"}),
        ("request.resumed", worker, {}),
        origin=origin,
    )
    assert [activity for activity, *_ in lines()] == ["Parked", "Resumed"]


def test_a_live_request_has_no_lines_before_which_anything_is_left_out(world):
    imported(
        world,
        ("request.held", "user:1", {}),
        ("request.resumed", "user:1", {"activity": "Went on"}),
        origin="portal",
    )
    assert [activity for activity, *_ in lines()] == ["Put on hold", "Went on"]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(folder=tmp_path)


def read(path: Path, *names: str) -> list[tuple[str, ...]]:
    with open_log(path) as log:
        return [tuple(line.values[name] for name in names) for line in log.lines()]


@pytest.mark.parametrize("form", ["csv", "xes"])
def test_an_imported_log_comes_out_as_it_was(desk, form):
    """A wait between the lines fell due, another than the log's person put a request on hold, one was given up."""
    stopped = ("Stopped", "2024-03-05T07:00:00", "CHECKER")
    given_up = ("Given up", "2024-03-04T09:10:00", "ASKER")
    log = rows("b:2", *WHOLE[:3], stopped, SHIPPED, resource="anna") + rows("a", ASKED, given_up, resource="bo")
    desk.import_rows(*log)
    path = desk.folder / f"out.{form}"
    _, said = export(format=form, out=path)
    assert said == "exported 7 events of 2 cases\n"
    if form == "csv":
        found = read(path, "case_id", "activity", "timestamp", "role")
    else:
        found = read(path, "case:concept:name", "concept:name", "time:timestamp", "org:role")
    assert found == [(case, activity, f"{at}+01:00", role) for case, activity, at, _, role, _ in log]


def test_a_comment_the_workflow_writes_after_the_last_line_is_no_line(desk):
    workflow = desk.mapping["workflow"]
    workflow["steps"].append({"id": "thank", "kind": "action", "action": "comment", "with": {"text": "Thank you"}})
    workflow["transitions"][-1]["to"] = "thank"
    workflow["transitions"].append({"from": "thank", "to": "shipped"})
    desk.import_rows(*rows("1", *WHOLE))
    assert Event.objects.filter(type="comment.added").count() == 1
    assert [activity for activity, *_ in lines()] == ["Asked", "Checked", "Approved", "Shipped"]


def test_a_request_goes_on_live_under_the_case_of_its_log(desk):
    desk.import_rows(*rows("1", ASKED, CHECKED, WHOLE[2]), close=True)
    sweeps.run_sweeps(Timer.objects.get().due_at + timedelta(seconds=1))
    assert [(event.case, event.activity) for event in logged_events()] == [
        ("1", "Asked"),
        ("1", "Checked"),
        ("1", "Approved"),
        ("1", "Cooling off: waited"),
    ]


@pytest.mark.parametrize("limit", [80, pytest.param(None, marks=pytest.mark.long)])
def test_the_shipped_log_comes_out_line_by_line_as_far_as_it_was_accepted(tmp_path, limit):
    log, mapping = HISTORY / "declarations.csv.gz", HISTORY / "declarations.mapping.json"
    imported = import_log(log, mapping, table=tmp_path / "t", limit=limit)
    accepted = {row["case_id"]: int(row["accepted"]) for row in imported.table}
    of_case = defaultdict(list)
    for case, activity, at, role in read(log, "case_id", "activity", "timestamp", "role"):
        of_case[case].append((case, activity, datetime.fromisoformat(at), role))
    export(out=tmp_path / "log.csv")
    found = read(tmp_path / "log.csv", "case_id", "activity", "timestamp", "role")
    assert [(case, activity, datetime.fromisoformat(at), role) for case, activity, at, role in found] == [
        line for case, lines in of_case.items() for line in sorted(lines, key=itemgetter(2))[: accepted.get(case, 0)]
    ]


# --- the command -----------------------------------------------------------------------------------------------------


def test_csv_goes_to_standard_output_and_the_sum_to_standard_error(world):
    first, second = through(world), make_request(world.item, world.requester)
    out, said = export()
    table = list(csv.reader(io.StringIO(out, newline="")))
    header = ["case_id", "activity", "timestamp", "resource", "role", "number", "event", "step", "outcome"]
    assert table[0] == header
    assert [(row[0], row[1], *row[7:]) for row in table[1:]] == [
        (first.number, "Submitted", "", ""),
        (first.number, "Approval: approved", "approve", "approve"),
        (first.number, "Work: Done", "work", "done"),
        (second.number, "Submitted", "", ""),
    ]
    assert said == "exported 4 events of 2 cases\n"


def test_nothing_to_export_is_an_empty_log(db):
    assert export() == (
        "case_id,activity,timestamp,resource,role,number,event,step,outcome\r\n",
        "exported 0 events of 0 cases\n",
    )
    out, _ = export(format="xes")
    assert out.endswith('<classifier name="Activity" keys="concept:name"/>\n</log>\n')


def test_an_unknown_item_is_refused_with_those_there_are(world):
    make_item("aids", workflow=make_workflow(line_document("aids", WAIT)))
    with pytest.raises(CommandError, match=r"^There is no catalogue item 'thin'; there are aids, thing\.$"):
        export(item="thin")


def test_a_file_appears_when_it_is_complete_and_a_failure_leaves_the_older_one(world, tmp_path, monkeypatch):
    path = tmp_path / "log.csv"
    path.write_text("older")
    make_request(world.item, world.requester)
    with monkeypatch.context() as broken:
        broken.setattr(eventlog, "ZoneInfo", None)
        with pytest.raises(TypeError):
            export(out=path)
    assert (path.read_text(), list(tmp_path.iterdir())) == ("older", [path])
    assert export(out=path) == ("", "exported 1 events of 1 cases\n")
    assert path.read_text().startswith("case_id,")
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_to_is_named(db, tmp_path):
    with pytest.raises(CommandError, match="is no file"):
        export(out=tmp_path)
    with pytest.raises(CommandError, match="is no file"):
        export(out=Path(os.devnull))
    with pytest.raises(CommandError, match="No such file or directory"):
        export(out=tmp_path / "missing" / "log.csv")


@pytest.mark.parametrize("form", ["csv", "xes"])
def test_a_closed_pipe_ends_quietly(world, form):
    make_request(world.item, world.requester)
    reader, writer = os.pipe()
    os.close(reader)
    said = io.StringIO()
    with os.fdopen(writer, "w") as pipe:
        call_command("export_log", format=form, stdout=pipe, stderr=said)
    assert said.getvalue() == ""
