"""Mistakes in a log or its mapping: named by line or key, never half-imported; `strict` stops."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError

from apps.accounts.models import User
from apps.requests.models import CatalogItem, Request
from apps.workflows.models import Workflow
from tests.factories import row_counts
from tests.requests.importing.logs import ASKED, CHECKED, HEADER, MAPPING, WHOLE, Desk, rows, steady

pytestmark = pytest.mark.django_db
GOOD = rows("A1", *WHOLE)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(folder=tmp_path)


def with_bad(desk: Desk, bad: bytes) -> Path:
    """A log with a good case before and after two lines of a case of which the second is bad."""
    good = desk.write([*rows("A0", *WHOLE), *rows("A2", ASKED)]).read_bytes()
    return desk.write_text(good + bad + b"\n" + desk.write(GOOD).read_bytes().partition(b"\n")[2])


BAD_LINES = {
    "unknown activity": (b"A2,Dropped,2024-03-04T09:30:00,SOMEBODY,CHECKER,1", "unknown activity 'Dropped'"),
    "unknown role": (b"A2,Checked,2024-03-04T09:30:00,SOMEBODY,WIZARD,1", "unknown role 'WIZARD'"),
    "no time": (b"A2,Checked,yesterday,SOMEBODY,CHECKER,1", "the time cannot be read"),
    "empty time": (b"A2,Checked,,SOMEBODY,CHECKER,1", "the time cannot be read"),
    "first year": (b"A2,Checked,0001-01-01T00:00:00+01:00,SOMEBODY,CHECKER,1", "the time cannot be read"),
    "far future": (b"A2,Checked,9999-12-31T23:59:59,SOMEBODY,CHECKER,1", "the time is not within 1950 to 2199"),
    "too few values": (b"A2,Checked", "has 2 values, the header has 6"),
    "too many values": (b"A2,Checked,2024-03-04T09:30:00,SOMEBODY,CHECKER,1,2", "has 7 values, the header has 6"),
    "encoding": (b"A2,Checked,2024-03-04T09:30:00,M\xfcller,CHECKER,1", "is not valid utf-8"),
    "NUL": (b"A2,Checked,2024-03-04T09:30:00,\0,CHECKER,1", "holds a NUL character"),
    "open quote": (b'A2,Checked,2024-03-04T09:30:00,"SOMEBODY,CHECKER,1', "is no CSV: unexpected end of data"),
}


@pytest.mark.parametrize(("bad", "reason"), BAD_LINES.values(), ids=list(BAD_LINES))
def test_a_case_with_a_bad_line_is_skipped_and_counted_and_the_line_is_named(desk, bad, reason):
    outcome = desk.run(with_bad(desk, bad))
    assert steady(outcome.report) == {
        "cases": 3,
        "accepted": 8,
        "refused": {reason: 1},
        "final": {"completed": 2, "none": 1},
    }
    assert f"line 7 (case 'A2'): {reason}" in outcome.said
    assert outcome.case("A2") == {
        "case_id": "A2",
        "number": "",
        "status": "none",
        "step": "",
        "accepted": "0",
        "refused_at": "",
        "reason": reason,
    }


@pytest.mark.parametrize(("bad", "reason"), BAD_LINES.values(), ids=list(BAD_LINES))
def test_strict_stops_at_the_bad_line(desk, bad, reason):
    with pytest.raises(CommandError, match="line 7") as stopped:
        desk.run(with_bad(desk, bad), strict=True)
    assert reason in str(stopped.value)
    assert not Request.objects.filter(external_id="old-desk:A2").exists()


def test_a_skipped_case_is_tried_again_once_its_log_is_mended(desk):
    desk.run(with_bad(desk, BAD_LINES["no time"][0]))
    outcome = desk.import_rows(*rows("A0", *WHOLE), *rows("A2", ASKED, CHECKED))
    assert outcome.case("A2")["step"] == "boss"


def test_a_line_without_a_case_is_counted(desk):
    outcome = desk.import_rows(*rows("A1", ASKED), *rows("", CHECKED))
    assert outcome.report["refused"] == {"a line without a case": 1}
    assert "line 3: it names no case" in outcome.said
    with pytest.raises(CommandError, match="line 3: it names no case"):
        desk.import_rows(*rows("A1", ASKED), *rows("", CHECKED), strict=True)


def test_lines_out_of_order_are_put_in_order_and_strict_names_the_first(desk):
    lines = [GOOD[1], GOOD[3], GOOD[0], GOOD[2]]
    with pytest.raises(CommandError, match="line 4: earlier than a line of case 'A1' before it"):
        desk.import_rows(*lines, strict=True)
    assert not Request.objects.exists()
    assert desk.import_rows(*lines).case("A1")["step"] == "shipped"


def test_of_equal_times_the_order_in_the_file_counts(desk):
    together = [(activity, ASKED[1], role) for activity, _, role in WHOLE[:3]]
    outcome = desk.import_rows(*rows("A1", *together), strict=True)
    assert (outcome.case("A1")["step"], outcome.case("A1")["accepted"]) == ("pause", "3")


def test_a_missing_column_stops_before_anything_is_written(desk):
    log = desk.write([row[:5] for row in GOOD], header=("case_id", "activity", "when", "resource", "role"))
    with pytest.raises(CommandError) as stopped:
        desk.run(log)
    text = str(stopped.value)
    assert "columns/timestamp: The log has no column 'timestamp'; it has case_id, activity, when" in text
    assert "request/data/amount/amount: The log has no column 'amount'" in text
    assert not Request.objects.exists()


BAD_MAPPINGS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"speed": 3}, "'speed' was unexpected"),
    "source": ({"source": "Old Desk"}, "source"),
    "no activities": ({"activities": {}}, "activities"),
    "two calls": ({"activities": {"Asked": {"do": [{"submit": {}, "save": {}}]}}}, "activities/Asked/do/0"),
    "no call": ({"activities": {"Asked": {"do": [{"at": "check"}]}}}, "activities/Asked/do/0: A way holds exactly one"),
    "unknown verb": ({"activities": {"Asked": {"do": [{"fly": {}}]}}}, "activities/Asked/do/0"),
    "role of an activity": (
        {"activities": {"Asked": {"role": "WIZARD", "do": [{"submit": {}}]}}},
        "activities/Asked/role: 'WIZARD' is not among the roles",
    ),
    "time zone": ({"log": {"time_zone": "Mars/Olympus"}}, "log/time_zone: 'Mars/Olympus' is not a time zone"),
    "unknown item": ({"item": "sledge", "workflow": "none.json"}, "none.json: It cannot be read"),
    "guard": (
        {"item": MAPPING["item"] | {"rules": [{"name": "x", "guard": "((", "workflow": "ladder"}]}},
        "item/rules/0/guard",
    ),
    "form": (
        {
            "item": {
                "slug": "ladder",
                "name": "L",
                "form": {"fields": [{"name": "x", "type": "colour"}]},
                "rules": [{"name": "x", "workflow": "ladder"}],
            }
        },
        "item/form/fields/0: x: the type 'colour'",
    ),
    "workflow": (
        {"workflow": {"format": 1, "workflow": "ladder", "name": "L", "steps": [], "transitions": []}},
        "steps",
    ),
}


@pytest.mark.parametrize(("change", "told"), BAD_MAPPINGS.values(), ids=list(BAD_MAPPINGS))
def test_a_wrong_mapping_is_refused_by_its_key_and_leaves_nothing_behind(desk, change, told):
    before = (row_counts(), User.objects.count())
    desk.mapping |= change
    with pytest.raises(CommandError) as stopped:
        desk.import_rows(*GOOD)
    assert told in str(stopped.value)
    assert (row_counts(), User.objects.count()) == before
    assert not Workflow.objects.exists()
    assert not CatalogItem.objects.exists()


@pytest.mark.parametrize(
    ("way", "told"),
    [
        (
            {"at": "chekc", "complete": {"outcome": "ok"}},
            "activities/Checked/do/0/at: the workflow has no step 'chekc'.",
        ),
        ({"complete": {"outcome": "fine"}}, "activities/Checked/do/0/complete/outcome: no task has an outcome 'fine'"),
        ({"at": "check", "decide": {"verdict": "approve"}}, "none of these steps is of kind 'approval'"),
    ],
)
def test_a_mapping_that_leads_nowhere_skips_the_cases_with_that_activity(desk, way, told):
    desk.mapping["activities"]["Checked"]["do"] = [way]
    outcome = desk.import_rows(*GOOD, *rows("A2", ASKED))
    assert told in outcome.said
    assert outcome.report["final"] == {"none": 1, "submitted": 1}
    (reason,) = outcome.report["refused"]
    assert told in reason
    with pytest.raises(CommandError) as stopped:
        desk.import_rows(*GOOD, strict=True)
    assert told in str(stopped.value)


def test_a_workflow_that_is_live_with_another_document_is_never_replaced(desk):
    desk.import_rows(*GOOD)
    desk.mapping["workflow"]["name"] = "Another ladder"
    with pytest.raises(CommandError, match="The workflow 'ladder' is published with another document"):
        desk.import_rows(*GOOD)
    assert Workflow.objects.get().name == "Ladder"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\n\n", "has no header"),
        (b"case_id,case_id\n", "has two columns named 'case_id'"),
        (gzip.compress(",".join(HEADER).encode() + b"\nA" * 20_000)[:-9], "breaks off: the compressed data has no end"),
        (b"<log><trace>", "is no well-formed XML"),
        (b'<!DOCTYPE l [<!ENTITY a "b">]><log>&a;</log>', "holds a DTD or entities, which are not read"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_so(desk, content, told):
    with pytest.raises(CommandError) as stopped:
        desk.run(desk.write_text(content))
    assert told in str(stopped.value)
    assert not Request.objects.exists()


def test_a_file_that_is_not_there_is_said_so(desk, tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(CommandError, match=r"No such file|Is a directory"):
            desk.run(path)


def test_a_later_import_of_a_broken_table_leaves_no_table(desk, tmp_path):
    with pytest.raises(CommandError, match="cannot"):
        desk.import_rows(*rows("A1", ("Checked", "never", "CHECKER")), strict=True)
    assert not (tmp_path / "cases.csv").exists()
