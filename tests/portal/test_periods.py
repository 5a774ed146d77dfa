"""Periods as pages ask for them: what counts, and what is said of days that are none. Pure."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlencode

import pytest
from django.http import QueryDict

from apps.portal.periods import Days

BEGINNING, NOW = "So everything from the beginning is shown.", "So everything up to now is shown."


def asked(**query: str) -> Days:
    return Days.asked_by(QueryDict(urlencode({name.strip("_"): value for name, value in query.items()})))


@pytest.mark.parametrize(
    "query", [{}, {"from_": ""}, {"from_": "2026-02-01", "to": "2026-02-01"}, {"to": "2199-12-31"}]
)
def test_nothing_is_said_of_a_period_that_is_one(query: dict[str, str]) -> None:
    assert asked(**query).problems == {}


@pytest.mark.parametrize(
    ("query", "shown", "problems"),
    [
        ({"from_": "2025-02-30"}, Days(), {"from": f"“2025-02-30” is not a day of the calendar. {BEGINNING}"}),
        ({"to": "abc"}, Days(), {"to": f"“abc” is not a day of the calendar. {NOW}"}),
        (
            {"from_": "2026-02-01", "to": "9999-12-31"},
            Days(first=date(2026, 2, 1)),
            {"to": f"“9999-12-31” is too far off: a day from 1970 to 2199 is needed. {NOW}"},
        ),
        ({"from_": "\x00"}, Days(), {"from": f"What the address says is not a day of the calendar. {BEGINNING}"}),
        ({"from_": "9" * 31}, Days(), {"from": f"What the address says is not a day of the calendar. {BEGINNING}"}),
        (
            {"from_": "2026-02-02", "to": "2026-02-01"},
            Days(first=date(2026, 2, 2)),
            {
                "to": "1 Feb 2026 is before 2 Feb 2026, with which the period begins. "
                "So everything since 2 Feb 2026 is shown."
            },
        ),
    ],
)
def test_a_wrong_day_counts_as_not_named_and_is_told_at_its_field(
    query: dict[str, str], shown: Days, problems: dict[str, str]
) -> None:
    found = asked(**query)
    assert (found, found.problems) == (shown, problems)
