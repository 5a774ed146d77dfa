"""What a policy's page sent: its rows, the buttons that change rows, and the field that a problem is about."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.text import slugify

from apps.approvals.policy_check import MOST_APPROVERS, MOST_LEVELS
from apps.core.admin_parts import read_document
from apps.requests.admin.policy.rows import AS_JSON, NEW_LEVEL, Row, filled, groups_in, level_from, policy_from, rows_of

POLICY_TEXTS = ("return", "separation_empties", "earlier_answers", "matters", "stated", "order", "expert")
LEVEL_TEXTS = (
    "id", "name", "when", "rule_kind", "rule_number", "reject_kind", "reject_number", "comment", "abstain", "meaning",
    "deadline_hours", "deadline_remind_at", "deadline_then", "deadline_calendar", "stated", "expert",
)  # fmt: skip
RULE_TEXTS, GROUP_TEXTS = ("kind", "value", "up", "group"), ("id", "n", "reject_n")
ONE_LINE = {"id", "rule_number", "reject_number", "up", "group", "n", "reject_n", "deadline_hours"}
DIRECT = {
    "rule": "rule_kind", "rule.kind": "rule_kind", "rule.n": "rule_number", "rule.p": "rule_number",
    "reject": "reject_kind", "reject.kind": "reject_kind", "reject.n": "reject_number", "reject.p": "reject_number",
    "deadline": "deadline_hours", "deadline.business_seconds": "deadline_hours", "deadline.then": "deadline_then",
    "deadline.calendar": "deadline_calendar", "deadline.to": "to", "reject.groups": "groups", "rule.groups": "groups",
    "deadline.remind_at": "deadline_remind_at", "chair": "chair-value", "reauthenticate": "meaning",
}  # fmt: skip
NO_HOURS = "This must be business hours such as 16, 1.5 or 0:30, at most 9600."
Errors = dict[str, list[str]]


def entered(post: QueryDict) -> Row:
    """The rows of the page as they were sent, blank ones too. Never raises."""
    row = _row(post, "", POLICY_TEXTS)
    row["separation"] = post.getlist("separation")
    row["fallback"] = _rows(post, "fallback", RULE_TEXTS, MOST_APPROVERS)
    row["levels"] = []
    for number in range(_count(post, "levels", MOST_LEVELS)):
        prefix = f"levels-{number}-"
        level = _row(post, prefix, LEVEL_TEXTS)
        level["chair"] = _row(post, f"{prefix}chair-", RULE_TEXTS)
        level["approvers"] = _rows(post, f"{prefix}approvers", RULE_TEXTS, MOST_APPROVERS)
        level["to"] = _rows(post, f"{prefix}to", RULE_TEXTS, MOST_APPROVERS)
        level["groups"] = _rows(post, f"{prefix}groups", GROUP_TEXTS, MOST_LEVELS)
        row["levels"].append(level)
    return row


def _row(post: QueryDict, prefix: str, names: Sequence[str]) -> Row:
    return {name: _text(name, post.get(prefix + name, "")) for name in names}


def _rows(post: QueryDict, name: str, texts: Sequence[str], most: int) -> list[Row]:
    return [_row(post, f"{name}-{number}-", texts) for number in range(_count(post, name, most))]


def _count(post: QueryDict, name: str, most: int) -> int:
    """How many rows were sent; two more than a document may have, so that the check says so."""
    given = post.get(f"{name}-count", "")
    return min(int(given), most + 2) if re.fullmatch(r"\d{1,4}", given) else 0


def _text(name: str, value: str) -> str:
    text = value.replace("\r\n", "\n")
    return text.strip() if name in ONE_LINE else text


# ------------------------------------------------------------------------------------ buttons that change rows


def changed(rows: Row, button: str) -> str:
    """Carries out `add:`, `remove:`, `up:` or `down:` on the rows; returns where the page should be scrolled to."""
    verb, _, place = button.partition(":")
    name, _, last = place.rpartition("-")
    if verb == "add":
        tidy(rows)
        listed = _list_at(rows, place)
        if listed is not None:
            listed.append(_shown_level() if place == "levels" else {})
        return f"levels-{len(rows['levels']) - 1}" if place == "levels" else place
    listed, number = _list_at(rows, name), int(last) if re.fullmatch(r"\d{1,4}", last) else -1
    if listed is not None and 0 <= number < len(listed):
        moved = listed.pop(number)
        if verb != "remove":
            number = max(0, min(number + (-1 if verb == "up" else 1), len(listed)))
            listed.insert(number, moved)
    tidy(rows)
    return f"levels-{number}" if name == "levels" and verb != "remove" else name


def _list_at(rows: Row, place: str) -> list[Row] | None:
    if place in ("levels", "fallback"):
        found: list[Row] = rows[place]
        return found
    match = re.fullmatch(r"levels-(\d{1,4})-(approvers|to|groups)", place)
    if match is None or int(match[1]) >= len(rows["levels"]):
        return None
    inner: list[Row] = rows["levels"][int(match[1])][match[2]]
    return inner


def _shown_level() -> Row:
    row: Row = rows_of({"levels": [dict(NEW_LEVEL)]})["levels"][0]
    return {**row, "expert": ""}


def tidy(rows: Row) -> None:
    """Takes out the rows in which nothing is entered."""
    rows["fallback"] = filled(rows["fallback"])
    for level in rows["levels"]:
        level["approvers"], level["to"] = filled(level["approvers"]), filled(level["to"])
        level["groups"] = [one for one in level["groups"] if any(one.values())]


def complete(rows: Row) -> None:
    """Fills in what may be left empty: the id of a level that has a name, whose manager is meant."""
    for level in rows["levels"]:
        if not level["id"] and "id" not in _keys(level):
            level["id"] = slugify(level["name"])[:80].strip("-_")
    lists = [rows["fallback"], *(level[name] for level in rows["levels"] for name in ("approvers", "to"))]
    for row in (*(row for listed in lists for row in listed), *(level["chair"] for level in rows["levels"])):
        if row["kind"] == "manager_of":
            row["value"] = row["value"].strip() or "requester"


# ------------------------------------------------------------------------------------ problems beside their fields


def own_problems(rows: Row) -> Errors:
    """What the fields themselves do not accept, by field: broken JSON, a value without kind, a key said twice."""
    errors: Errors = {}
    _expert(errors, "expert", rows, policy_from(rows), barred="levels")
    _people(errors, "fallback", rows["fallback"])
    for number, level in enumerate(rows["levels"]):
        prefix = f"levels-{number}"
        _expert(errors, f"{prefix}-expert", level, level_from(level))
        _people(errors, f"{prefix}-approvers", level["approvers"])
        _people(errors, f"{prefix}-to", level["to"])
        _people(errors, f"{prefix}-chair", [level["chair"]], single=True)
        names = {group["id"] for group in groups_in(level)}
        if level["rule_kind"] == "per_group":
            for place, row in enumerate(level["approvers"]):
                if row.get("group") and row["group"] not in names:
                    said = f"There is no group “{row['group']}” at this level."
                    errors.setdefault(f"{prefix}-approvers-{place}-group", []).append(said)
    return errors


def _expert(errors: Errors, name: str, row: Row, stated: Mapping[str, Any], barred: str = "") -> None:
    text = row.get("expert", "").strip()
    if not text:
        return
    try:
        value = read_document(text)
    except ValidationError as refused:
        errors[name] = list(refused.messages)
        return
    if not isinstance(value, dict) or barred in value:
        errors[name] = ["This must be a JSON object with keys that the fields cannot hold."]
        return
    if twice := sorted(value.keys() & stated.keys()):
        errors[name] = [f"{', '.join(twice)}: stands here and in the fields. Empty one of the two."]


def _people(errors: Errors, prefix: str, rows: Sequence[Row], *, single: bool = False) -> None:
    for number, row in enumerate(rows):
        name = prefix if single else f"{prefix}-{number}"
        if not row.get("kind") and row.get("value", "").strip():
            errors[f"{name}-kind"] = ["Choose what the value names."]
        if row.get("kind") == AS_JSON:
            try:
                read_document(row["value"] or "{}")
            except ValidationError as refused:
                errors[f"{name}-value"] = list(refused.messages)


def beside(problems: Mapping[str, Sequence[str]], rows: Row, own: Errors) -> Errors:
    """Problems of a document by the field they are about; what a field itself refused (`own`) is said instead."""
    errors: Errors = {name: list(messages) for name, messages in own.items()}
    refused = {name.rpartition("-")[0] for name in own if name.endswith(("-kind", "-value"))}
    for place, messages in problems.items():
        name = field_of(place, rows)
        if name in own or name.rpartition("-")[0] in refused:
            continue
        errors.setdefault(name, []).extend([NO_HOURS] if place.endswith(".business_seconds") else messages)
    return errors


def field_of(place: str, rows: Row) -> str:
    """The field (`levels-0-rule_number`) or list (`levels-0-approvers`) that a place of the document stands in.

    A place in no field is that of its level (`levels-0`), or "".
    """
    parts = place.replace("/", ".").split(".")
    if parts[0] == "levels" and len(parts) > 1 and parts[1].isdecimal() and int(parts[1]) < len(rows["levels"]):
        return _in_level(f"levels-{parts[1]}", parts[2:], rows["levels"][int(parts[1])])
    if parts[0] in _keys(rows):
        return "expert"
    if parts[0] == "fallback":
        return f"fallback-{parts[1]}-value" if len(parts) > 1 else "fallback"
    return parts[0] if parts[0] in (*POLICY_TEXTS, "separation", "levels") else ""


def _keys(row: Row) -> set[str]:
    try:
        value = json.loads(row.get("expert") or "{}")
    except (ValueError, RecursionError):
        return set()
    return set(value) if isinstance(value, dict) else set()


def _in_level(prefix: str, parts: Sequence[str], level: Row) -> str:
    if not parts:
        return prefix
    if parts[0] in _keys(level):
        return f"{prefix}-expert"
    if parts[0] == "approvers" and len(parts) > 1:
        names = {group["id"] for group in groups_in(level)}
        own = [number for number, row in enumerate(level["approvers"]) if row.get("group") not in names]
        return _at(f"{prefix}-approvers", own, parts[1])
    if list(parts[:2]) == ["deadline", "to"] and len(parts) > 2:
        return f"{prefix}-to-{parts[2]}-value"
    if list(parts[:2]) == ["rule", "groups"] and len(parts) > 2:
        return _in_group(prefix, parts[2:], level)
    texts = (DIRECT.get(text, text) for text in (".".join(parts[:2]), parts[0]))
    known = (*LEVEL_TEXTS, "approvers", "to", "groups", "chair-value")
    return next((f"{prefix}-{name}" for name in texts if name in known), prefix)


def _in_group(prefix: str, parts: Sequence[str], level: Row) -> str:
    groups = groups_in(level)
    number = int(parts[0]) if parts[0].isdecimal() else 0
    if number >= len(groups):
        return f"{prefix}-groups"
    if parts[1:2] == ["approvers"] and len(parts) > 2:
        members = [k for k, row in enumerate(level["approvers"]) if row.get("group") == groups[number]["id"]]
        return _at(f"{prefix}-approvers", members, parts[2])
    return f"{prefix}-groups-{number}-{'n' if parts[1:2] == ['n'] else 'id'}"


def _at(name: str, numbers: Sequence[int], part: str) -> str:
    number = int(part) if part.isdecimal() else -1
    return f"{name}-{numbers[number]}-value" if 0 <= number < len(numbers) else name


def of_the_gate(errors: Mapping[str, Sequence[str]], rows: Row) -> Errors:
    """What the gate refuses, by field: expressions by their place, what it says of a published workflow by the place or
    the level in its words; else it is of the whole page ("").
    """
    found: Errors = {}
    for place, messages in errors.items():
        for message in messages:
            inside = re.match(r"(levels|fallback)[/.]", place)
            name = field_of(place, rows) if inside else _named_in(message, rows)
            found.setdefault(name, []).append(message if inside else f"{place}: {message}")
    return found


def _named_in(message: str, rows: Row) -> str:
    if path := re.search(r"\b((?:levels|fallback)/[\w/]+): ", message):
        return field_of(path[1], rows)
    named = re.search(r"level '([a-z0-9_-]+)'", message)
    level = next((k for k, one in enumerate(rows["levels"]) if named and one["id"] == named[1]), None)
    if level is None:
        return ""
    parts = {"the deadline of level": "to", "the chair of level": "chair-value", "the group ": "groups"}
    part = next((name for words, name in parts.items() if words in message), "approvers")
    return f"levels-{level}-{part}"
