"""The gate before a version: what the engine finds in a document, and the policies, people, calendars it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib.auth.models import Group

from apps.accounts.models import Team, User
from apps.approvals.quorum import check_policy
from apps.approvals.selectors import current_policies
from apps.calendars.models import CalendarVersion
from apps.workflows.engine.document import check_document
from apps.workflows.engine.problems import Problem, Severity
from apps.workflows.models import Workflow, WorkflowVersion
from apps.workflows.services.publishing import publish_version

Document = Mapping[str, Any]


def check_workflow(document: Any) -> tuple[Problem, ...]:
    """Everything that is known to be wrong with a document, engine first; whom it names must exist and be active."""
    problems = check_document(document, policies=documents_of_policies())
    if any(problem.severity is Severity.ERROR for problem in problems):
        return problems
    return (*problems, *_beyond_the_engine(document))


def publish_workflow(workflow: Workflow, *, actor: User | None) -> WorkflowVersion:
    """Publishes the draft if the gate finds nothing. Raises BrokenDocument with the problems per step, Conflict."""
    return publish_version(workflow, actor=actor, policies=documents_of_policies(), check=_beyond_the_engine)


def documents_of_policies() -> dict[str, Document]:
    """The newest document of every approval policy, by its key: what a workflow may name."""
    return {key: version.document for key, version in current_policies().items()}


def _beyond_the_engine(document: Document) -> tuple[Problem, ...]:
    return tuple(problem for step in document["steps"] for problem in _step_problems(step))


def _step_problems(step: Document) -> Iterator[Problem]:
    policy = step.get("policy")
    if policy is not None:
        for place, messages in check_policy(policy).items():
            yield from (_problem(step, "approval_policy", f"{place}: {message}") for message in messages)
    for rule in _rules(step):
        yield from (_problem(step, "unknown_reference", message) for message in _unknown(rule))
    calendar = step.get("for", {}).get("calendar")
    if calendar and not CalendarVersion.objects.filter(key=calendar).exists():
        yield _problem(step, "unknown_reference", f"There is no calendar {calendar!r}.")


def _rules(step: Document) -> Iterator[Document]:
    """Every rule of a step that names people."""
    yield step.get("assign", {})
    yield from (outcome["by"] for outcome in step.get("outcomes", []) if outcome.get("by"))
    yield from step.get("with", {}).get("to", []) if step.get("action") == "notify" else []
    policy = step.get("policy", {})
    yield from policy.get("fallback", [])
    for level in policy.get("levels", []):
        yield from level.get("approvers", [])


def _unknown(rule: Document) -> Iterator[str]:
    if "team" in rule and not Team.objects.filter(key=rule["team"]).exists():
        yield f"There is no team {rule['team']!r}."
    if "role" in rule and not Group.objects.filter(name=rule["role"], team__isnull=True).exists():
        yield f"There is no role {rule['role']!r}."
    if "person" in rule and not User.objects.filter(username=rule["person"], is_active=True).exists():
        yield f"There is no active person {rule['person']!r}."


def _problem(step: Document, code: str, message: str) -> Problem:
    return Problem(code=code, message=message, step=step["id"])
