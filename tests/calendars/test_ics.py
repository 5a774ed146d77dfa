from __future__ import annotations

from datetime import date

import pytest

from apps.calendars import ics as reading
from apps.calendars.ics import MOST_BYTES, read_holidays
from apps.core.errors import InvalidInput

YEARS = range(2025, 2029)


def event(*lines: str) -> str:
    return "\r\n".join(("BEGIN:VEVENT", *lines, "END:VEVENT"))


def ics(*events: str) -> bytes:
    return "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", *events, "END:VCALENDAR", "")).encode()


CHRISTMAS = event("UID:1", "DTSTART;VALUE=DATE:20261225", "DTEND;VALUE=DATE:20261227", "SUMMARY:Christmas")


def test_an_event_of_two_days_is_two_holidays() -> None:
    found = read_holidays(ics(CHRISTMAS), years=YEARS)
    assert found.days == {date(2026, 12, 25): "Christmas", date(2026, 12, 26): "Christmas"}
    assert found.left_out == ()


def test_repeated_events_are_laid_out_within_the_years_kept_with_their_exceptions() -> None:
    yearly = event(
        "UID:2",
        "DTSTART;VALUE=DATE:20000501",
        "SUMMARY:Labour\\, day",
        "RRULE:FREQ=YEARLY",
        "EXDATE;VALUE=DATE:20260501",
    )
    found = read_holidays(ics(yearly), years=YEARS)
    assert found.days == {date(year, 5, 1): "Labour, day" for year in (2025, 2027, 2028)}


def test_timed_and_cancelled_events_and_days_twice_are_left_out_and_counted() -> None:
    timed = event("UID:3", "DTSTART:20261224T100000Z", "SUMMARY:Meeting")
    cancelled = event("UID:4", "DTSTART;VALUE=DATE:20270101", "STATUS:CANCELLED", "SUMMARY:New year")
    twice = event("UID:5", "DTSTART;VALUE=DATE:20261226", "SUMMARY:Second day")
    found = read_holidays(ics(CHRISTMAS, timed, cancelled, twice), years=YEARS)
    assert list(found.days) == [date(2026, 12, 25), date(2026, 12, 26)]
    assert found.left_out == ("1 with a time of day", "1 on a day that has one already", "1 cancelled")


def test_a_name_is_one_line_of_plain_text_and_may_be_missing() -> None:
    odd = event("UID:6", "DTSTART;VALUE=DATE:20260101", "SUMMARY:A\\nb\x07 " + "x" * 200)
    nameless = event("UID:7", "DTSTART;VALUE=DATE:20260102")
    found = read_holidays(ics(odd, nameless), years=YEARS)
    assert found.days == {date(2026, 1, 1): "A b " + "x" * 116, date(2026, 1, 2): "Holiday"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "This is no calendar file"),
        (b"\xff\xfe", "This is not UTF-8 (byte 1)."),
        (b"x" * (MOST_BYTES + 1), "This file is too large: at most 1,000,000 bytes are read."),
        (b"<html>", "This is no calendar file"),
        (ics(), "This calendar file has no events (VEVENT)."),
        (ics(*[CHRISTMAS] * 2001), "This calendar file has more than 2,000 events."),
        (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "This calendar file"),
        (b"BEGIN:VCALENDAR\r\nno line at all\r\nEND:VCALENDAR", "This calendar file"),
        (ics(event("UID:1", "SUMMARY:When")), "The event 'When' has no day"),
        (ics(event("UID:1", "DTSTART;VALUE=DATE:20261345")), "The event 'Holiday' has a broken DTSTART: "),
        (ics(event("UID:1", "DTSTART;VALUE=DATE:00010101", "RRULE:FREQ=DAILY")), "The event 'Holiday' begins in 1;"),
        (ics(event("UID:1", "DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=SECONDLY")), "The event 'Holiday' is repeated"),
        (ics(event("UID:1", "DTSTART:20260101T100000Z")), "No all-day event lies in the years 2025 to 2028 (1 with"),
        (ics(event("UID:1", "DTSTART;VALUE=DATE:19990101")), "No all-day event lies in the years 2025 to 2028."),
        (
            ics(event("UID:1", "DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")),
            "The event 'Holiday' is repeated daily with conditions; that is not read.",
        ),
        (
            ics(event("UID:1", "DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=NEVER")),
            "The event 'Holiday' has a broken RRULE: ",
        ),
        *(
            (
                ics(event("UID:1", "DTSTART;VALUE=DATE:20260101", f"RRULE:FREQ=DAILY;INTERVAL={step}")),
                "The event 'Holiday' has an INTERVAL that is not from 1 to 1,000.",
            )
            for step in ("0", "-1", "1001")
        ),
        (b"PK\x03\x04" + bytes(1000), "This is no calendar file"),
        (b"\x1f\x8b\x08" + bytes(1000), "This is not UTF-8 (byte 2)."),
        (ics(event("UID:1", "DTSTART;VALUE=DATE:20260101")).decode().encode("utf-16"), "This is not UTF-8 (byte 1)."),
        (b"BEGIN:VCALENDAR\n" + b"BEGIN:VEVENT\n" * 20_000 + b"END:VEVENT\n" * 20_000, "This calendar file has"),
        (ics(event("UID:1", "DTSTART;VALUE=DATE:20260101", "DURATION:P999999999D")), "An event of this file cannot"),
        (ics(event("UID:1", "DTSTART;VALUE=TIME:100000")), "The event 'Holiday' has no day on which it begins."),
        (ics(event("UID:1", "DTSTART;VALUE=PERIOD:20260101T000000Z/P1D")), "The event 'Holiday' has no day on which"),
        *(
            (
                ics(event("UID:1", "DTSTART;VALUE=DATE:20260102", end)),
                f"The event 'Holiday' {reason}",
            )
            for end, reason in (
                ("DTEND:20260103T000000Z", "begins on a day, but its DTEND is none."),
                ("DTEND;VALUE=TIME:100000", "begins on a day, but its DTEND is none."),
                ("DTEND;VALUE=DATE:20260101", "ends before it begins."),
                ("DURATION:-P1D", "ends before it begins."),
                ("DURATION:PT5M", "has a DURATION that is no number of days."),
            )
        ),
    ],
)
def test_what_is_no_calendar_of_holidays_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_holidays(data, years=YEARS)
    assert list(refusal.value.errors) == ["file"]
    assert refusal.value.errors["file"][0].startswith(reason)


