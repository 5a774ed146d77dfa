"""Which workflow carries a request out, under which SLA policy: the first rule that holds; the reason is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from apps.core.errors import Misconfigured
from apps.requests.models import CatalogItem, SelectionRule, SlaRule
from apps.workflows.engine.guards import GuardFailed, holds
from apps.workflows.models import WorkflowVersion
from apps.workflows.selectors import published_version

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The version that was selected and why: the rule that held and those before it that did not."""

    version: WorkflowVersion
    rule: SelectionRule
    passed_over: tuple[str, ...]

    def reason(self) -> dict[str, Any]:
        """What is stored with the request."""
        return {
            "workflow": self.version.workflow.key,
            "version": self.version.n,
            "rule": self.rule.name,
            "guard": self.rule.guard,
            "passed_over": list(self.passed_over),
        }


def select_workflow(item: CatalogItem, facts: Mapping[str, Any], *, now: datetime) -> Selection:
    """The first rule in order whose guard holds, with the newest published version of its workflow.

    Raises Misconfigured if no rule holds, the workflow has no published version, or a guard cannot be evaluated: a
    failing guard is never a silent no.
    """
    passed_over: list[str] = []
    for rule in item.rules.all():
        if _applies(rule, facts, now):
            version = published_version(rule.workflow_id)
            if version is None:
                raise Misconfigured(f"The workflow {rule.workflow.key} of rule {rule.name!r} is not published.")
            return Selection(version=version, rule=rule, passed_over=tuple(passed_over))
        passed_over.append(rule.name)
    raise Misconfigured(f"No workflow of {item.name} applies to this request.")


@dataclass(frozen=True, kw_only=True)
class SlaSelection:
    """The SLA policy that was selected, by key ("" for none), and why."""

    key: str
    rule: str
    passed_over: tuple[str, ...]

    def reason(self) -> dict[str, Any]:
        """What is stored with the request."""
        return {"policy": self.key, "rule": self.rule, "passed_over": list(self.passed_over)}


def select_sla(item: CatalogItem, facts: Mapping[str, Any], *, now: datetime) -> SlaSelection:
    """The policy of the first rule in order whose guard holds, else the item's own. Raises Misconfigured as above."""
    passed_over: list[str] = []
    for rule in item.sla_rules.all():
        if _applies(rule, facts, now):
            return SlaSelection(key=rule.policy_key, rule=rule.name, passed_over=tuple(passed_over))
        passed_over.append(rule.name)
    return SlaSelection(key=item.sla_key, rule="", passed_over=tuple(passed_over))


def _applies(rule: SelectionRule | SlaRule, facts: Mapping[str, Any], now: datetime) -> bool:
    if not rule.guard:
        return True
    try:
        return holds(rule.guard, facts, now)
    except GuardFailed as failure:
        log.error("selection_guard_failed", item=rule.item_id, rule=rule.pk, reason=str(failure))
        told = f"The rule {rule.name!r} of this item could not be evaluated; an administrator must mend it."
        raise Misconfigured(told) from failure
