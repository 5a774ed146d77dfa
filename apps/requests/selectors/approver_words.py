"""Why a rule names somebody as an approver, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WORDS: Mapping[str, str] = {
    "person": "named by the policy",
    "role": "has the role {}",
    "team": "is in the team {}",
    "manager_of_team": "leads the team {}",
    "field": "named in the field {}",
    "owner_of": "owns the item {}",
    "cel": "named by {}",
}


def reason(rule: Mapping[str, Any]) -> str:
    """Why a rule names somebody; "" for a rule without words (somebody was added, or took a seat over)."""
    if "manager_of" in rule:
        whose = "the requester" if rule["manager_of"] == "requester" else "the one requested for"
        up = rule.get("up", 1)
        said = f"manager of {whose}" + (f", {up} levels up" if up > 1 else "")
    else:
        said = next((words.format(rule[kind]) for kind, words in WORDS.items() if kind in rule), "")
    return f"{said}; in place of somebody who may not answer" if "instead_of" in rule else said
