from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from apps.workflows.engine.board import Board, Spot
from apps.workflows.engine.definition import Definition, Outcome, Step
from apps.workflows.engine.effects import OpenApproval, WithdrawApproval
from apps.workflows.engine.kinds.base import Policies, step_problem
from apps.workflows.engine.kinds.rules import expressions_of_policy
from apps.workflows.engine.kinds.working import Working
from apps.workflows.engine.problems import Problem, Severity

APPROVED = Outcome(id="approved", label="Approved")
REJECTED = Outcome(id="rejected", label="Rejected")
RETURNED = Outcome(id="returned", label="Returned")
EXPIRED = Outcome(id="expired", label="Expired")


class Approval(Working):
    """An approval under a policy, inline or named by `policy_ref`.

    Of a policy that was not handed in it is not known whether it returns or expires: both may then have an arrow,
    neither must.
    """

    name = "approval"

    def outcomes(self, source: Mapping[str, Any], policies: Policies) -> tuple[Outcome, ...]:
        policy = _policy(source, policies)
        if policy is None:
            return APPROVED, REJECTED, RETURNED, EXPIRED
        returned = () if policy.get("return") == "never" else (RETURNED,)
        expired = (EXPIRED,) if _expires(policy) else ()
        return APPROVED, REJECTED, *returned, *expired

    def optional(self, step: Step, policies: Policies) -> frozenset[str]:
        known = _policy(step.settings, policies) is not None
        return frozenset() if known else frozenset({RETURNED.id, EXPIRED.id})

    def check(self, step: Step, definition: Definition, policies: Policies) -> Iterator[Problem]:
        if ("policy" in step.settings) == ("policy_ref" in step.settings):
            text = "an approval says exactly one of 'policy' and 'policy_ref'."
            yield step_problem("policy", step, text)
        elif _policy(step.settings, policies) is None:
            text = f"the approval policy {step.settings['policy_ref']!r} is not known here."
            problem = step_problem("unknown_policy", step, text, path="policy_ref")
            yield replace(problem, severity=Severity.WARNING)

    def expressions(self, step: Step) -> Iterator[tuple[str, str, bool]]:
        if "policy" in step.settings:
            yield from expressions_of_policy(step.settings["policy"], "policy")

    def open(self, board: Board, spot: Spot) -> None:
        board.emit(OpenApproval(**spot.of, item=spot.part.item if spot.part else None))

    def complete(self, board: Board, spot: Spot, outcome: str) -> None:
        self.complete_by(board, spot, outcome)

    def take_back(self, board: Board, spot: Spot) -> None:
        board.emit(WithdrawApproval(**spot.of))


def _policy(source: Mapping[str, Any], policies: Policies) -> Mapping[str, Any] | None:
    if "policy" in source:
        inline: Mapping[str, Any] = source["policy"]
        return inline
    return policies.get(source.get("policy_ref", ""))


def _expires(policy: Mapping[str, Any]) -> bool:
    return any(level.get("deadline", {}).get("then") == "expire" for level in policy.get("levels", ()))
