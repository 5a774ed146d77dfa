"""A policy's document as the rows that a page shows, and back. Pure; lossless for whatever `check_policy` accepts.

A row is a plain mapping of texts. What the fields cannot hold (a text with line breaks where one line is shown, groups
of a reject rule in another order) stands as JSON in `expert`, whose keys are added to those of the fields. `stated`
names the keys that the document says although they say what holds without them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apps.approvals.policy_check import PLAIN_APPROVERS, SEPARATIONS
from apps.core.models import canonical_json

Json = Mapping[str, Any]
Row = dict[str, Any]
POLICY_DEFAULTS: Json = {
    "return": "restart", "separation": [], "separation_empties": "skip", "earlier_answers": "ask", "matters": [],
}  # fmt: skip
LEVEL_DEFAULTS: Json = {"comment": "never", "abstain": False, "reject": {"kind": "any"}}
NUMBERED = {"quorum": "n", "percent": "p"}
AS_JSON = "json"
HOUR = 3600
CLOCK = re.compile(r"(\d+):(\d\d)(?::(\d\d))?")
NEW_LEVEL: Json = {"id": "", "approvers": [], "rule": {"kind": "any"}}
NEW_POLICY: Json = {
    "separation": ["not_requester"],
    "levels": [
        {"id": "manager", "name": "Manager", "approvers": [{"manager_of": "requester"}], "rule": {"kind": "any"}}
    ],
}


class Cannot(Exception):
    """The fields cannot hold this value."""


def same(one: object, other: object) -> bool:
    """Whether two JSON values say the same."""
    return canonical_json(one) == canonical_json(other)


# ------------------------------------------------------------------------------------ to rows


def rows_of(document: Json) -> Row:
    """The rows of a document. Raises Cannot where it has no list of levels: it can only be edited as JSON."""
    levels = document.get("levels") if isinstance(document, Mapping) else None
    if not isinstance(levels, list) or not all(isinstance(level, Mapping) for level in levels):
        raise Cannot("levels")
    own = {key: value for key, value in document.items() if key != "levels"}
    row = _shown(own, _policy_row, policy_from)
    row["levels"] = [_shown(level, _level_row, level_from) for level in levels]
    return row


def _shown(value: Json, show: Callable[[Json], Row], build: Callable[[Row], Json]) -> Row:
    """The row of a value; keys that do not come back from it as they are go to `expert`."""
    left: dict[str, Any] = {}
    shown = dict(value)
    for _ in range(len(value) + 1):
        row = show(shown)
        back = build(row)
        lost = [key for key in shown if key not in back or not same(back[key], shown[key])]
        if not lost:
            break
        left |= {key: shown.pop(key) for key in lost}
    row["expert"] = json.dumps(left, ensure_ascii=False, indent=2) if left else ""
    return row


def _policy_row(value: Json) -> Row:
    return {
        "return": value.get("return", "restart"),
        "separation": [one for one in SEPARATIONS if one in _list(value.get("separation"))],
        "separation_empties": value.get("separation_empties", "skip"),
        "earlier_answers": value.get("earlier_answers", "ask"),
        "matters": "\n".join(str(one) for one in _list(value.get("matters"))),
        "fallback": [approver_row(one) for one in _list(value.get("fallback"))],
        "stated": _stated(value, POLICY_DEFAULTS),
        "order": " ".join(str(one) for one in _list(value.get("separation"))),
    }


def _level_row(value: Json) -> Row:
    rule, reject = _mapping(value.get("rule")), _mapping(value.get("reject", LEVEL_DEFAULTS["reject"]))
    deadline, chair = _mapping(value.get("deadline")), value.get("chair")
    return {
        "id": _line(value.get("id")),
        "name": _line(value.get("name")),
        "when": _text(value.get("when")),
        "rule_kind": _text(rule.get("kind")),
        "rule_number": _number(rule.get("n", rule.get("p"))),
        "reject_kind": _text(reject.get("kind")) or "any",
        "reject_number": _number(reject.get("n", reject.get("p"))),
        "comment": value.get("comment", "never"),
        "abstain": value.get("abstain") is True,
        "meaning": _text(_mapping(value.get("reauthenticate")).get("meaning")),
        "deadline_hours": _hours(deadline.get("business_seconds")),
        "deadline_remind_at": ", ".join(str(one) for one in _list(deadline.get("remind_at"))),
        "deadline_then": _text(deadline.get("then")),
        "deadline_calendar": _line(deadline.get("calendar")),
        "to": [approver_row(one) for one in _list(deadline.get("to"))],
        "chair": approver_row(chair) if chair else {},
        "groups": list(_group_rows(rule, reject)),
        "approvers": [
            *(approver_row(one) for one in _list(value.get("approvers"))),
            *(
                {**approver_row(one), "group": _text(group.get("id"))}
                for group in _list(rule.get("groups"))
                for one in _list(_mapping(group).get("approvers"))
            ),
        ],
        "stated": " ".join(
            [_stated(value, LEVEL_DEFAULTS), *(["remind_at"] if deadline.get("remind_at") == [] else [])]
        ).strip(),
    }


def approver_row(rule: Any) -> Row:
    """The row of a rule that names people; as JSON where kind and value do not hold it."""
    for kind in PLAIN_APPROVERS:
        if isinstance(rule, Mapping) and kind in rule:
            row = {"kind": kind, "value": _text(rule[kind]), "up": _number(rule.get("up"))}
            if same(approver_from(row), rule):
                return row
    return {"kind": AS_JSON, "value": json.dumps(rule, ensure_ascii=False), "up": ""}


def _group_rows(rule: Json, reject: Json) -> Any:
    refusals = {_text(one.get("id")): one for one in _list(reject.get("groups")) if isinstance(one, Mapping)}
    for group in _list(rule.get("groups")):
        known = _mapping(group)
        name = _text(known.get("id"))
        refusal = refusals.get(name)
        no = "" if refusal is None else _number(refusal.get("n", 1))
        yield {"id": name, "n": _number(known.get("n")), "reject_n": no}


# ------------------------------------------------------------------------------------ to the document


def document_from(row: Row) -> dict[str, Any]:
    """The document that the rows state. Never raises: what is no number stays a text, for the check to refuse."""
    own = policy_from(row)
    levels = [level_from(level) | read_expert(level) for level in row["levels"]]
    return {**own, **read_expert(row), "levels": levels}


def read_expert(row: Row) -> dict[str, Any]:
    """The keys that stand in a row's expert field; none where it is no JSON object, which the page refuses."""
    try:
        value = json.loads(row.get("expert") or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def policy_from(row: Row) -> dict[str, Any]:
    """The keys of a policy beside its levels that the fields of a row state."""
    chosen, order = list(row.get("separation", ())), row.get("order", "").split()
    separation = order if set(order) == set(chosen) else [one for one in SEPARATIONS if one in chosen]
    matters = [line for line in row.get("matters", "").split("\n") if line] if row.get("return") == "resume" else []
    found = {
        "return": row.get("return", ""),
        "separation": separation,
        "separation_empties": row.get("separation_empties", ""),
        "earlier_answers": row.get("earlier_answers", ""),
        "matters": matters,
    }
    found = _without(found, POLICY_DEFAULTS, row)
    if fallback := filled(row.get("fallback", ())):
        found["fallback"] = [approver_from(one) for one in fallback]
    return found


def level_from(row: Row) -> dict[str, Any]:
    """The keys of a level that the fields of a row state."""
    found: dict[str, Any] = {"id": row["id"]} if row.get("id") else {}
    found |= {key: row[key] for key in ("name", "when") if row.get(key, "").strip()}
    by_group = row.get("rule_kind") == "per_group"
    asked = filled(row.get("approvers", ()))
    names = {group["id"] for group in groups_in(row)}
    if own := [one for one in asked if not (by_group and one.get("group") in names)]:
        found["approvers"] = [approver_from(one) for one in own]
    if row.get("rule_kind"):
        found["rule"] = _rule(row, "rule", [_group(group, asked) for group in groups_in(row)])
    refusing = [{"id": one["id"], **_whole("n", one["reject_n"])} for one in groups_in(row) if one.get("reject_n")]
    reject = _rule(row, "reject", refusing)
    rest = {"comment": row.get("comment", ""), "abstain": bool(row.get("abstain")), "reject": reject}
    if row.get("rule_kind") == "all_then_any" and same(reject, LEVEL_DEFAULTS["reject"]):
        del rest["reject"]
    found |= _without(rest, LEVEL_DEFAULTS, row)
    if row.get("meaning", "").strip():
        found["reauthenticate"] = {"meaning": row["meaning"]}
    if filled([row.get("chair", {})]):
        found["chair"] = approver_from(row["chair"])
    return found | _deadline(row)


def approver_from(row: Row) -> Any:
    """The rule that a row states; an empty object where it has a value and no kind."""
    kind, value = row.get("kind", ""), row.get("value", "")
    if kind == AS_JSON:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return {}
    if kind not in PLAIN_APPROVERS:
        return {}
    return {kind: value, **(_whole("up", row.get("up", "")) if kind == "manager_of" else {})}


def filled(rows: Sequence[Row]) -> list[Row]:
    """The rows in which somebody entered something."""
    return [row for row in rows if row.get("kind") or row.get("value", "").strip()]


def groups_in(row: Row) -> list[Row]:
    """The sign-off groups of a level in which something is entered; none under another rule."""
    if row.get("rule_kind") != "per_group":
        return []
    return [one for one in row.get("groups", ()) if one.get("id") or one.get("n") or one.get("reject_n")]


def _group(group: Row, asked: Sequence[Row]) -> Json:
    approvers = [approver_from(one) for one in asked if one.get("group") and one["group"] == group["id"]]
    return {"id": group["id"], "approvers": approvers, **_whole("n", group.get("n", ""))}


def _rule(row: Row, name: str, groups: Sequence[Json]) -> Json:
    kind = row.get(f"{name}_kind", "")
    if kind == "per_group":
        return {"kind": kind, "groups": list(groups)}
    key = NUMBERED.get(kind)
    return {"kind": kind, **(_whole(key, row.get(f"{name}_number", "")) if key else {})}


def _deadline(row: Row) -> Row:
    texts = ("deadline_hours", "deadline_then", "deadline_remind_at", "deadline_calendar")
    if not any(row.get(name, "").strip() for name in texts):
        return {}
    found: Row = {"business_seconds": seconds_of(row.get("deadline_hours", "")), "then": row.get("deadline_then", "")}
    reminders = [as_number(one) for one in re.split(r"[\s,;%]+", row.get("deadline_remind_at", "")) if one]
    if reminders or "remind_at" in row.get("stated", "").split():
        found["remind_at"] = reminders
    if row.get("deadline_calendar"):
        found["calendar"] = row["deadline_calendar"]
    if found["then"] == "escalate" and filled(row.get("to", ())):
        found["to"] = [approver_from(one) for one in filled(row["to"])]
    return {"deadline": found}


def seconds_of(text: str) -> Any:
    """Hours (`16`, `1.5`, `0:01:40`) as seconds; the text itself where it says no time."""
    given = text.strip()
    if clock := CLOCK.fullmatch(given):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return hours * HOUR + minutes * 60 + seconds
    if re.fullmatch(r"\d{1,9}([.,]\d{1,6})?", given):
        return round(float(given.replace(",", ".")) * HOUR)
    return given


def _hours(seconds: Any) -> str:
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 0:
        return _text(seconds)
    if seconds % 36 == 0:
        return f"{seconds / HOUR:.2f}".rstrip("0").rstrip(".")
    return f"{seconds // HOUR}:{seconds % HOUR // 60:02}:{seconds % 60:02}"


# ------------------------------------------------------------------------------------ small values


def as_number(text: str) -> Any:
    """A number as it is written; the text itself where it is none."""
    given = text.strip()
    if re.fullmatch(r"-?\d{1,15}", given):
        return int(given)
    try:
        return float(given) if re.fullmatch(r"-?[\d.]+([eE][-+]?\d+)?", given) else text
    except ValueError:
        return text


def _whole(key: str, text: str) -> Json:
    return {key: as_number(text)} if text.strip() else {}


def _number(value: Any) -> str:
    return "" if value is None else str(value)


def _text(value: Any) -> str:
    """A text as a page sends it back: with line breaks of one kind, and none at its beginning."""
    return value.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n") if isinstance(value, str) else ""


def _line(value: Any) -> str:
    """A text as a page with one line for it sends it back."""
    return _text(value).replace("\n", "")


def _stated(value: Json, defaults: Json) -> str:
    return " ".join(key for key in defaults if key in value and same(value[key], defaults[key]))


def _without(found: Row, defaults: Json, row: Row) -> Row:
    """What is said, without what holds anyway and is not stated."""
    stated = row.get("stated", "").split()
    return {key: value for key, value in found.items() if key in stated or not same(value, defaults[key])}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}
