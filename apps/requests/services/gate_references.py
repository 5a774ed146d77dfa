"""What a workflow names must exist: active people, teams, roles, policies, calendars, forms, items, workflows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from django.contrib.auth.models import Group

from apps.accounts.models import Team, User
from apps.approvals.models import ApprovalPolicyVersion
from apps.calendars.models import CalendarVersion
from apps.requests.models import CatalogItem, FormVersion
from apps.workflows.engine.problems import Problem, Severity
from apps.workflows.enums import VersionStatus
from apps.workflows.models import Secret, WorkflowVersion

Json = Mapping[str, Any]
Found = Iterator[tuple[str, str, Any]]  # where in the step, what kind of thing, its name


def unknown_references(document: Json) -> Iterator[Problem]:
    """A problem for each name of something that is not there; each name is looked up once."""
    exists = lru_cache(maxsize=None)(_exists)
    for index, step in enumerate(document["steps"]):
        for place, sort, name in _references(step):
            is_own = sort == "workflow" and name == document["workflow"]
            if not is_own and not exists(sort, name):
                yield _problem(step, f"steps/{index}/{place}", sort, name)


def _problem(step: Json, path: str, sort: str, name: Any) -> Problem:
    """A missing secret is a warning: it may be entered later, by somebody else."""
    later = sort == "secret"
    return Problem(
        code="unknown_secret" if later else "unknown_reference",
        message=f"Step {step['id']!r}: {SAID[sort].format(name)}",
        severity=Severity.WARNING if later else Severity.ERROR,
        step=step["id"],
        path=path,
    )


SAID = {
    "person": "There is no active person {0!r}.",
    "team": "There is no team {0!r}.",
    "role": "There is no role {0!r}.",
    "owner_of": "There is no item {0!r}.",
    "item": "There is no active item {0!r}.",
    "policy": "There is no approval policy {0!r}.",
    "calendar": "There is no calendar {0!r}.",
    "form": "There is no form {0!r}.",
    "workflow": "There is no published workflow {0!r}.",
    "secret": "There is no secret {0!r} yet; it must be entered before the first request gets here.",
}
LOOKED_UP: Mapping[str, Callable[[Any], bool]] = {
    "person": lambda name: User.objects.filter(username=name, is_active=True).exists(),
    "team": lambda name: Team.objects.filter(key=name).exists(),
    "role": lambda name: Group.objects.filter(name=name, team__isnull=True).exists(),
    "owner_of": lambda name: CatalogItem.objects.filter(slug=name).exists(),
    "item": lambda name: CatalogItem.objects.filter(slug=name, active=True).exists(),
    "policy": lambda name: ApprovalPolicyVersion.objects.filter(key=name).exists(),
    "calendar": lambda name: CalendarVersion.objects.filter(key=name).exists(),
    "form": lambda name: FormVersion.objects.filter(key=name).exists(),
    "workflow": lambda name: WorkflowVersion.objects.filter(
        workflow__key=name, status=VersionStatus.PUBLISHED
    ).exists(),
    "secret": lambda name: Secret.objects.filter(name=name).exists(),
}


def _exists(sort: str, name: Any) -> bool:
    return LOOKED_UP[sort](name)


def _references(step: Json) -> Found:
    for place, rule in rules_of(step):
        yield from _in_rule(place, rule)
    for key, sort in (("policy_ref", "policy"), ("form", "form"), ("workflow", "workflow")):
        if key in step:
            yield key, sort, step[key]
    yield from _in_durations(step)
    settings = step.get("with", {})
    if "item" in settings:
        yield "with/item", "item", settings["item"]
    if "secret" in settings:
        yield "with/secret", "secret", settings["secret"]["secret"]


def _in_rule(place: str, rule: Json) -> Found:
    for sort in ("person", "team", "role", "owner_of"):
        if sort in rule:
            yield place, sort, rule[sort]
    if "manager_of_team" in rule:
        yield place, "team", rule["manager_of_team"]


def _in_durations(step: Json) -> Found:
    durations = [("for", step.get("for", {}))]
    durations += [(f"deadlines/{index}/after", one["after"]) for index, one in enumerate(step.get("deadlines", ()))]
    levels = step.get("policy", {}).get("levels", ())
    durations += [(f"policy/levels/{index}/deadline", one.get("deadline", {})) for index, one in enumerate(levels)]
    yield from ((place, "calendar", one["calendar"]) for place, one in durations if "calendar" in one)


def rules_of(step: Json) -> Iterator[tuple[str, Json]]:
    """Every rule of a step that names people, and where it stands in the step."""
    yield "assign", step.get("assign", {})
    for index, outcome in enumerate(step.get("outcomes", ())):
        yield f"outcomes/{index}/by", outcome.get("by", {})
    to = step.get("with", {}).get("to", ())
    yield from _listed("with/to", [to] if isinstance(to, Mapping) else to)
    policy = step.get("policy", {})
    yield from _listed("policy/fallback", policy.get("fallback", ()))
    for index, level in enumerate(policy.get("levels", ())):
        yield from _of_level(f"policy/levels/{index}", level)


def _of_level(place: str, level: Json) -> Iterator[tuple[str, Json]]:
    yield from _listed(f"{place}/approvers", level.get("approvers", ()))
    yield from _listed(f"{place}/deadline/to", level.get("deadline", {}).get("to", ()))
    yield f"{place}/chair", level.get("chair", {})
    for index, group in enumerate(level.get("rule", {}).get("groups", ())):
        yield from _listed(f"{place}/rule/groups/{index}/approvers", group.get("approvers", ()))


def _listed(place: str, rules: Any) -> Iterator[tuple[str, Json]]:
    for index, rule in enumerate(rules):
        yield f"{place}/{index}", rule
        for number, row in enumerate(rule.get("matrix", ())):
            for key in ("approvers", "otherwise"):
                yield from _listed(f"{place}/{index}/matrix/{number}/{key}", row.get(key, ()))
