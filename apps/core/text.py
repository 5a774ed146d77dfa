"""One rule for every text that people or programs send."""

from __future__ import annotations

import re
from collections.abc import Sequence

REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def text_problem(value: object, *, max_length: int) -> str | None:
    """Why the value cannot be stored as text, or None.

    Refused: no string, longer than `max_length` characters, NUL and the other C0 controls but tab, CR and LF, DEL, lone
    surrogates. Everything else is stored unchanged.
    """
    if not isinstance(value, str):
        return "This must be text."
    if len(value) > max_length:
        return f"This is too long: {len(value):,} characters, at most {max_length:,} are accepted."
    refused = REFUSED.search(value)
    if refused:
        return f"Character {refused.start() + 1} (U+{ord(refused[0]):04X}) cannot be stored."
    return None


def in_brackets(names: Sequence[str], *, most: int = 3) -> str:
    """“ (one, two)” to stand behind a word, the first few of them; nothing where there is no name."""
    said = [name for name in names if name]
    left = f" and {len(said) - most} more" if len(said) > most else ""
    return f" ({', '.join(said[:most])}{left})" if said else ""


def is_blank(value: object) -> bool:
    """None, an empty text and blanks alone count as empty."""
    return value is None or (isinstance(value, str) and not value.strip())
