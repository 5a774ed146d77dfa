"""What an escalation's rules and settings may not say. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

LONGEST_NAME = 150
LONGEST_COMMENT = 10_000
MOST_FIELDS = 50
NAMED = ("person", "team", "role", "manager_of", "requester", "assignee", "lead")
BY_NAME = ("person", "team", "role")
MANAGED = ("requester", "requested_for")
ACTIONS = ("comment", "set_fields")  # those that need no step to come back to


def rule_problem(rule: object, *, do: str) -> str | None:
    """Why this is no rule that names people, or None. Nobody can be given a request that they have already."""
    if not isinstance(rule, Mapping) or len(rule) != 1 or not rule.keys() <= set(NAMED):
        return f"Must be an object with one of {', '.join(NAMED)}."
    ((kind, name),) = rule.items()
    if kind in BY_NAME:
        return (
            None if _is_text(name, LONGEST_NAME) else f"{kind} is followed by a name of 1 to {LONGEST_NAME} characters."
        )
    if kind == "manager_of":
        return None if name in MANAGED else f"manager_of is followed by one of {', '.join(MANAGED)}."
    if do == "reassign" and kind == "assignee":
        return "Whoever has the request has it already."
    return None if name is True else f"{kind} is followed by true."


def settings_problems(action: str, settings: object) -> dict[str, str]:
    """What is wrong with the settings of an action, by key ("" for all of them)."""
    return _SETTINGS[action](settings) if isinstance(settings, Mapping) else {"": "Must be the settings of the action."}


def _comment(settings: Mapping[Any, Any]) -> dict[str, str]:
    problems = _unknown(settings, {"text", "internal"})
    if not _is_text(settings.get("text"), LONGEST_COMMENT):
        problems["text"] = f"Must be text of 1 to {LONGEST_COMMENT:,} characters."
    if not isinstance(settings.get("internal", False), bool):
        problems["internal"] = "Must be true or false."
    return problems


def _set_fields(settings: Mapping[Any, Any]) -> dict[str, str]:
    fields = settings.get("fields")
    if not isinstance(fields, Mapping) or not 1 <= len(fields) <= MOST_FIELDS:
        return _unknown(settings, {"fields"}) | {"fields": f"Must name 1 to {MOST_FIELDS} fields and their values."}
    return _unknown(settings, {"fields"})


_SETTINGS: Mapping[str, Callable[[Mapping[Any, Any]], dict[str, str]]] = MappingProxyType(
    {"comment": _comment, "set_fields": _set_fields}
)


def _unknown(value: Mapping[Any, Any], known: set[str]) -> dict[str, str]:
    return {str(key)[:40]: "Unknown key." for key in value.keys() - known}


def _is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= longest
