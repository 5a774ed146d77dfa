"""Words for people: who was asked and why, what a state means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.utils.formats import date_format

from apps.requests.enums import Priority, RequestStatus

STATUS_HINTS: Mapping[str, str] = {
    RequestStatus.DRAFT: "Nobody sees this yet. Hand it in when it is ready.",
    RequestStatus.ON_HOLD: "The clocks stand still until it is taken up again.",
    RequestStatus.COMPLETED: "Everything is done.",
    RequestStatus.REJECTED: "It was not approved. The history says why.",
    RequestStatus.CANCELLED: "It was taken back. Nothing more will happen.",
    RequestStatus.ARCHIVED: "It is closed and put away.",
}
STATUS_TONES: Mapping[str, str] = {
    RequestStatus.DRAFT: "quiet",
    RequestStatus.SUBMITTED: "info",
    RequestStatus.IN_PROGRESS: "info",
    RequestStatus.ON_HOLD: "warn",
    RequestStatus.COMPLETED: "good",
    RequestStatus.REJECTED: "bad",
    RequestStatus.CANCELLED: "quiet",
    RequestStatus.ARCHIVED: "quiet",
}
PRIORITY_TONES: Mapping[str, str] = {
    Priority.CRITICAL: "bad",
    Priority.HIGH: "warn",
    Priority.MEDIUM: "quiet",
    Priority.LOW: "quiet",
}


def because(rule: Mapping[str, Any]) -> str:
    """Why somebody has a seat, in two or three words; "" for a rule without words."""
    if "manager_of" in rule:
        up = int(rule.get("up", 1))
        return "line manager" if up == 1 else f"manager, {up} levels up"
    if "role" in rule:
        return f"role {rule['role']}"
    if "team" in rule:
        return f"team {rule['team']}"
    words = {
        "person": "named by the workflow",
        "manager_of_team": "lead of team {}",
        "field": "named in the form",
        "owner_of": "owner of {}",
        "added_by": "added",
        "reassigned_from": "took a seat over",
    }
    return next((said.format(rule[kind]) for kind, said in words.items() if kind in rule), "")


def listed(parts: Sequence[str], word: str) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return f" {word} ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def day(text: str) -> str:
    """An ISO date as `1 Feb 2027`; any other text as it is."""
    try:
        return date_format(date.fromisoformat(text), "j M Y")
    except ValueError:
        return text
