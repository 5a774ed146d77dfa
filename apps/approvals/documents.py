"""Approval policy documents: what they may say, and the policy they make. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from apps.core.errors import BrokenDocument

Problems = dict[str, list[str]]
Approver = Mapping[str, str | int]

POLICY_KEYS = {"levels", "separation", "fallback", "return"}
POLICY_KEYS_LATER = {"separation_empties", "matters"}
LEVEL_KEYS = {"id", "name", "approvers", "rule", "reject", "when", "comment"}
LEVEL_KEYS_LATER = {"deadline", "chair", "reauthenticate", "abstain"}
APPROVERS = ("person", "team", "role", "manager_of")
APPROVERS_LATER = ("manager_of_team", "field", "owner_of", "cel", "matrix")
MANAGED = ("requester", "requested_for")
RULES = ("any", "all")
RULES_LATER = ("majority", "quorum", "percent", "all_then_any", "per_group")
RETURNS = ("restart", "never")
COMMENTS = ("on_reject", "on_any", "never")
SEPARATIONS_LATER = ("not_requester", "distinct_levels", "not_last_editor", "distinct_teams")
MOST_LEVELS, MOST_APPROVERS, HIGHEST_UP = 50, 200, 5
ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A kind of vote rule with its number (`n` votes, `p` per cent) where the kind has one."""

    kind: str
    n: int | None = None
    p: int | None = None


@dataclass(frozen=True, kw_only=True)
class LevelRule:
    """What approves a level, and what rejects it."""

    rule: Rule
    reject: Rule = Rule(kind="any")


