"""Approval policies as values, made from their documents. Pure; `policy_check.py` says what a document may not say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from apps.approvals.policy_check import check_policy
from apps.core.errors import BrokenDocument

Approver = Mapping[str, Any]
Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class SignOff:
    """A group of a `per_group` rule: `n` of its approvers must agree. A person counts in each group they sit in."""

    id: str
    n: int = 1
    approvers: tuple[Approver, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A kind of vote rule with its number (`n` votes, `p` per cent) or its groups where the kind has them."""

    kind: str
    n: int | None = None
    p: float | None = None
    groups: tuple[SignOff, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LevelRule:
    """What approves a level, what rejects it, and whether a chair decides a tie."""

    rule: Rule
    reject: Rule = Rule(kind="any")
    chair: Approver | None = None


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """When a level must be decided, in business seconds of `calendar` (None: the item's), and what happens then.

    `remind_at` are per cent of the time. `then` is `escalate` (to the people of `to`), `approve`, `reject`, `return` or
    `expire`.
    """

    business_seconds: int
    then: str
    remind_at: tuple[int, ...] = ()
    to: tuple[Approver, ...] = ()
    calendar: str | None = None


@dataclass(frozen=True, kw_only=True)
class Level:
    """A level of a policy. `when` is a CEL guard, None if it always applies; `comment` says when one is required.

    `meaning` is what a signed answer stands for (the password is asked for again); None where none is needed.
    """

    id: str
    name: str
    approvers: tuple[Approver, ...]
    rule: Rule
    reject: Rule = Rule(kind="any")
    when: str | None = None
    comment: str = "never"
    deadline: Deadline | None = None
    chair: Approver | None = None
    abstain: bool = False
    meaning: str | None = None

    @property
    def asked(self) -> tuple[Approver, ...]:
        """Every rule that names people of this level, those of its groups too."""
        return (*self.approvers, *(rule for group in self.rule.groups for rule in group.approvers))


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Levels in order.

    `returns` is what a return leads to: a `restart` of all levels, `resume` at the level that asked as long as the
    fields named in `matters` are unchanged, or it is `never` allowed. `separation` are the duties kept apart;
    `separation_empties` says what becomes of a seat that this empties: it is left out (`skip`), goes to the person's
    `manager`, or opens an `incident`.
    With `earlier_answers` of `count`, who approved at an earlier level is not asked again: the answer counts.
    """

    levels: tuple[Level, ...]
    separation: tuple[str, ...] = ()
    separation_empties: str = "skip"
    fallback: tuple[Approver, ...] = ()
    returns: str = "restart"
    matters: tuple[str, ...] = ()
    earlier_answers: str = "ask"


def parse_policy(document: object) -> Policy:
    """The policy that a document states; raises `BrokenDocument` with what `check_policy` finds."""
    problems = check_policy(document)
    if problems:
        raise BrokenDocument(problems)
    assert isinstance(document, Mapping)
    return Policy(
        levels=tuple(_level(level) for level in document["levels"]),
        separation=tuple(document.get("separation", ())),
        separation_empties=document.get("separation_empties", "skip"),
        fallback=_approvers(document.get("fallback", ())),
        returns=document.get("return", "restart"),
        matters=tuple(document.get("matters", ())),
        earlier_answers=document.get("earlier_answers", "ask"),
    )


def _level(level: Json) -> Level:
    chair = level.get("chair")
    return Level(
        id=level["id"],
        name=level.get("name", level["id"]),
        approvers=_approvers(level.get("approvers", ())),
        rule=_rule(level["rule"]),
        reject=_rule(level.get("reject", {"kind": "any"})),
        when=level.get("when"),
        comment=level.get("comment", "never"),
        deadline=_deadline(level["deadline"]) if "deadline" in level else None,
        chair=None if chair is None else _approver(chair),
        abstain=level.get("abstain", False),
        meaning=level.get("reauthenticate", {}).get("meaning"),
    )


def _rule(rule: Json) -> Rule:
    return Rule(kind=rule["kind"], n=rule.get("n"), p=rule.get("p"), groups=tuple(_groups(rule.get("groups", ()))))


def _groups(groups: Sequence[Json]) -> Iterator[SignOff]:
    for group in groups:
        yield SignOff(id=group["id"], n=group.get("n", 1), approvers=_approvers(group.get("approvers", ())))


def _deadline(deadline: Json) -> Deadline:
    return Deadline(
        business_seconds=deadline["business_seconds"],
        then=deadline["then"],
        remind_at=tuple(sorted(deadline.get("remind_at", ()))),
        to=_approvers(deadline.get("to", ())),
        calendar=deadline.get("calendar"),
    )


def _approvers(approvers: Sequence[Json]) -> tuple[Approver, ...]:
    return tuple(_approver(one) for one in approvers)


def _approver(one: Json) -> Approver:
    """The rule as a read-only mapping; `manager_of` always says how far `up`."""
    return MappingProxyType({"up": 1, **one} if "manager_of" in one else {**one})
