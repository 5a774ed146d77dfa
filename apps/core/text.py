"""One rule for every text that people or programs send."""

from __future__ import annotations

ALLOWED_CONTROLS = "\t\r\n"


def text_problem(value: object, *, max_length: int) -> str | None:
    """Why the value cannot be stored as text, or None.

    Refused: no string, longer than `max_length` characters, NUL and the other C0 controls but tab, CR and LF, DEL, lone
    surrogates. Everything else is stored unchanged.
    """
    if not isinstance(value, str):
        return "This must be text."
    if len(value) > max_length:
        return f"This is too long: {len(value):,} characters, at most {max_length:,} are accepted."
    for place, character in enumerate(value, 1):
        if _is_refused(character):
            return f"Character {place} (U+{ord(character):04X}) cannot be stored."
    return None


def _is_refused(character: str) -> bool:
    code = ord(character)
    return (code < 0x20 and character not in ALLOWED_CONTROLS) or code == 0x7F or 0xD800 <= code <= 0xDFFF


def is_blank(value: object) -> bool:
    """None, an empty text and blanks alone count as empty."""
    return value is None or (isinstance(value, str) and not value.strip())
