"""Rows of business time: every kind, odd zones, odd calendars, and rows that cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.calendars.business_time.rows import judge

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFFICE = {day: [["09:00", "17:00"]] for day in DAYS[:5]}
GULF = {day: [["08:00", "16:00"]] for day in ("sun", "mon", "tue", "wed", "thu")}
ALWAYS = {day: [["00:00", "24:00"]] for day in DAYS}
NIGHTS = {day: [["22:00", "06:00"]] for day in DAYS}


def row(kind: str, **values: Any) -> dict[str, Any]:
    return {"id": "one", "kind": kind, "tz": "Etc/UTC", "week": OFFICE} | values


def outcome(kind: str, **values: Any) -> Any:
    return judge(json.dumps(row(kind, **values)))


def pair(low: str, high: str) -> list[str]:
    return [low, high]


ONE_DAY = {"2026-07-01": [["09:00", "17:00"]]}
RIGHT = {
    "Lord Howe moves by half an hour: a night is half an hour shorter": row(
        "between",
        tz="Australia/Lord_Howe",
        week={"sat": [["22:00", "06:00"]]},
        start="2026-10-03T12:00:00+10:30",
        end="2026-10-04T12:00:00+11:00",
        expected_s=27_000,
    ),
    "Lord Howe back: half an hour longer": row(
        "between",
        tz="Australia/Lord_Howe",
        week={"sat": [["22:00", "06:00"]]},
        start="2026-04-04T12:00:00+11:00",
        end="2026-04-05T12:00:00+10:30",
        expected_s=30_600,
    ),
    "Lord Howe: a missing wall time moves by the half hour": row(
        "wall_to_instant",
        tz="Australia/Lord_Howe",
        week={},
        local_date="2026-10-04",
        local_time="02:10",
        expected="2026-10-04T02:40:00+11:00",
    ),
    "Beirut's day begins at one where midnight is missing": row(
        "open_intervals",
        tz="Asia/Beirut",
        week=ALWAYS,
        holidays=["2026-03-28"],
        start="2026-03-28T12:00:00+02:00",
        end="2026-03-29T12:00:00+03:00",
        expected_intervals=[pair("2026-03-29T01:00:00+03:00", "2026-03-29T12:00:00+03:00")],
    ),
    "Havana: a window from a missing midnight": row(
        "next_open",
        tz="America/Havana",
        week={"sun": [["00:00", "04:00"]]},
        start="2026-03-07T12:00:00-05:00",
        expected="2026-03-08T01:00:00-04:00",
    ),
    "Havana: midnight comes twice, the first one counts": row(
        "between",
        tz="America/Havana",
        week={"sun": [["00:00", "04:00"]]},
        start="2026-10-31T12:00:00-04:00",
        end="2026-11-01T12:00:00-05:00",
        expected_s=5 * 3600,
    ),
    "Asuncion 2023: a night over a missing midnight": row(
        "add",
        tz="America/Asuncion",
        week={"sat": [["22:00", "26:00"]]},
        start="2023-09-30T12:00:00-04:00",
        duration_s=3 * 3600,
        expected="2023-10-01T02:00:00-03:00",
    ),
    "Apia skipped a Friday: it is no business day, and does not open on the Saturday": row(
        "between",
        tz="Pacific/Apia",
        start="2011-12-29T17:00:00-10:00",
        end="2012-01-02T09:00:00+14:00",
        expected_s=0,
    ),
    "Apia: one business day on from the Thursday is the Monday": row(
        "add_days",
        tz="Pacific/Apia",
        start="2011-12-29T10:00:00-10:00",
        days=1,
        expected="2012-01-02T10:00:00+14:00",
    ),
    "Apia: a wall time of the missing day moves on by a day": row(
        "wall_to_instant",
        tz="Pacific/Apia",
        week={},
        local_date="2011-12-30",
        local_time="10:00",
        expected="2011-12-31T10:00:00+14:00",
    ),
    "Apia: a night over the missing day lasts as long as any": row(
        "between",
        tz="Pacific/Apia",
        week={"thu": [["22:00", "06:00"]]},
        start="2011-12-29T12:00:00-10:00",
        end="2012-01-02T00:00:00+14:00",
        expected_s=8 * 3600,
    ),
    "a Gulf week goes on from Thursday to Sunday": row(
        "add",
        tz="Asia/Dubai",
        week=GULF,
        start="2026-03-05T15:00:00+04:00",
        duration_s=7200,
        expected="2026-03-08T09:00:00+04:00",
    ),
    "a window that ends at 00:00 ends at midnight": row(
        "next_close",
        week={"fri": [["18:00", "00:00"]]},
        start="2026-03-06T20:00:00Z",
        expected="2026-03-07T00:00:00Z",
    ),
    "other projects close a day a microsecond before its midnight": row(
        "next_close",
        week={"fri": [["18:00", "24:00"]]},
        start="2026-03-06T20:00:00Z",
        expected="2026-03-06T23:59:59.999999Z",
    ),
    "26:00 is two o'clock of the next day": row(
        "next_close",
        week={"fri": [["18:00", "26:00"]]},
        start="2026-03-06T20:00:00Z",
        expected="2026-03-07T02:00:00Z",
    ),
    "what is always open never closes": row("next_close", week=ALWAYS, start="2026-03-06T20:00:00Z", expected=None),
    "what never opens has no next opening": row("next_open", week={}, start="2026-03-06T20:00:00Z", expected=None),
    "what opened once was not open before it": row(
        "prev_open",
        week={},
        date_overrides={"2026-03-09": [["09:00", "17:00"]]},
        start="2026-03-06T20:00:00Z",
        expected=None,
    ),
    "windows that touch at midnight are one": row(
        "open_intervals",
        week={"mon": [["20:00", "24:00"]], "tue": [["00:00", "02:00"]]},
        start="2026-03-02T00:00:00Z",
        expected_intervals=[pair("2026-03-02T20:00:00+00:00", "2026-03-03T02:00:00+00:00")],
    ),
    "the same time told window by window is right too": row(
        "open_intervals",
        week={"mon": [["20:00", "24:00"]], "tue": [["00:00", "02:00"]]},
        start="2026-03-02T00:00:00Z",
        expected_intervals=[
            pair("2026-03-02T20:00:00Z", "2026-03-03T00:00:00Z"),
            pair("2026-03-03T00:00:00Z", "2026-03-03T02:00:00Z"),
        ],
    ),
    "days that are open all round, told day by day": row(
        "open_intervals",
        week=ALWAYS,
        start="2026-03-02T00:00:00Z",
        expected_intervals=[
            pair("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"),
            pair("2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z"),
        ],
    ),
    "a night before a holiday ends at its midnight, the holiday's own night goes on after it": row(
        "open_intervals",
        week=NIGHTS,
        holidays=["2026-12-25"],
        start="2026-12-24T12:00:00Z",
        end="2026-12-26T12:00:00Z",
        expected_intervals=[
            pair("2026-12-24T22:00:00Z", "2026-12-25T00:00:00Z"),
            pair("2026-12-26T00:00:00Z", "2026-12-26T06:00:00Z"),
        ],
    ),
    "an override replaces the week": row(
        "is_open",
        date_overrides={"2026-03-07": [["10:00", "12:00"]]},
        start="2026-03-07T11:00:00Z",
        expected=True,
    ),
    "a week without windows is closed": row("is_open", week={}, start="2026-03-06T11:00:00Z", expected=False),
    "and opens where an override says so": row(
        "add",
        week={},
        date_overrides={"2026-03-07": [["10:00", "12:00"]]},
        start="2026-03-02T11:00:00Z",
        duration_s=3600,
        expected="2026-03-07T11:00:00Z",
    ),
    "a closed stretch has no intervals": row(
        "open_intervals",
        start="2026-03-07T00:00:00Z",
        end="2026-03-09T00:00:00Z",
        expected_intervals=[],
    ),
    "a break that ends at 00:00": row(
        "between",
        week={"mon": [["18:00", "26:00"]]},
        breaks={"mon": [["23:30", "00:00"]]},
        start="2026-03-02T00:00:00Z",
        end="2026-03-03T12:00:00Z",
        expected_s=27_000,
    ),
    "a break after the midnight of its night": row(
        "between",
        week={"mon": [["22:00", "26:00"]]},
        breaks={"mon": [["24:30", "25:00"]]},
        start="2026-03-02T00:00:00Z",
        end="2026-03-03T12:00:00Z",
        expected_s=3.5 * 3600,
    ),
    "a window after the midnight of its date": row(
        "next_open", week={"mon": [["25:00", "26:00"]]}, start="2026-03-02T00:00:00Z", expected="2026-03-03T01:00:00Z"
    ),
    "what opens on one date only opens then": row(
        "next_open", week={}, date_overrides=ONE_DAY, start="2026-06-01T00:00:00Z", expected="2026-07-01T09:00:00Z"
    ),
    "and was open until then": row(
        "prev_open", week={}, date_overrides=ONE_DAY, start="2026-07-03T00:00:00Z", expected="2026-07-01T17:00:00Z"
    ),
    "all the hours there are suffice": row(
        "add",
        week={},
        date_overrides=ONE_DAY,
        start="2026-06-01T00:00:00Z",
        duration_s=8 * 3600,
        expected="2026-07-01T17:00:00Z",
    ),
    "backwards too": row(
        "add",
        week={},
        date_overrides=ONE_DAY,
        start="2026-07-03T00:00:00Z",
        duration_s=-8 * 3600,
        expected="2026-07-01T09:00:00Z",
    ),
    "the one business day there is": row(
        "add_days",
        week={},
        date_overrides=ONE_DAY,
        start="2026-06-01T08:00:00Z",
        days=1,
        expected="2026-07-01T09:00:00Z",
    ),
    "a business day that lands in a pause goes on after it": row(
        "add_days",
        pauses=[pair("2026-03-03T09:00:00Z", "2026-03-03T12:00:00Z")],
        start="2026-03-02T10:00:00Z",
        days=1,
        expected="2026-03-03T12:00:00Z",
    ),
    "stretches may be told as what is expected": row(
        "open_intervals",
        start="2026-03-02T00:00:00Z",
        expected=[pair("2026-03-02T09:00:00Z", "2026-03-02T17:00:00Z")],
    ),
    "backwards over a weekend": row(
        "add",
        start="2026-03-09T10:00:00Z",
        duration_s=-7200,
        expected="2026-03-06T16:00:00Z",
    ),
    "a pause before the start costs nothing": row(
        "add",
        pauses=[pair("2026-03-01T00:00:00Z", "2026-03-02T10:00:00Z")],
        start="2026-03-02T16:00:00Z",
        duration_s=3600,
        expected="2026-03-02T17:00:00Z",
    ),
    "a pause outside the hours leaves what is due at closing time there": row(
        "add",
        pauses=[
            pair("2026-03-02T17:00:00Z", "2026-03-03T08:00:00Z"),
            pair("2026-03-01T00:00:00Z", "2026-03-01T12:00:00Z"),
        ],
        start="2026-03-02T09:00:00Z",
        duration_s=8 * 3600,
        expected="2026-03-02T17:00:00Z",
    ),
    "pauses that overlap, in any order, count once": row(
        "add",
        pauses=[
            pair("2026-03-02T11:00:00Z", "2026-03-02T13:00:00Z"),
            pair("2026-03-02T10:00:00Z", "2026-03-02T12:00:00Z"),
        ],
        start="2026-03-02T09:00:00Z",
        duration_s=2 * 3600,
        expected="2026-03-02T14:00:00Z",
    ),
    "a pause counted backwards": row(
        "add",
        pauses=[pair("2026-03-02T10:00:00Z", "2026-03-02T12:00:00Z")],
        start="2026-03-02T13:00:00Z",
        duration_s=-7200,
        expected="2026-03-02T09:00:00Z",
    ),
    "a paused stretch does not count": row(
        "between",
        pauses=[pair("2026-03-02T10:00:00Z", "2026-03-02T12:00:00Z")],
        start="2026-03-02T09:00:00Z",
        end="2026-03-02T17:00:00Z",
        expected_s=6 * 3600,
    ),
    "nothing is open in a pause": row(
        "is_open",
        pauses=[pair("2026-03-02T10:00:00Z", "2026-03-02T12:00:00Z")],
        start="2026-03-02T10:00:00Z",
        expected=False,
    ),
    "a pause is an end of the open time": row(
        "next_close",
        pauses=[pair("2026-03-02T10:00:00Z", "2026-03-02T12:00:00Z")],
        start="2026-03-02T09:00:00Z",
        expected="2026-03-02T10:00:00Z",
    ),
    "and opens again when it ends": row(
        "next_open",
        pauses=[pair("2026-03-02T10:00:00Z", "2026-03-02T12:00:00Z")],
        start="2026-03-02T11:00:00Z",
        expected="2026-03-02T12:00:00Z",
    ),
    "the open time before a pause": row(
        "prev_open",
        pauses=[pair("2026-03-02T10:00:00Z", "2026-03-02T12:00:00Z")],
        start="2026-03-02T11:00:00Z",
        expected="2026-03-02T10:00:00Z",
    ),
    "counted back from an opening, the time that was open before it ends at the closing": row(
        "prev_open",
        start="2026-03-02T09:00:00Z",
        expected="2026-02-27T17:00:00Z",
    ),
    "counted back from the end of a pause, where the pause began": row(
        "prev_open",
        pauses=[pair("2026-03-02T10:00:00Z", "2026-03-02T12:00:00Z")],
        start="2026-03-02T12:00:00Z",
        expected="2026-03-02T10:00:00Z",
    ),
    "windows that touch have no closing between them": row(
        "prev_open",
        week={"mon": [["09:00", "12:00"], ["12:00", "17:00"]]},
        start="2026-03-02T12:00:00Z",
        expected="2026-03-02T12:00:00Z",
    ),
    "windows that overlap are taken together, on a day and over midnight": row(
        "between",
        week={"sun": [["22:00", "10:00"]], "mon": [["09:00", "12:00"], ["11:00", "13:00"]]},
        start="2026-03-01T00:00:00Z",
        end="2026-03-03T00:00:00Z",
        expected_s=15 * 3600,
    ),
    "breaks that overlap too, and a break may run over midnight": row(
        "open_intervals",
        week={"mon": [["18:00", "02:00"]]},
        breaks={"mon": [["23:30", "00:30"], ["20:00", "21:00"], ["20:30", "21:30"]]},
        start="2026-03-02T00:00:00Z",
        end="2026-03-04T00:00:00Z",
        expected_intervals=[
            pair("2026-03-02T18:00:00Z", "2026-03-02T20:00:00Z"),
            pair("2026-03-02T21:30:00Z", "2026-03-02T23:30:00Z"),
            pair("2026-03-03T00:30:00Z", "2026-03-03T02:00:00Z"),
        ],
    ),
    "from 00:00 to 00:00 is the whole day": row(
        "between",
        week={"mon": [["00:00", "00:00"]]},
        start="2026-03-01T12:00:00Z",
        end="2026-03-04T12:00:00Z",
        expected_s=86_400,
    ),
    "what other projects answer is right too": row(
        "add",
        start="2026-03-02T16:00:00Z",
        duration_s=3600,
        boundary=True,
        expected="2026-03-03T09:00:00Z",
        expected_also=["2026-03-02T17:00:00Z"],
    ),
    "a reversed pair is none": row(
        "between",
        start="2026-03-03T09:00:00Z",
        end="2026-03-02T09:00:00Z",
        disputed=True,
        expected_s=-28_800,
        expected_also=0,
    ),
    "fractions of a second": row(
        "between",
        start="2026-03-02T09:00:00.250Z",
        end="2026-03-02T09:00:01Z",
        expected_s=0.75,
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_odd_rows_are_answered(name: str) -> None:
    found = judge(json.dumps(RIGHT[name]))
    assert (found.passed, found.kind) == (True, RIGHT[name]["kind"]), found


def test_a_wrong_answer_is_told_with_the_one_expected() -> None:
    found = outcome("add", start="2026-03-02T16:00:00Z", duration_s=60, expected="2026-03-02T16:02:00Z")
    assert (found.passed, found.id) == (False, "one")
    assert (found.expected, found.got) == ("2026-03-02T16:02:00Z", "2026-03-02T16:01:00+00:00")


def test_two_microseconds_are_a_difference() -> None:
    found = outcome("add", start="2026-03-02T16:00:00Z", duration_s=60, expected="2026-03-02T16:01:00.000002Z")
    assert (found.passed, found.got) == (False, "2026-03-02T16:01:00+00:00")


def test_an_interval_more_than_expected_until_the_end_is_wrong() -> None:
    found = outcome(
        "open_intervals", start="2026-03-02T00:00:00Z", end="2026-03-04T00:00:00Z",
        expected_intervals=[pair("2026-03-02T09:00:00Z", "2026-03-02T17:00:00Z")],
    )  # fmt: skip
    assert found.passed is False
    assert found.got[1] == ["2026-03-03T09:00:00+00:00", "2026-03-03T17:00:00+00:00"]


ADD = {"start": "2026-03-02T10:00:00Z", "duration_s": 60, "expected": "2026-03-02T10:01:00Z"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "guess"}, "kind: 'guess' is none of add, between"),
        ({"kind": ["add"]}, "kind: \"['add']\" is none of"),
        ({"kind": None}, "kind: Is missing."),
        ({"tz": "Europe/Nowhere"}, "tz: “Europe/Nowhere” is no time zone"),
        ({"tz": None}, "tz: Is missing."),
        ({"tz": 3}, "tz: “3” is no time zone"),
        ({"tz": "right/Europe/Amsterdam"}, "tz: “right/Europe/Amsterdam” is no time zone"),
        ({"week": None}, "week: Is missing."),
        ({"week": []}, "week: Must be an object."),
        ({"week": {"monday": []}}, "week: 'monday' is no day"),
        ({"week": {"mon": "09:00-17:00"}}, "mon: Must be a list."),
        ({"week": {"mon": [["26:00", "25:00"]]}}, "week.mon: “26:00-25:00” ends before it starts"),
        ({"week": {"mon": [["09:00", "09:00"]]}}, "week.mon: “09:00-09:00” ends before it starts"),
        ({"week": {"mon": [[9, 17]]}}, "week.mon: '[9, 17]' is no text."),
        ({"week": {"mon": [["9", "17"]]}}, "week.mon: “9-17” is no window"),
        ({"holidays": ["2026-02-30"]}, "holidays.2026-02-30: No date"),
        ({"holidays": [{}]}, "holidays: '{}' is no text."),
        ({"holidays": {"2026-01-01": 1}}, "holidays: Must be a list."),
        ({"date_overrides": {"24.12.": []}}, "date_overrides.24.12.: No date"),
        ({"start": None}, "start: Is missing."),
        ({"start": "2026-03-02T10:00:00"}, "start: '2026-03-02T10:00:00' has no offset from UTC."),
        ({"start": "yesterday"}, "start: 'yesterday' is no time"),
        ({"start": 1772445600}, "start: '1772445600' is no text."),
        ({"duration_s": None}, "duration_s: Is missing."),
        ({"duration_s": "60"}, "duration_s: '60' is no number."),
        ({"duration_s": True}, "duration_s: 'True' is no number."),
        ({"duration_s": 10**12}, "duration_s: Not a length of time that can be counted."),
        ({"duration_s": 10**400}, "int too large to convert to float"),
        ({"duration_s": 10**11}, "start: This leads out of the years 1900 to 2500."),
        ({"start": "9999-12-31T23:59:59Z"}, "start: This leads out of the years 1900 to 2500."),
        ({"week": {}}, "week: The calendar never opens."),
        ({"week": {}, "duration_s": -60}, "week: The calendar never opens."),
        ({"week": {}, "kind": "add_days", "days": 1}, "week: The calendar never opens."),
        ({"week": {"mon": [["09:00", "17:00"]]}, "breaks": {"mon": [["08:00", "18:00"]]}}, "week: The calendar never"),
        (
            {"week": {}, "date_overrides": {"2026-03-02": [["09:00", "10:00"]]}},
            "week: The week never opens, and the hours of single dates do not suffice.",
        ),
        ({"kind": "between", "end": "9999-12-31T23:59:59Z"}, "start, end: This leads out of the years 1900 to 2500."),
        ({"expected": None}, "expected: 'None' is no text."),
        ({"expected": "2026-03-02T10:01:00"}, "expected: '2026-03-02T10:01:00' has no offset from UTC."),
        ({"pauses": [["2026-03-02T11:00:00Z", "2026-03-02T10:00:00Z"]]}, "pauses: One ends before it starts."),
        ({"pauses": [["2026-03-02T11:00:00Z"]]}, "pauses: Must be a list of pairs of times."),
        ({"kind": "between"}, "end: Is missing."),
        ({"kind": "add_days", "days": 1.5}, "days: 1.5 is no whole number."),
        ({"kind": "add_days", "days": 10**9}, "start: This leads out of the years 1900 to 2500."),
        ({"kind": "wall_to_instant", "local_date": "2026-02-30", "local_time": "9"}, "local_date: '2026-02-30' is no"),
        ({"kind": "wall_to_instant", "local_date": "2026-02-03", "local_time": "9"}, "local_time: “9” is no time"),
        ({"kind": "open_intervals"}, "expected_intervals: Is missing."),
        ({"kind": "next_open", "start": "1700-01-01T00:00:00Z"}, "start: This leads out of the years 1900"),
        ({"kind": "is_open"}, "expected: '2026-03-02T10:01:00Z' is neither true nor false."),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_read_fails_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    found = judge(json.dumps(row("add", **ADD) | changes))
    assert (found.passed, found.id) == (False, "one")
    assert found.got.startswith(reason)


def test_a_row_that_expects_nothing_is_none_that_expects_no_instant() -> None:
    found = outcome("next_close", week=ALWAYS, start="2026-03-02T10:00:00Z")
    assert (found.passed, found.got) == (False, "expected: Is missing.")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "This is not JSON: "),
        (b"[]", "A row is a JSON object."),
        (b"\xff{}", "This is not UTF-8."),
        (b"[" * 100_000, "This is nested too deeply."),
        (b'{"id": NaN}', "This is not JSON: NaN is none of its numbers."),
        (b'{"id": ' + b"9" * 5000 + b"}", "This is not JSON: Exceeds the limit"),
        (b"{}", "kind: Is missing."),
    ],
)
def test_a_line_that_is_no_row_is_named_by_its_number(line: bytes, reason: str) -> None:
    found = judge(line, number=7)
    assert (found.passed, found.id, found.expected) == (False, "line 7", None)
    assert found.got.startswith(reason)
