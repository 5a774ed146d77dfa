"""Business time against the cases of other projects, a naive reference, and its own conventions."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.calendars import business_time as bt
from apps.calendars.business_time.rows import judge
from apps.core.errors import InvalidInput
from tests.calendars.naive import MINUTE, MINUTES, STARTS, assert_agrees, documents, naive_open_minutes
from tests.costs import lines_of

CASES = Path(__file__).parents[2].parent / "shared" / "data" / "sla" / "sla_dev.jsonl"
ROWS = CASES.read_text().splitlines() if CASES.exists() else []
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFFICE = {"time_zone": "Europe/Amsterdam", "week": {day: ["09:00-17:00"] for day in DAYS[:5]}}


def daily(*windows: str) -> dict[str, list[str]]:
    return {day: list(windows) for day in DAYS}


def calendar(**changes: object) -> bt.Calendar:
    return bt.Calendar.from_document({**OFFICE, **changes})


def at(text: str) -> datetime:
    """A wall time in Amsterdam."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Amsterdam"))


# ------------------------------------------------------------------------------------ other projects' cases


@pytest.mark.skipif(not ROWS, reason=f"SKIPPED LOUDLY: {CASES} is missing, 84 business-time cases were not run")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: json.loads(row)["id"])
def test_it_answers_what_other_projects_answer(row: str) -> None:
    outcome = judge(row)
    assert outcome == replace(outcome, passed=True)


@pytest.mark.skipif(not ROWS, reason=f"SKIPPED LOUDLY: {CASES} is missing")
def test_all_cases_of_other_projects_were_there() -> None:
    assert len(ROWS) == 84


# ------------------------------------------------------------------------------------ conventions


def test_what_ends_exactly_at_closing_time_is_due_at_closing_time() -> None:
    assert bt.add(calendar(), at("2026-03-02 16:00"), 3600) == at("2026-03-02 17:00")


def test_counted_backwards_to_the_opening_it_is_the_opening() -> None:
    assert bt.add(calendar(), at("2026-03-02 10:00"), -3600) == at("2026-03-02 09:00")


def test_zero_seconds_from_closed_is_the_next_opening_and_from_open_the_same_instant() -> None:
    assert bt.add(calendar(), at("2026-03-06 18:00"), 0) == at("2026-03-09 09:00")
    assert bt.add(calendar(), at("2026-03-06 12:00"), 0) == at("2026-03-06 12:00")


def test_a_short_and_a_long_day_count_what_really_elapsed() -> None:
    always = calendar(week=daily("00:00-24:00"))
    assert bt.between(always, at("2026-03-29 00:00"), at("2026-03-30 00:00")) == 23 * 3600
    assert bt.between(always, at("2026-10-25 00:00"), at("2026-10-26 00:00")) == 25 * 3600


def test_a_night_window_belongs_to_the_date_on_which_it_opens_in_both_spellings() -> None:
    for night in ("22:00-06:00", "22:00-30:00"):
        shift = calendar(week={"fri": [night]})
        assert bt.open_intervals(shift, at("2026-03-06 00:00"), at("2026-03-12 00:00")) == (
            (at("2026-03-06 22:00"), at("2026-03-07 06:00")),
        )


def test_a_night_over_the_change_of_clocks_lasts_seven_or_nine_hours() -> None:
    shift = calendar(week={"sat": ["22:00-06:00"]})
    assert bt.between(shift, at("2026-03-28 12:00"), at("2026-03-29 12:00")) == 7 * 3600
    assert bt.between(shift, at("2026-10-24 12:00"), at("2026-10-25 12:00")) == 9 * 3600


def test_a_holiday_closes_its_date_from_midnight_to_midnight_overrides_included() -> None:
    nights = calendar(
        week=daily("22:00-06:00"),
        holidays={"2026-12-25": "Christmas"},
        overrides={"2026-12-25": ["10:00-12:00"]},
    )
    assert bt.open_intervals(nights, at("2026-12-24 12:00"), at("2026-12-26 12:00")) == (
        (at("2026-12-24 22:00"), at("2026-12-25 00:00")),
    )


