"""Dry runs in a world of plain functions, for tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from apps.workflows.engine.document import compile_document
from apps.workflows.engine.simulation import Entry, Level, Policy, Trial, World, simulate
from tests.engine.documents import NOW, facts

START = "2026-11-23T10:00:00Z"
BOARD = {"id": "board", "approvers": [{"person": "bea"}, {"person": "bo"}], "rule": {"kind": "all"}}
TEAMS = {"it": ("ivo", "lea"), "administrator": ("ada",), "senior": ("lea",)}


def people(rule: Any, seen: Any, now: datetime) -> tuple[str, ...]:
    """The requester is Rita; `it` has two people, and a person is who they are."""
    if rule.get("requester"):
        return ("rita",)
    if "person" in rule:
        return (rule["person"],)
    if "field" in rule:
        return (seen["request"]["data"][rule["field"]],)
    return TEAMS.get(rule.get("team") or rule.get("role") or "", ())


def all_of(asked: tuple[str, ...], votes: Any) -> str:
    """Everybody approves, or somebody rejects or returns."""
    verdicts = [verdict for _, verdict in votes]
    against = {"reject": "rejected", "return": "returned"}
    decided = next((against[verdict] for verdict in verdicts if verdict in against), None)
    return decided or ("approved" if len(verdicts) == len(asked) else "pending")


def level(name: str, *asked: str, when: str | None = None) -> Level:
    return Level(id=name, people=lambda seen, now: asked, tally=all_of, when=when)


def policy(*levels: Level) -> Any:
    return lambda step: Policy(levels=levels)


def run(source: dict[str, Any], *script: Entry, world: World | None = None, seen: Any = None) -> Trial:
    world = world or World(people=people)
    return simulate(compile_document(source), seen or facts(amount=500.0), script, world, now=NOW)


def path(trial: Trial) -> list[tuple[str, str]]:
    return [(told["step"], told["event"]) for told in trial.path]


def codes(trial: Trial) -> list[tuple[str, int | None]]:
    return [(problem.code, problem.entry) for problem in trial.problems]


def later(**span: float) -> datetime:
    return NOW + timedelta(**span)


def waits(trial: Trial) -> dict[str, Any]:
    return {told["step"]: told["for"] for told in trial.waiting}
