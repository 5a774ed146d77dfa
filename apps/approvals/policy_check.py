"""What an approval policy's document may not say. Pure: names are looked up by the publish gate, not here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

Problems = dict[str, list[str]]
Json = Mapping[str, Any]

POLICY_KEYS = {"levels", "separation", "separation_empties", "fallback", "return", "matters", "earlier_answers"}
LEVEL_KEYS = {
    "id", "name", "approvers", "rule", "reject", "when", "comment", "deadline", "chair", "reauthenticate", "abstain",
}  # fmt: skip
DEADLINE_KEYS = {"business_seconds", "remind_at", "then", "to", "calendar"}
PLAIN_APPROVERS = ("person", "team", "role", "manager_of", "manager_of_team", "field", "owner_of", "cel")
APPROVERS = (*PLAIN_APPROVERS, "matrix")
MANAGED = ("requester", "requested_for")
RULES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "any": frozenset(),
        "all": frozenset(),
        "majority": frozenset(),
        "quorum": frozenset({"n"}),
        "percent": frozenset({"p"}),
        "per_group": frozenset({"groups"}),
        "all_then_any": frozenset(),
    }
)
RETURNS = ("restart", "resume", "never")
COMMENTS = ("on_reject", "on_any", "never")
SEPARATIONS = ("not_requester", "distinct_levels", "not_last_editor", "distinct_teams")
EMPTIES = ("skip", "manager", "incident")
EARLIER = ("ask", "count")
THEN = ("escalate", "approve", "reject", "return", "expire")
MOST_LEVELS, MOST_APPROVERS, HIGHEST_UP, MOST_SECONDS = 50, 200, 5, 400 * 24 * 3600
LONGEST_GUARD = 2000
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")


def check_policy(document: object) -> Problems:
    """What is wrong with an approval policy, by place ("levels.0.rule"); a message names the level and the key.

    CEL guards are only looked at for their type. Never raises, whatever JSON value it is given.
    """
    return _Check().policy(document)


class _Check:
    """Collects the problems of one document."""

    def __init__(self) -> None:
        self.problems: Problems = {}
        self.ids: set[str] = set()

    def policy(self, document: object) -> Problems:
        if not isinstance(document, Mapping):
            return {"policy": ["An approval policy is an object with levels."]}
        who = "The policy"
        self._keys("", who, document, POLICY_KEYS)
        self._several("separation", who, "separation", document.get("separation", []), SEPARATIONS)
        empties = document.get("separation_empties", "skip")
        self._one_of("separation_empties", who, "separation_empties", empties, EMPTIES)
        self._one_of("return", who, "return", document.get("return", "restart"), RETURNS)
        self._one_of("earlier_answers", who, "earlier_answers", document.get("earlier_answers", "ask"), EARLIER)
        self._contradictions(document)
        if "fallback" in document:
            self._approvers("fallback", who, "fallback", document["fallback"])
        levels = document.get("levels")
        if not isinstance(levels, list | tuple) or not 1 <= len(levels) <= MOST_LEVELS:
            self._problem("levels", who, "levels", f"must be a list of 1 to {MOST_LEVELS} levels")
            return self.problems
        for number, level in enumerate(levels):
            self._level(number, level, returns=document.get("return") != "never")
        return self.problems

    def _contradictions(self, document: Json) -> None:
        matters = document.get("matters", [])
        if not isinstance(matters, list | tuple) or not all(isinstance(one, str) and one for one in matters):
            self._problem("matters", "The policy", "matters", "must be a list of names of fields")
        elif matters and document.get("return") != "resume":
            self._problem("matters", "The policy", "matters", 'only has a meaning with "return": "resume"')
        separation = document.get("separation", [])
        if document.get("earlier_answers") == "count" and isinstance(separation, list | tuple):
            for apart in sorted({"distinct_levels", "distinct_teams"} & {str(one) for one in separation}):
                what = f"count contradicts the separation {apart}"
                self._problem("earlier_answers", "The policy", "earlier_answers", what)

    # ------------------------------------------------------------------------ levels

    def _level(self, number: int, level: object, *, returns: bool) -> None:
        place = f"levels.{number}"
        if not isinstance(level, Mapping):
            self._problem(place, f"Level {number + 1}", "levels", "must hold objects")
            return
        name = level.get("id")
        who = f"Level “{name}”" if isinstance(name, str) and ID.fullmatch(name) else f"Level {number + 1}"
        self._keys(place, who, level, LEVEL_KEYS)
        self._id(place, who, name)
        self._text(f"{place}.name", who, "name", level.get("name", "a name"), longest=200)
        self._text(f"{place}.when", who, "when", level.get("when", "true"), longest=LONGEST_GUARD)
        rule = level.get("rule")
        by_group = isinstance(rule, Mapping) and rule.get("kind") == "per_group"
        if "approvers" in level or not by_group:
            self._approvers(f"{place}.approvers", who, "approvers", level.get("approvers"))
        self._rule(f"{place}.rule", who, "rule", rule)
        self._seats(f"{place}.rule", who, "rule", rule, level.get("approvers"))
        self._reject(place, who, level, rule)
        self._one_of(f"{place}.comment", who, "comment", level.get("comment", "never"), COMMENTS)
        if not isinstance(level.get("abstain", False), bool):
            self._problem(f"{place}.abstain", who, "abstain", "must be true or false")
        if "chair" in level:
            self._approver(f"{place}.chair", who, "chair", level["chair"], among=PLAIN_APPROVERS)
        if "reauthenticate" in level:
            self._signed(f"{place}.reauthenticate", who, level["reauthenticate"])
        if "deadline" in level:
            self._deadline(f"{place}.deadline", who, level["deadline"], returns=returns)

    def _id(self, place: str, who: str, value: object) -> None:
        if not isinstance(value, str) or not ID.fullmatch(value):
            self._problem(f"{place}.id", who, "id", "must be a short name of lower-case letters, digits, “-” and “_”")
        elif value in self.ids:
            self._problem(f"{place}.id", who, "id", "is there twice")
        else:
            self.ids.add(value)

    def _signed(self, place: str, who: str, value: object) -> None:
        if not isinstance(value, Mapping):
            self._problem(place, who, "reauthenticate", 'must be an object such as {"meaning": "I reviewed it"}')
            return
        self._keys(place, who, value, {"meaning"})
        self._text(f"{place}.meaning", who, "meaning", value.get("meaning"), longest=500)

    def _deadline(self, place: str, who: str, value: object, *, returns: bool) -> None:
        if not isinstance(value, Mapping):
            self._problem(place, who, "deadline", 'must be an object such as {"business_seconds": 57600, "then": ...}')
            return
        self._keys(place, who, value, DEADLINE_KEYS)
        seconds = f"{place}.business_seconds"
        self._number(seconds, who, "business_seconds", value.get("business_seconds"), 1, MOST_SECONDS)
        then = value.get("then")
        self._one_of(f"{place}.then", who, "then", then, THEN)
        if then == "return" and not returns:
            self._problem(f"{place}.then", who, "then", 'return contradicts "return": "never" of the policy')
        if then == "escalate":
            self._approvers(f"{place}.to", who, "to", value.get("to"))
        elif "to" in value and then in THEN:
            self._problem(f"{place}.to", who, "to", 'only has a meaning with "then": "escalate"')
        reminders = value.get("remind_at", [])
        if not isinstance(reminders, list | tuple) or len(reminders) > 20:
            self._problem(f"{place}.remind_at", who, "remind_at", "must be a list of at most 20 percentages")
            return
        for number, percent in enumerate(reminders):
            self._number(f"{place}.remind_at.{number}", who, "remind_at", percent, 1, 99)
            if percent in reminders[:number]:
                self._problem(f"{place}.remind_at.{number}", who, "remind_at", f"{percent} is there twice")
        if "calendar" in value:
            self._text(f"{place}.calendar", who, "calendar", value["calendar"], longest=80)

    # ------------------------------------------------------------------------ rules

    def _reject(self, place: str, who: str, level: Json, rule: object) -> None:
        if "reject" not in level:
            return
        value, where = level["reject"], f"{place}.reject"
        kind = rule.get("kind") if isinstance(rule, Mapping) else None
        if kind == "all_then_any":
            self._problem(where, who, "reject", "has no meaning where everybody is heard (all_then_any)")
            return
        if isinstance(value, Mapping) and value.get("kind") == "all_then_any":
            self._problem(f"{where}.kind", who, "reject.kind", "cannot be all_then_any")
            return
        self._rule(where, who, "reject", value)
        if isinstance(value, Mapping) and value.get("kind") == "per_group":
            named, known = _group_ids(value), _group_ids(rule) if isinstance(rule, Mapping) else []
            if kind != "per_group" or not set(named) <= set(known):
                self._problem(f"{where}.groups", who, "reject.groups", "must name groups of the rule")
        else:
            self._seats(where, who, "reject", value, level.get("approvers"))

    def _rule(self, place: str, who: str, key: str, value: object) -> None:
        if not isinstance(value, Mapping):
            self._problem(place, who, key, 'must be an object such as {"kind": "any"}')
            return
        kind = value.get("kind")
        self._one_of(f"{place}.kind", who, f"{key}.kind", kind, tuple(RULES))
        if not isinstance(kind, str) or kind not in RULES:
            return
        self._keys(place, who, value, {"kind", *RULES[kind]})
        if kind == "quorum":
            self._number(f"{place}.n", who, f"{key}.n", value.get("n"), 1, MOST_APPROVERS)
        if kind == "percent":
            self._percentage(f"{place}.p", who, f"{key}.p", value.get("p"))
        if kind == "per_group":
            self._groups(f"{place}.groups", who, f"{key}.groups", value.get("groups"), asked=key == "rule")

    def _groups(self, place: str, who: str, key: str, value: object, *, asked: bool) -> None:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= MOST_LEVELS:
            self._problem(place, who, key, f"must be a list of 1 to {MOST_LEVELS} groups")
            return
        ids: set[str] = set()
        for number, group in enumerate(value):
            where = f"{place}.{number}"
            if not isinstance(group, Mapping):
                self._problem(where, who, key, "must hold objects with id, approvers and n")
                continue
            self._keys(where, who, group, {"id", "approvers", "n"} if asked else {"id", "n"})
            name = group.get("id")
            if not isinstance(name, str) or not ID.fullmatch(name) or name in ids:
                self._problem(f"{where}.id", who, f"{key}.id", "must be a short name that no other group has")
            else:
                ids.add(name)
            self._number(f"{where}.n", who, f"{key}.n", group.get("n", 1), 1, MOST_APPROVERS)
            if asked:
                self._approvers(f"{where}.approvers", who, f"{key}.approvers", group.get("approvers"))
                self._seats(where, who, key, {"kind": "quorum", "n": group.get("n", 1)}, group.get("approvers"))

    def _seats(self, place: str, who: str, key: str, rule: object, approvers: object) -> None:
        """A number of votes that the people named one by one can never give."""
        if not isinstance(rule, Mapping) or rule.get("kind") != "quorum" or not isinstance(approvers, list | tuple):
            return
        n, people = rule.get("n"), [one.get("person") for one in approvers if isinstance(one, Mapping)]
        names = {person for person in people if isinstance(person, str)}
        all_named = len(people) == len(approvers) and all(isinstance(person, str) for person in people)
        if names and all_named and isinstance(n, int) and n > len(names):
            self._problem(f"{place}.n", who, f"{key}.n", f"is {n}, more than the {len(names)} who are asked")

    # ------------------------------------------------------------------------ people

    def _approvers(self, place: str, who: str, key: str, value: object, among: Sequence[str] = APPROVERS) -> None:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= MOST_APPROVERS:
            self._problem(place, who, key, f"must be a list of 1 to {MOST_APPROVERS} approvers")
            return
        for number, approver in enumerate(value):
            self._approver(f"{place}.{number}", who, key, approver, among=among)

    def _approver(self, place: str, who: str, key: str, value: object, *, among: Sequence[str]) -> None:
        kinds = [kind for kind in among if isinstance(value, Mapping) and kind in value]
        if not isinstance(value, Mapping) or len(kinds) != 1:
            self._problem(place, who, key, f"must hold objects with one of {', '.join(among)}")
            return
        kind = kinds[0]
        self._keys(place, who, value, {kind, "up"} if kind == "manager_of" else {kind})
        APPROVER_CHECKS.get(kind, _Check._named)(self, place, who, kind, value)

    def _named(self, place: str, who: str, kind: str, value: Json) -> None:
        self._text(f"{place}.{kind}", who, kind, value[kind], longest=200)

    def _expression(self, place: str, who: str, kind: str, value: Json) -> None:
        self._text(f"{place}.{kind}", who, kind, value[kind], longest=LONGEST_GUARD)

    def _manager(self, place: str, who: str, kind: str, value: Json) -> None:
        self._one_of(f"{place}.{kind}", who, kind, value[kind], MANAGED)
        self._number(f"{place}.up", who, "up", value.get("up", 1), 1, HIGHEST_UP)

    def _matrix(self, place: str, who: str, kind: str, value: Json) -> None:
        """Rows of a guard each, the last of them `otherwise`: no request falls between them."""
        rows = value[kind]
        if not isinstance(rows, list | tuple) or not 1 <= len(rows) <= MOST_LEVELS:
            self._problem(f"{place}.matrix", who, "matrix", f"must be a list of 1 to {MOST_LEVELS} rows")
            return
        for number, row in enumerate(rows):
            where, name = f"{place}.matrix.{number}", f"matrix row {number + 1}"
            is_last = number == len(rows) - 1
            if not isinstance(row, Mapping) or ("otherwise" in row) == ("when" in row):
                self._problem(where, who, name, 'must be {"when", "approvers"} or, at the end, {"otherwise"}')
            elif "otherwise" in row:
                self._keys(where, who, row, {"otherwise"})
                self._approvers(f"{where}.otherwise", who, name, row["otherwise"], among=PLAIN_APPROVERS)
                if not is_last:
                    self._problem(where, who, name, "says otherwise: the rows below it are never reached")
            else:
                self._keys(where, who, row, {"when", "approvers"})
                self._text(f"{where}.when", who, name, row["when"], longest=LONGEST_GUARD)
                self._approvers(f"{where}.approvers", who, name, row.get("approvers"), among=PLAIN_APPROVERS)
                if is_last:
                    what = "has a hole: its last row must say whom to ask otherwise"
                    self._problem(f"{place}.matrix", who, "matrix", what)

    # ------------------------------------------------------------------------ small questions

    def _problem(self, place: str, who: str, key: str, what: str) -> None:
        self.problems.setdefault(place, []).append(f"{who}: “{key}” {what}.")

    def _keys(self, place: str, who: str, value: Json, known: set[str]) -> None:
        for key in sorted(str(key)[:40] for key in value.keys() - known):
            self._problem(f"{place}.{key}".lstrip("."), who, key, "is an unknown key")

    def _one_of(self, place: str, who: str, key: str, value: object, known: Sequence[str]) -> None:
        if value not in known:
            self._problem(place, who, key, f"must be one of {', '.join(known)}")

    def _several(self, place: str, who: str, key: str, value: object, known: Sequence[str]) -> None:
        if not isinstance(value, list | tuple):
            self._problem(place, who, key, "must be a list")
            return
        for item in value:
            if item not in known:
                self._problem(place, who, key, f"{str(item)[:40]} is unknown: there are {', '.join(known)}")

    def _text(self, place: str, who: str, key: str, value: object, *, longest: int) -> None:
        if not isinstance(value, str) or not value.strip() or len(value) > longest:
            self._problem(place, who, key, f"must be text of 1 to {longest} characters")

    def _number(self, place: str, who: str, key: str, value: object, least: int, most: int) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self._problem(place, who, key, f"must be a whole number from {least} to {most}")

    def _percentage(self, place: str, who: str, key: str, value: object) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 100:
            self._problem(place, who, key, "must be a number above 0, of at most 100")


APPROVER_CHECKS: Mapping[str, Callable[[_Check, str, str, str, Json], None]] = MappingProxyType(
    {"manager_of": _Check._manager, "matrix": _Check._matrix, "cel": _Check._expression}
)


def _group_ids(rule: Json) -> list[str]:
    groups = rule.get("groups")
    given = groups if isinstance(groups, list | tuple) else ()
    found = [group.get("id") for group in given if isinstance(group, Mapping)]
    return [one for one in found if isinstance(one, str)]
