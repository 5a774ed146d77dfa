"""Opening hours as people write them: “09:00-12:30, 13:00-17:00”. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

CLOSED = ("", "closed", "-")
WINDOW = re.compile(r"\s*(\d{1,2})(?::(\d{2}))?\s*[-–—]\s*(\d{1,2})(?::(\d{2}))?\s*")


def read_windows(text: str) -> list[str]:
    """The windows of a text as a document has them; what is no window stays as written, to be refused.

    Commas, semicolons or lines stand between windows; an hour may stand alone (“9-17”); nothing or “closed” is none.
    """
    if text.strip().lower() in CLOSED:
        return []
    return [_window(part) for part in re.split(r"[,;\n]", text)]


def as_hours(windows: Sequence[object]) -> str:
    return ", ".join(str(window) for window in windows)


def _window(text: str) -> str:
    match = WINDOW.fullmatch(text)
    if not match:
        return text.strip()
    first, first_minute, last, last_minute = match.groups(default="00")
    return f"{first:0>2}:{first_minute}-{last:0>2}:{last_minute}"