@pytest.mark.parametrize(
    "line",
    [
        "SUMMARY:Fête".encode().replace(b"\xc3", b"\xc3\r\n "),  # folded in the middle of a letter
        "SUMMARY:Fê\r\n\tte".encode(),
        "SUMMARY:Fête\r\nSUMMARY:Feast".encode(),
        "SUMMARY;LANGUAGE=fr:Fête\r\nDURATION:PT24H".encode(),
        "SUMMARY:Fête\r\nDTEND;VALUE=DATE:20260714".encode(),
    ],
)
def test_odd_ways_to_write_a_day_are_read(line: bytes) -> None:
    data = ics(event("UID:1", "DTSTART;VALUE=DATE;TZID=Europe/Paris:20260714", "X-LINE")).replace(b"X-LINE", line)
    assert read_holidays(data, years=YEARS).days == {date(2026, 7, 14): "Fête"}


def test_lines_may_end_as_on_old_macs() -> None:
    assert len(read_holidays(ics(CHRISTMAS).replace(b"\r\n", b"\r"), years=YEARS).days) == 2


def test_an_occurrence_that_was_moved_is_on_its_new_day_only() -> None:
    yearly = event("UID:8", "DTSTART;VALUE=DATE:20260427", "SUMMARY:King", "RRULE:FREQ=YEARLY;COUNT=2")
    moved = event("UID:8", "RECURRENCE-ID;VALUE=DATE:20270427", "DTSTART;VALUE=DATE:20270426", "SUMMARY:King")
    assert read_holidays(ics(yearly, moved), years=YEARS).days == {date(2026, 4, 27): "King", date(2027, 4, 26): "King"}


def test_rules_that_never_apply_cannot_keep_it_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_SECONDS", 0.2)
    lines = ("DTSTART;VALUE=DATE:19010101", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")
    never = [event(f"UID:{n}", *lines) for n in range(2000)]
    with pytest.raises(InvalidInput, match="takes too long"):
        read_holidays(ics(*never), years=YEARS)


def test_more_days_than_a_calendar_holds_are_refused() -> None:
    daily = event("UID:1", "DTSTART;VALUE=DATE:20160101", "RRULE:FREQ=DAILY")
    with pytest.raises(InvalidInput, match="more than 2,000 days"):
        read_holidays(ics(daily), years=range(2016, 2037))
