"""Rows with anything in any place: an outcome each, which can be told as JSON, and never an exception."""

from __future__ import annotations

import json
from random import Random

from apps.calendars.business_time.rows import judge
from tests.calendars.test_rows import OFFICE, RIGHT

JUNK = [
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    -(10**400),
    1e308,
    "",
    "x",
    "2026-02-30",
    "2026-03-02T10:00:00",
    "49:00",
    "UTC",
    "America",
    "9999-12-31T23:59:59-12:00",
    "0001-01-01T00:00:00+14:00",
    "../x",
    "\ud800",
    [],
    {},
    [[]],
    [None],
    [["00:00", "48:00"]],
    {"mon": [["00:00", "24:00"]]},
    {"mon": None},
    {"2026-01-01": []},
    [["2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"]],
]
PLACES = ["pauses", "breaks", "holidays", "date_overrides", "end", "days"]


def test_whatever_a_row_holds_there_is_an_outcome() -> None:
    rng = Random(2026)
    for number in range(1500):
        row = dict(rng.choice(list(RIGHT.values())))
        for key in rng.sample([*row, *PLACES], rng.randint(1, 3)):
            row[key] = rng.choice(JUNK)
        found = judge(json.dumps(row), number=number)
        assert json.loads(json.dumps([found.expected, found.got]))[0] == found.expected


def test_where_no_interval_is_expected_one_that_is_there_is_told() -> None:
    row = {"id": "a", "kind": "open_intervals", "tz": "Etc/UTC", "week": OFFICE, "start": "2026-03-02T00:00:00Z"}
    found = judge(json.dumps(row | {"expected_intervals": []}))
    assert found.passed is False
    assert found.got[0] == ["2026-03-02T09:00:00+00:00", "2026-03-02T17:00:00+00:00"]
