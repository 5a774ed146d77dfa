import pytest

from apps.calendars.hours_text import as_hours, read_windows


@pytest.mark.parametrize(
    ("text", "windows"),
    [
        ("", []),
        (" Closed ", []),
        ("09:00-12:30, 13:00-17:00", ["09:00-12:30", "13:00-17:00"]),
        ("9-17", ["09:00-17:00"]),
        ("9:00 – 12:30; 22:00—6:00", ["09:00-12:30", "22:00-06:00"]),
        ("soon, 9", ["soon", "9"]),
        ("09:00-17:00,", ["09:00-17:00", ""]),
    ],
)
def test_hours_are_read_as_people_write_them(text: str, windows: list[str]) -> None:
    assert read_windows(text) == windows


def test_hours_are_shown_as_they_are_read() -> None:
    assert as_hours(["09:00-12:30", "13:00-17:00"]) == "09:00-12:30, 13:00-17:00"