@dataclass(frozen=True, kw_only=True)
class Level:
    """A level of a policy. `when` is a CEL guard, None if it always applies; `comment` says when one is required."""

    id: str
    name: str
    approvers: tuple[Approver, ...]
    rule: Rule
    reject: Rule = Rule(kind="any")
    when: str | None = None
    comment: str = "never"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Levels in order. `returns` is what a return leads to: a `restart` of all levels, or it is `never` allowed."""

    levels: tuple[Level, ...]
    separation: tuple[str, ...] = ()
    fallback: tuple[Approver, ...] = ()
    returns: str = "restart"


def parse_policy(document: object) -> Policy:
    """The policy that a document states; raises `BrokenDocument` with what `check_policy` finds."""
    problems = check_policy(document)
    if problems:
        raise BrokenDocument(problems)
    assert isinstance(document, Mapping)
    return Policy(
        levels=tuple(_level(level) for level in document["levels"]),
        separation=tuple(document.get("separation", ())),
        fallback=_approvers(document.get("fallback", ())),
        returns=document.get("return", "restart"),
    )


def check_policy(document: object) -> Problems:
    """What is wrong with an approval policy, by place ("levels.0.rule"); a message names the level and the key.

    CEL guards are only looked at for their type. Never raises, whatever JSON value it is given.
    """
    return _Check().policy(document)


def _level(level: Mapping[str, object]) -> Level:
    approvers, reject, when = level["approvers"], level.get("reject", {"kind": "any"}), level.get("when")
    assert isinstance(approvers, list | tuple)
    return Level(
        id=str(level["id"]),
        name=str(level.get("name", level["id"])),
        approvers=_approvers(approvers),
        rule=_rule(level["rule"]),
        reject=_rule(reject),
        when=None if when is None else str(when),
        comment=str(level.get("comment", "never")),
    )


def _rule(rule: object) -> Rule:
    assert isinstance(rule, Mapping)
    return Rule(kind=rule["kind"])


def _approvers(approvers: Sequence[Approver]) -> tuple[Approver, ...]:
    """The rules as read-only mappings; `manager_of` always says how far `up`."""
    return tuple(MappingProxyType({"up": 1, **one} if "manager_of" in one else {**one}) for one in approvers)


class _Check:
    """Collects the problems of one document."""

    def __init__(self) -> None:
        self.problems: Problems = {}
        self.ids: set[str] = set()

    def policy(self, document: object) -> Problems:
        if not isinstance(document, Mapping):
            return {"policy": ["An approval policy is an object with levels."]}
        self._keys("", "The policy", document, POLICY_KEYS, POLICY_KEYS_LATER)
        self._separation(document.get("separation", []))
        self._one_of("return", "The policy", "return", document.get("return", "restart"), RETURNS, ("resume",))
        if "fallback" in document:
            self._approvers("fallback", "The policy", "fallback", document["fallback"])
        levels = document.get("levels")
        if not isinstance(levels, list | tuple) or not 1 <= len(levels) <= MOST_LEVELS:
            self._problem("levels", "The policy", "levels", f"must be a list of 1 to {MOST_LEVELS} levels")
            return self.problems
        for number, level in enumerate(levels):
            self._level(number, level)
        return self.problems

    def _problem(self, place: str, who: str, key: str, what: str) -> None:
        self.problems.setdefault(place, []).append(f"{who}: “{key}” {what}.")

    def _keys(self, place: str, who: str, value: Mapping[str, object], known: set[str], later: set[str]) -> None:
        for key in value.keys() - known:
            what = "is not available yet" if key in later else "is an unknown key"
            self._problem(f"{place}.{str(key)[:40]}".lstrip("."), who, str(key)[:40], what)

    def _one_of(
        self, place: str, who: str, key: str, value: object, known: Sequence[str], later: Sequence[str]
    ) -> None:
        if value in later:
            self._problem(place, who, key, f"{value} is not available yet")
        elif value not in known:
            self._problem(place, who, key, f"must be one of {', '.join(known)}")

    def _separation(self, value: object) -> None:
        if not isinstance(value, list | tuple):
            self._problem("separation", "The policy", "separation", "must be a list")
            return
        for item in value:
            what = "is not available yet" if item in SEPARATIONS_LATER else "is unknown"
            self._problem("separation", "The policy", "separation", f"{str(item)[:40]} {what}")

    def _level(self, number: int, level: object) -> None:
        place = f"levels.{number}"
        if not isinstance(level, Mapping):
            self._problem(place, f"Level {number + 1}", "levels", "must hold objects")
            return
        name = level.get("id")
        who = f"Level “{name}”" if isinstance(name, str) and ID.fullmatch(name) else f"Level {number + 1}"
        self._keys(place, who, level, LEVEL_KEYS, LEVEL_KEYS_LATER)
        self._id(place, who, name)
        self._text(place, who, "name", level.get("name", "a name"), longest=200)
        self._text(place, who, "when", level.get("when", "true"), longest=2000)
        self._approvers(f"{place}.approvers", who, "approvers", level.get("approvers"))
        self._rule(f"{place}.rule", who, "rule", level.get("rule"))
        self._rule(f"{place}.reject", who, "reject", level.get("reject", {"kind": "any"}))
        self._one_of(f"{place}.comment", who, "comment", level.get("comment", "never"), COMMENTS, ())

    def _id(self, place: str, who: str, value: object) -> None:
        if not isinstance(value, str) or not ID.fullmatch(value):
            self._problem(f"{place}.id", who, "id", "must be a short name of lower-case letters, digits, “-” and “_”")
        elif value in self.ids:
            self._problem(f"{place}.id", who, "id", "is there twice")
        else:
            self.ids.add(value)

    def _text(self, place: str, who: str, key: str, value: object, *, longest: int) -> None:
        if not isinstance(value, str) or not value.strip() or len(value) > longest:
            self._problem(f"{place}.{key}", who, key, f"must be text of 1 to {longest} characters")

    def _rule(self, place: str, who: str, key: str, value: object) -> None:
        if not isinstance(value, Mapping):
            self._problem(place, who, key, 'must be an object such as {"kind": "any"}')
            return
        kind = value.get("kind")
        self._one_of(f"{place}.kind", who, f"{key}.kind", kind, RULES, RULES_LATER)
        if kind in RULES:
            self._keys(place, who, value, {"kind"}, set())

    def _approvers(self, place: str, who: str, key: str, value: object) -> None:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= MOST_APPROVERS:
            self._problem(place, who, key, f"must be a list of 1 to {MOST_APPROVERS} approvers")
            return
        for number, approver in enumerate(value):
            self._approver(f"{place}.{number}", who, key, approver)

    def _approver(self, place: str, who: str, key: str, value: object) -> None:
        kinds = sorted(value.keys() & {*APPROVERS, *APPROVERS_LATER}) if isinstance(value, Mapping) else []
        if not isinstance(value, Mapping) or len(kinds) != 1:
            self._problem(place, who, key, f"must hold objects with one of {', '.join(APPROVERS)}")
            return
        if kinds[0] in APPROVERS_LATER:
            self._problem(place, who, kinds[0], "is not available yet")
            return
        self._keys(place, who, value, {kinds[0], "up"} if kinds[0] == "manager_of" else {kinds[0]}, set())
        APPROVER_CHECKS.get(kinds[0], _Check._named)(self, place, who, kinds[0], value)

    def _named(self, place: str, who: str, kind: str, value: Mapping[str, object]) -> None:
        self._text(place, who, kind, value[kind], longest=200)

    def _manager(self, place: str, who: str, kind: str, value: Mapping[str, object]) -> None:
        self._one_of(f"{place}.{kind}", who, kind, value[kind], MANAGED, ())
        up = value.get("up", 1)
        if not isinstance(up, int) or isinstance(up, bool) or not 1 <= up <= HIGHEST_UP:
            self._problem(f"{place}.up", who, "up", f"must be a whole number from 1 to {HIGHEST_UP}")


APPROVER_CHECKS: Mapping[str, Callable[[_Check, str, str, str, Mapping[str, object]], None]] = MappingProxyType(
    {"manager_of": _Check._manager}
)
