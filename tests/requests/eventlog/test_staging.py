from __future__ import annotations

import random
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.requests.eventlog.staging import StagedCase, StagedLine, Staging

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def staging():
    with Staging() as staging:
        yield staging


def in_order(staging: Staging, **how: int) -> list[tuple[str, list[int], int | None]]:
    return [(case.case, [line.line for line in case.lines], case.unsorted) for case in staging.cases(**how)]


def test_a_log_comes_back_as_it_went_in(staging):
    staging.add(case="a", at=NOON, line=2, values={"x": "1", "y": "ü\n\0\ud800"})
    staging.add(case="a", at=None, line=3, values={}, problem="has 1 value")
    assert list(staging.cases()) == [
        StagedCase(
            case="a",
            lines=(
                StagedLine(line=2, at=NOON, values={"x": "1", "y": "ü\n\0\ud800"}, problem=""),
                StagedLine(line=3, at=None, values={}, problem="has 1 value"),
            ),
            unsorted=None,
        )
    ]


def test_cases_come_in_the_order_in_which_they_first_occur(staging):
    for line, case in enumerate(["z", "a", "z", "m", "a"], 2):
        staging.add(case=case, at=NOON + line * MINUTE, line=line, values={})
    assert in_order(staging) == [("z", [2, 4], None), ("a", [3, 6], None), ("m", [5], None)]
    assert in_order(staging, limit=2) == [("z", [2, 4], None), ("a", [3, 6], None)]
    assert in_order(staging, limit=0) == []
    assert (staging.count_cases(), staging.count_events()) == (3, 5)


def test_lines_come_by_time_then_by_place_and_those_without_a_time_last(staging):
    times = [NOON + MINUTE, None, NOON, NOON + MINUTE, NOON]
    for line, at in enumerate(times, 2):
        staging.add(case="a", at=at, line=line, values={}, problem="" if at else "no time")
    assert in_order(staging) == [("a", [4, 6, 2, 5, 3], 4)]


def test_times_of_several_zones_are_compared_as_instants_and_keep_their_zone(staging):
    amsterdam = timezone(timedelta(hours=2))
    later, earlier = datetime(2024, 5, 1, 12, tzinfo=UTC), datetime(2024, 5, 1, 13, tzinfo=amsterdam)
    staging.add(case="a", at=later, line=2, values={})
    staging.add(case="a", at=earlier, line=3, values={})
    (case,) = staging.cases()
    assert [line.at.isoformat() for line in case.lines] == ["2024-05-01T13:00:00+02:00", "2024-05-01T12:00:00+00:00"]
    assert case.unsorted == 3


def test_unsorted_is_the_first_line_earlier_than_any_before_it_and_other_cases_do_not_matter(staging):
    for line, (case, minute) in enumerate([("a", 5), ("b", 1), ("a", 9), ("a", 7), ("a", 6), ("b", 1)], 2):
        staging.add(case=case, at=NOON + minute * MINUTE, line=line, values={})
    assert in_order(staging) == [("a", [2, 6, 5, 4], 5), ("b", [3, 7], None)]


def test_the_ends_of_the_calendar_are_kept(staging):
    first = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    last = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-12)))
    staging.add(case="a", at=last, line=2, values={})
    staging.add(case="a", at=first, line=3, values={})
    (case,) = staging.cases()
    assert [line.at for line in case.lines] == [first, last]


def test_a_staging_can_be_read_twice_and_added_to_in_between(staging):
    staging.add(case="a", at=NOON, line=2, values={})
    assert in_order(staging) == [("a", [2], None)]
    staging.add(case="b", at=NOON, line=3, values={})
    staging.add(case="a", at=NOON, line=4, values={})
    assert in_order(staging) == [("a", [2, 4], None), ("b", [3], None)]


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    with Staging() as staging:
        for line in range(20_000):
            staging.add(case=str(line % 7), at=NOON, line=line, values={"text": "x" * 3000})
        assert len(list(staging.cases())) == 7
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_log():
    """SQLite's own cache is bounded by a setting; what Python holds is a batch."""
    most = []
    for lines in (20_000, 60_000):
        tracemalloc.start()
        with Staging() as staging:
            for line in range(lines):
                staging.add(case=str(line % (lines // 5)), at=NOON, line=line, values={"text": "x" * 100})
            assert sum(len(case.lines) for case in staging.cases()) == lines
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert most[1] < 1.3 * most[0]


TIMES = st.none() | st.integers(0, 5).map(lambda minute: NOON + minute * MINUTE)


@given(st.lists(st.tuples(st.sampled_from("abc"), TIMES), max_size=30))
def test_any_log_comes_back_in_order(rows):
    with Staging() as staging:
        for line, (case, at) in enumerate(rows, 2):
            staging.add(case=case, at=at, line=line, values={})
        found = in_order(staging)
    cases = list(dict.fromkeys(case for case, _ in rows))
    assert [case for case, _, _ in found] == cases
    for case, lines, unsorted in found:
        own = [(line, at) for line, (of, at) in enumerate(rows, 2) if of == case]
        assert lines == [line for line, at in sorted(own, key=lambda row: (row[1] is None, row[1] or NOON, row[0]))]
        timed = [(line, at) for line, at in own if at]
        early = [line for place, (line, at) in enumerate(timed) if any(at < other for _, other in timed[:place])]
        assert unsorted == next(iter(early), None)


@pytest.mark.long
def test_a_million_lines_are_put_in_order_with_flat_memory():
    rows = random.Random(1)
    tracemalloc.start()
    with Staging() as staging:
        for line in range(1_000_000):
            at = NOON + rows.randrange(10**6) * MINUTE
            staging.add(case=str(rows.randrange(200_000)), at=at, line=line, values={"text": "x" * 50})
        assert sum(len(case.lines) for case in staging.cases()) == 1_000_000
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()
