"""Texts in a drawing: escaped for XML, measured without a font, wrapped and cut."""

from __future__ import annotations

import re
import unicodedata
from xml.sax.saxutils import escape as xml_escape

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NARROW = frozenset("fijlrtI.,:;'’|!()[]{} ·-/")
_WIDE = frozenset("mwMW@%—…")
_QUOTES = {'"': "&quot;", "'": "&#39;"}
ELLIPSIS = "…"


def clean(text: str) -> str:
    """On one line, and without the characters that XML forbids (each becomes U+FFFD)."""
    return " ".join(_FORBIDDEN.sub("\ufffd", text).split())


def escape(text: str) -> str:
    """Clean text as XML content or as an attribute between double quotes."""
    return xml_escape(clean(text), _QUOTES)


def width_of(text: str, size: float) -> float:
    """About how many pixels the text takes in a sans-serif font of that size: rather too many than too few."""
    return size * sum(_em(character) for character in text)


def wrap(text: str, *, width: float, size: float, lines: int) -> tuple[str, ...]:
    """At most that many lines of that width, broken at blanks, inside a word only where it is too long alone.

    What does not fit is cut and ends in an ellipsis.
    """
    waiting = clean(text)
    done: list[str] = []
    while waiting and len(done) < lines - 1:
        line, waiting = _first_line(waiting, width, size)
        done.append(line)
    return (*done, cut(waiting, width=width, size=size)) if waiting else tuple(done)


def cut(text: str, *, width: float, size: float) -> str:
    """The text where it fits, else its beginning with an ellipsis."""
    text = clean(text)
    if width_of(text, size) <= width:
        return text
    return text[: _fitting(text, width - width_of(ELLIPSIS, size), size)].rstrip() + ELLIPSIS


def _first_line(text: str, width: float, size: float) -> tuple[str, str]:
    end = _fitting(text, width, size)
    if end == len(text):
        return text, ""
    blank = text.rfind(" ", 0, end + 1)
    end = blank if blank > 0 else end
    return text[:end].rstrip(), text[end:].lstrip()


def _fitting(text: str, width: float, size: float) -> int:
    """How many characters fit; at least one."""
    taken = 0.0
    for index, character in enumerate(text):
        taken += size * _em(character)
        if taken > width:
            return max(index, 1)
    return len(text)


def _em(character: str) -> float:
    if character in _NARROW:
        return 0.38
    if unicodedata.combining(character):
        return 0.0
    if character in _WIDE or unicodedata.east_asian_width(character) in "WF":
        return 1.0
    return 0.72 if character.isupper() else 0.62
