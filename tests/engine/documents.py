"""Small documents for the engine's tests."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
FACTS: dict[str, Any] = {"request": {"number": "SR-1", "data": {"amount": 500.0}}, "run": {"n": 1}}
LINE = {"id": "line", "approvers": [{"manager_of": "requester"}], "rule": {"kind": "any"}}
POLICY = {"levels": [LINE]}


def facts(**data: Any) -> dict[str, Any]:
    return {"request": {"number": "SR-1", "data": data}, "run": {"n": 1}}


def arrow(source: str, target: str, **carries: Any) -> dict[str, Any]:
    return {"from": source, "to": target, **carries}


def document(steps: list[dict[str, Any]], arrows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """These steps between `start` and the ends `paid` and `no`; an end that no arrow leads to is left out."""
    ends = [("paid", "completed"), ("no", "rejected")]
    led_to = {each["to"] for each in arrows}
    return {
        "format": 1,
        "workflow": "expenses",
        "name": "Expenses",
        "steps": [
            {"id": "start", "kind": "start"},
            *steps,
            *({"id": end, "kind": "end", "outcome": outcome} for end, outcome in ends if end in led_to),
        ],
        "transitions": arrows,
        **more,
    }


EXPENSES = document(
    [
        {"id": "review", "kind": "approval", "name": "Review", "stage": "approval", "policy": POLICY},
        {"id": "mend", "kind": "task", "stage": "approval", "assign": {"requester": True}},
        {"id": "big", "kind": "choice", "name": "Above 1000?"},
        {"id": "board", "kind": "approval", "stage": "approval", "policy_ref": "board"},
        {
            "id": "mark",
            "kind": "action",
            "stage": "payment",
            "action": "set_fields",
            "with": {"fields": {"fee": "request.data.amount * 0.5"}},
        },
        {"id": "pause", "kind": "wait", "stage": "payment", "for": {"message": "delivered", "key": "request.number"}},
    ],
    [
        arrow("start", "review"),
        arrow("review", "big", outcome="approved"),
        arrow("review", "no", outcome="rejected"),
        arrow("review", "mend", outcome="returned"),
        arrow("mend", "review"),
        arrow("big", "board", when="request.data.amount > 1000"),
        arrow("big", "mark", otherwise=True),
        arrow("board", "mark", outcome="approved"),
        arrow("board", "no", outcome="rejected"),
        arrow("board", "mend", outcome="returned"),
        arrow("mark", "pause"),
        arrow("pause", "paid"),
    ],
    reopen="review",
    stages=[{"id": "approval", "name": "Approval"}, {"id": "payment", "name": "Payment"}],
    layout={"review": [240, 80]},
)


def expenses() -> dict[str, Any]:
    """A copy that a test may break."""
    return copy.deepcopy(EXPENSES)


def single(step: dict[str, Any], **more: Any) -> dict[str, Any]:
    """start → the step → paid."""
    return document([step], [arrow("start", step["id"]), arrow(step["id"], "paid")], **more)


def task(step_id: str = "work", **more: Any) -> dict[str, Any]:
    return {"id": step_id, "kind": "task", "assign": {"requester": True}, **more}


def wait(step_id: str = "wait", **spec: Any) -> dict[str, Any]:
    return {"id": step_id, "kind": "wait", "for": spec}


def split(step_id: str = "split") -> dict[str, Any]:
    return {"id": step_id, "kind": "split"}


def join(step_id: str = "join", **settings: Any) -> dict[str, Any]:
    return {"id": step_id, "kind": "join", **settings}


def choice(step_id: str = "choice") -> dict[str, Any]:
    return {"id": step_id, "kind": "choice"}


def race(step_id: str = "race") -> dict[str, Any]:
    return {"id": step_id, "kind": "race"}


def action(step_id: str = "act", **more: Any) -> dict[str, Any]:
    return {"id": step_id, "kind": "action", "action": "comment", "with": {"text": "Hi"}, **more}


def subflow(step_id: str = "child", workflow: str = "other", **more: Any) -> dict[str, Any]:
    return {"id": step_id, "kind": "subflow", "workflow": workflow, **more}
