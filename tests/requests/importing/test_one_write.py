"""Several steps of a case in one write come to the same as each step in a write of its own, row by row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from apps.approvals.models import Approval, Decision, Seat
from apps.outbox.models import Event
from apps.requests.models import ImportedCase, RequestParticipant
from apps.requests.services.importing import replay
from apps.sla.models import SlaClock
from apps.workflows.models import StepVisit, Task, Timer, WorkflowRun
from tests.requests.importing.logs import ASKED, CHECKED, HISTORY, SHIPPED, WHOLE, Desk, import_log, rows

pytestmark = pytest.mark.django_db
IDS = {
    "id",
    "stream",
    "run",
    "visit",
    "approval",
    "level",
    "seat",
    "request",
    "note",
    "assignee",
    "by",
    "clock",
    "task",
}
STOPPED, GIVEN_UP = ("Stopped", "2024-03-04T12:00:00", "STORE"), ("Given up", "2024-03-04T12:30:00", "ASKER")
OFTEN: list[tuple[str, str, str]] = [("Remarked", f"2024-03-04T09:{n:02}:00", "CHECKER") for n in range(1, 20)]


def plain(row: Any) -> dict[str, Any]:
    """A row without what identifies it."""
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return {name: value for name, value in values.items() if name.removesuffix("_id") not in IDS}


def everything_of(case: ImportedCase) -> dict[str, Any]:
    """All that was written for a case, apart from ids, hashes and the names its source gives its people."""
    stream = case.request.stream
    told = Event.objects.filter(stream=stream).order_by("seq")
    of_stream = {"stream": stream}
    return {
        "events": [
            (event.seq, event.type, event.role, event.at, event.actor == "system", _data(event.data)) for event in told
        ],
        "run": [plain(row) | {"revision": 0} for row in WorkflowRun.objects.filter(**of_stream).order_by("n")],
        "visits": [plain(row) for row in StepVisit.objects.filter(run__stream=stream).order_by("run__n", "number")],
        "tasks": [plain(row) for row in Task.objects.filter(**of_stream).order_by("visit__run__n", "visit__number")],
        "timers": [plain(row) for row in Timer.objects.filter(**of_stream).order_by("id")],
        "clocks": [plain(row) for row in SlaClock.objects.filter(**of_stream).order_by("id")],
        "approvals": [plain(row) for row in Approval.objects.filter(**of_stream).order_by("id")],
        "seats": Seat.objects.filter(level__approval__stream=stream).count(),
        "decisions": [
            plain(row) for row in Decision.objects.filter(seat__level__approval__stream=stream).order_by("id")
        ],
        "participants": RequestParticipant.objects.filter(request=case.request).count(),
        "case": (case.accepted, case.status, case.step, case.reason, case.refused_at),
        "request": _request(case.request),
    }


def _data(data: dict[str, Any]) -> dict[str, Any]:
    ids = {*IDS, "seats", "note_mac", "row", "for", "comment", "group", "team", "pins", "item", "form", "rule"}
    return {key: value for key, value in data.items() if key not in ids}


def _request(request: Any) -> dict[str, Any]:
    names = ("status", "outcome", "stage", "revision", "created_at", "updated_at", "submitted_at", "ended_at", "data")
    return {name: getattr(request, name) for name in (*names, "held_from", "archive_at", "priority", "title")}


def imported_both_ways(import_as: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[ImportedCase, ImportedCase]]:
    """The cases of a log, imported as it is done, and again from another source with each step in its own write."""
    import_as("together")
    monkeypatch.setattr(replay, "STEPS_TOGETHER", 1)
    import_as("apart")
    apart = {row.case: row for row in ImportedCase.objects.filter(source="apart").select_related("request__stream")}
    together = ImportedCase.objects.filter(source="together").select_related("request__stream")
    return [(row, apart[row.case]) for row in together]


@pytest.mark.parametrize("cases", [20, pytest.param(60, marks=pytest.mark.long)])
def test_the_generated_log_comes_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cases: int):
    document = json.loads((HISTORY / "declarations.mapping.json").read_text())
    document["workflow"] = json.loads((HISTORY / "declarations.workflow.json").read_text())

    def import_as(source: str) -> None:
        mapping = tmp_path / "mapping.json"
        mapping.write_text(json.dumps({**document, "source": source}))
        import_log(HISTORY / "declarations.csv.gz", mapping, table=tmp_path / "cases.csv", limit=cases)

    pairs = imported_both_ways(import_as, monkeypatch)
    assert len(pairs) == cases
    for together, apart in pairs:
        assert everything_of(together) == everything_of(apart)


def test_the_help_desk_with_its_waits_and_work_that_comes_back_comes_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    document = json.loads((HISTORY / "helpdesk.mapping.json").read_text())
    document["workflow"] = json.loads((HISTORY / "helpdesk.workflow.json").read_text())
    told = ["Assign seriousness", "Take in charge ticket", "Wait", "Wait", "Take in charge ticket", "Resolve ticket",
            "Take in charge ticket", "Require upgrade", "Resolve ticket", "Closed", "Take in charge ticket",
            "Wait", "Resolve ticket", "Closed"]  # fmt: skip
    header = ("case_id", "activity", "timestamp", "resource", "customer", "product", "service_level", "service_type")
    lines = [(f"T{most}", name, f"2013-03-{4 + n:02}T10:00:00", f"V{n % 3}", "V7", "V1", "V2", "V1")
             for most in range(1, len(told) + 1) for n, name in enumerate(told[:most])]  # fmt: skip
    desk = Desk(folder=tmp_path)

    def import_as(source: str) -> None:
        desk.mapping = {**document, "source": source}
        outcome = desk.run(desk.write(lines, header=header))
        assert outcome.report["refused"] == {}

    pairs = imported_both_ways(import_as, monkeypatch)
    assert [together.status for together, _ in pairs].count("completed") == 2
    for together, apart in pairs:
        assert everything_of(together) == everything_of(apart), together.case


def test_holds_timers_breaches_and_refusals_come_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lines = [
        *rows("whole", *WHOLE),
        *rows("held", *WHOLE[:3], STOPPED, SHIPPED),
        *rows("given up", *WHOLE[:3], STOPPED, GIVEN_UP),
        *rows("late", ASKED, ("Checked", "2024-03-09T09:30:00", "CHECKER")),
        *rows("remarked", ASKED, *OFTEN, CHECKED),
        *rows("refused", ASKED, CHECKED, SHIPPED),
        *rows("drafted", ("Noted", "2024-03-01T09:00:00", "ASKER"), *WHOLE),
        *rows("turned down", ASKED, ("Turned down", CHECKED[1], "CHECKER")),
    ]

    def import_as(source: str) -> None:
        desk = Desk(folder=tmp_path)
        desk.mapping["source"] = source
        desk.import_rows(*lines)

    pairs = imported_both_ways(import_as, monkeypatch)
    assert len(pairs) == 8
    for together, apart in pairs:
        assert everything_of(together) == everything_of(apart), together.case