def test_an_override_replaces_the_week_on_its_date_and_breaks_are_subtracted() -> None:
    changed = calendar(overrides={"2026-12-24": ["09:00-12:30"], "2026-12-23": []}, breaks={"thu": ["12:00-12:15"]})
    assert bt.open_intervals(changed, at("2026-12-23 00:00"), at("2026-12-25 00:00")) == (
        (at("2026-12-24 09:00"), at("2026-12-24 12:00")),
        (at("2026-12-24 12:15"), at("2026-12-24 12:30")),
    )


def test_an_exception_on_a_sunday_night_reaches_into_monday() -> None:
    moved = calendar(overrides={"2026-03-08": ["22:00-02:00"]}, breaks={"2026-03-15": ["30:00-33:30"]})
    assert bt.open_intervals(moved, at("2026-03-08 00:00"), at("2026-03-09 10:00")) == (
        (at("2026-03-08 22:00"), at("2026-03-09 02:00")),
        (at("2026-03-09 09:00"), at("2026-03-09 10:00")),
    )
    assert bt.next_open(moved, at("2026-03-15 00:00")) == at("2026-03-16 09:30")


def test_windows_that_touch_are_one_also_over_midnight_on_monday() -> None:
    always = calendar(week=daily("00:00-12:00", "12:00-24:00"))
    start, end = at("2026-03-01 00:00"), at("2026-03-15 00:00")
    assert bt.open_intervals(always, start, end) == ((start, end),)
    assert bt.next_close(always, start) is None
    assert bt.previous_close(always, start) is None


AROUND = ("next_open", "next_close", "previous_open", "previous_close", "previous_opening")


@pytest.mark.parametrize(
    ("instant", "answers"),
    [
        ("03-03 12:00", ("03-03 12:00", "03-03 17:00", "03-03 12:00", "03-02 17:00", "03-03 09:00")),
        ("03-03 09:00", ("03-03 09:00", "03-03 17:00", "03-02 17:00", "03-02 17:00", "03-03 09:00")),
        ("03-03 17:00", ("03-04 09:00", "03-04 17:00", "03-03 17:00", "03-03 17:00", "03-03 09:00")),
        ("03-07 12:00", ("03-09 09:00", "03-09 17:00", "03-06 17:00", "03-06 17:00", "03-06 09:00")),
    ],
)
def test_openings_and_closings_around_an_instant(instant: str, answers: tuple[str, ...]) -> None:
    found = tuple(getattr(bt, question)(calendar(), at(f"2026-{instant}")) for question in AROUND)
    assert found == tuple(at(f"2026-{answer}") for answer in answers)


def test_business_days_keep_the_wall_time_over_the_change_of_clocks() -> None:
    assert bt.add_days(calendar(), at("2026-03-27 10:30"), 1) == at("2026-03-30 10:30")
    assert bt.add_days(calendar(), at("2026-03-30 10:30"), -1) == at("2026-03-27 10:30")


def test_business_days_skip_holidays_and_go_on_after_closing() -> None:
    closed = calendar(holidays={"2026-04-06": "Easter Monday"})
    assert bt.add_days(closed, at("2026-04-03 18:00"), 1) == at("2026-04-08 09:00")
    assert bt.add_days(closed, at("2026-04-04 12:00"), 0) == at("2026-04-07 09:00")


def test_the_explanation_leaves_no_gap_and_names_holidays() -> None:
    closed = calendar(holidays={"2026-04-05": "Easter", "2026-04-06": "Easter Monday", "2026-04-08": "Later"})
    spans = bt.explain(closed, at("2026-04-03 16:00"), at("2026-04-07 10:00"))
    assert [span.names for span in spans] == [(), (), ("Easter", "Easter Monday"), (), ()]
    assert [(span.why, span.start, span.end) for span in spans] == [
        ("open", at("2026-04-03 16:00"), at("2026-04-03 17:00")),
        ("closed", at("2026-04-03 17:00"), at("2026-04-05 00:00")),
        ("holiday", at("2026-04-05 00:00"), at("2026-04-07 00:00")),
        ("closed", at("2026-04-07 00:00"), at("2026-04-07 09:00")),
        ("open", at("2026-04-07 09:00"), at("2026-04-07 10:00")),
    ]


