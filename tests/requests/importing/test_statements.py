"""What an import costs: the statements of a case, counted exactly, and memory that does not grow with the log."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.requests.importing.logs import ASKED, CHECKED, Desk, rows

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(folder=tmp_path)
    desk.import_rows(*rows("A0", ASKED, CHECKED))
    return desk


def statements(desk: Desk, *cases: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as found:
        desk.import_rows(*(line for case in cases for line in rows(case, ASKED, CHECKED)))
    return len(found)


def test_each_further_case_of_two_lines_costs_the_same_32_statements(desk):
    one, two, four = statements(desk, "B1"), statements(desk, "C1", "C2"), statements(desk, "D1", "D2", "D3", "D4")
    assert (two - one, four - two) == (32, 64)
