"""Why a guard did not hold, in words as far as it is simple. Pure."""

from __future__ import annotations

import re

FIELD = r"request\.(?:data\.)?(?P<name>[a-z_]\w*)"
VALUE = r"""(?P<value>-?\d+(?:\.\d+)?|'[^'\\]*'|"[^"\\]*"|true|false)"""
COMPARED = re.compile(
    rf"(?:has\(request\.data\.(?P<known>\w+)\)\s*&&\s*)?{FIELD}\s*(?P<sign>>=|<=|==|!=|>|<)\s*{VALUE}"
)
DENIED = {">": "not above", ">=": "below", "<": "not below", "<=": "above", "==": "not", "!=": ""}
MAYBE_EMPTY = {**DENIED, ">=": "not at least", "<=": "not at most"}


def why_not(guard: str) -> str:
    """The comparison of one field, denied ("amount is not above 1000"); any other guard is quoted.

    A field that the guard first asks for (`has`) may be empty, so nothing is said of it that would not be true then.
    """
    found = COMPARED.fullmatch(guard.strip())
    if found is None or found["known"] not in (None, found["name"]):
        return f"“{guard}” does not hold"
    denied = (MAYBE_EMPTY if found["known"] else DENIED)[found["sign"]]
    return " ".join(filter(None, (found["name"].replace("_", " "), "is", denied, _plain(found["value"]))))


def _plain(value: str) -> str:
    if value[0] in "'\"":
        return f"“{value[1:-1]}”"
    return re.sub(r"\.0+$", "", value)