def test_equal_documents_make_equal_calendars_with_one_hash() -> None:
    assert calendar() == calendar()
    assert hash(calendar()) == hash(calendar())
    assert calendar() != calendar(time_zone="UTC")


# ------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"time_zone": "Europe/Atlantis"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": "x" * 1_000_000}, "time_zone"),
        ({"time_zone": None}, "time_zone"),
        ({"week": None}, "week"),
        ({"week": {}}, "week"),
        ({"week": {"mon": ["09:00-12:00"]}, "breaks": {"mon": ["08:00-13:00"]}}, "week"),
        ({"week": {"monday": ["09:00-12:00"]}}, "week.monday"),
        ({"week": {"mon": ["09:00-12:00", "11:00-13:00"]}}, "week.mon"),
        ({"week": {"mon": ["09:00-09:00"]}}, "week.mon"),
        ({"week": {"mon": ["25:00-26:00"]}}, "week.mon"),
        ({"week": {"mon": ["09:00-34:00"]}}, "week.mon"),
        ({"week": {"mon": ["9-17"]}}, "week.mon"),
        ({"week": {"mon": "09:00-17:00"}}, "week.mon"),
        ({"week": {"mon": [9]}}, "week.mon"),
        ({"week": {"sun": ["22:00-06:00"], "mon": ["05:00-09:00"]}}, "week.sun"),
        ({"holidays": {"2026-02-30": "never"}}, "holidays.2026-02-30"),
        ({"holidays": {"2026-02-03": 3}}, "holidays.2026-02-03"),
        ({"holidays": ["2026-02-03"]}, "holidays"),
        ({"overrides": {"24.12.2026": []}}, "overrides.24.12.2026"),
        ({"overrides": {"2026-12-24": ["12:00"]}}, "overrides.2026-12-24"),
        ({"breaks": {"mon": ["13:00-12:00"]}}, "breaks.mon"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_broken_document_is_refused_and_the_field_is_named(changes: dict, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        calendar(**changes)
    assert list(refusal.value.errors) == [field]


def test_a_calendar_that_is_on_holiday_for_a_year_is_refused() -> None:
    days = (date(2026, 1, 5) + timedelta(days=n) for n in range(400))
    with pytest.raises(InvalidInput, match="2026-01-05"):
        calendar(holidays={str(day): "strike" for day in days})


def test_what_is_no_zone_is_refused_but_where_it_was_frozen_already() -> None:
    document = {"time_zone": "posix/Europe/Amsterdam", "week": {"mon": ["09:00-17:00"]}}
    for strict in (True, False):
        with pytest.raises(InvalidInput) as refused:
            bt.Calendar.from_document(document, strict=strict)
        said = "“posix/Europe/Amsterdam” is no time zone; give an IANA name such as “Europe/Amsterdam”."
        assert refused.value.errors == {"time_zone": [said]}
    kept = bt.Calendar.from_document(document | {"time_zone": "Factory"}, frozen=True)
    assert kept.hours.time_zone == "Factory"


def test_what_is_no_document_at_all_is_refused() -> None:
    for nonsense in (None, [], "week", 3):
        with pytest.raises(InvalidInput):
            bt.Calendar.from_document(nonsense)


def test_naive_instants_and_absurd_lengths_are_refused() -> None:
    naive = datetime(2026, 3, 2, 12)  # noqa: DTZ001 - that is the point
    with pytest.raises(InvalidInput, match="time zone"):
        bt.add(calendar(), naive, 60)
    for seconds in (float("nan"), float("inf"), 1e300, 10**11):
        with pytest.raises(InvalidInput):
            bt.add(calendar(), at("2026-03-02 12:00"), seconds)
    with pytest.raises(InvalidInput, match="1900 to 2500"):
        bt.is_open(calendar(), datetime(3000, 1, 1, tzinfo=UTC))


def test_a_wall_time_at_the_ends_of_the_calendar_is_refused() -> None:
    for day, wall in ((date.min, "00:00"), (date.max, "24:00")):
        with pytest.raises(InvalidInput, match="1 to 9999"):
            bt.wall_to_instant(calendar(time_zone="Asia/Tokyo"), day, wall)


# ------------------------------------------------------------------------------------ a naive reference


def compare_with_the_reference(data: st.DataObject) -> None:
    start = data.draw(st.sampled_from(STARTS))
    document = data.draw(documents(start))
    calendar, opened = bt.Calendar.from_document(document), naive_open_minutes(document, start)
    for _ in range(5):
        low, high = sorted(data.draw(st.tuples(st.integers(0, MINUTES - 1), st.integers(0, MINUTES - 1))))
        assert_agrees(calendar, opened, start, low, high, data.draw(st.integers(1, 3000)))


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_it_agrees_with_counting_minute_by_minute(data: st.DataObject) -> None:
    compare_with_the_reference(data)


@pytest.mark.long
@settings(max_examples=2000, deadline=None)
@given(data=st.data())
def test_it_agrees_with_counting_minute_by_minute_for_long(data: st.DataObject) -> None:
    compare_with_the_reference(data)


INSTANTS = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive
LENGTHS = st.integers(1, 20_000_000) | st.integers(1, 10**12).map(lambda micros: micros / 1_000_000)
AMSTERDAM = calendar(
    week={day: ["09:00-12:30", "13:00-17:00"] for day in DAYS[:5]} | {"sat": ["22:00-06:00"]},
    holidays={f"20{year}-12-25": "Christmas" for year in range(15, 36)},
)


@settings(max_examples=50, deadline=None)
@given(instant=INSTANTS, seconds=LENGTHS)
def test_between_undoes_add_in_both_directions(instant: datetime, seconds: float) -> None:
    later, earlier = bt.add(AMSTERDAM, instant, seconds), bt.add(AMSTERDAM, instant, -seconds)
    assert bt.between(AMSTERDAM, instant, later) == pytest.approx(seconds, abs=2e-6)
    assert bt.between(AMSTERDAM, earlier, instant) == pytest.approx(seconds, abs=2e-6)


@settings(max_examples=50, deadline=None)
@given(instant=INSTANTS, seconds=st.integers(0, 10**7), more=st.integers(0, 10**6), gap=st.integers(0, 10**6))
def test_add_is_monotonic_and_adds_up(instant: datetime, seconds: int, more: int, gap: int) -> None:
    due = bt.add(AMSTERDAM, instant, seconds)
    assert due <= bt.add(AMSTERDAM, instant, seconds + more)
    assert due <= bt.add(AMSTERDAM, instant + timedelta(seconds=gap), seconds)
    assert bt.between(AMSTERDAM, instant, due) == seconds
    if more:
        assert bt.add(AMSTERDAM, due, more) == bt.add(AMSTERDAM, instant, seconds + more)


@settings(max_examples=50, deadline=None)
@given(instants=st.lists(INSTANTS, min_size=1, max_size=5), seconds=st.integers(-(10**7), 10**7))
def test_the_order_of_questions_does_not_change_an_answer(instants: list[datetime], seconds: int) -> None:
    document = {**OFFICE, "holidays": {"2026-12-25": "Christmas"}}
    used = bt.Calendar.from_document(document)
    for instant in instants:
        assert bt.add(used, instant, seconds) == bt.add(bt.Calendar.from_document(document), instant, seconds)


def test_a_far_deadline_costs_what_a_near_one_does() -> None:
    """Counted in lines that are executed, which no busy machine makes more."""
    busy = calendar(holidays={f"2026-{month:02}-14": "closed" for month in range(1, 11)})
    start = at("2026-03-02 10:00")

    def cost(hours: int) -> int:
        return sum(lines_of(lambda n=n: bt.add(busy, start + n * MINUTE, hours * 3600)) for n in range(0, 20_000, 997))

    cost(2000)  # the sums over its weeks are made once
    assert cost(2000) == cost(16)
