"""The gate before a version, with the world as it is now: forms, people, policies, calendars, other workflows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from apps.accounts.models import User
from apps.approvals.quorum import check_policy
from apps.approvals.selectors import current_policies
from apps.core.errors import Conflict
from apps.requests.services.checking import ask_check, finished_check
from apps.requests.services.gate_forms import Forms, NoForms
from apps.requests.services.gate_guards import Surroundings, guard_problems, guard_problems_in
from apps.requests.services.gate_liveness import LIVENESS, unanswerable
from apps.requests.services.gate_references import unknown_references
from apps.requests.services.gate_returns import returned_to_nobody
from apps.workflows.engine import gate
from apps.workflows.engine.definition import Definition
from apps.workflows.engine.gate import MOST_MARKINGS, MOST_MARKINGS_LIVE, GateResult, Outcomes, Progress
from apps.workflows.engine.problems import Problem, Severity
from apps.workflows.engine.soundness import can_end, nested_keys
from apps.workflows.models import Workflow, WorkflowVersion
from apps.workflows.selectors import published_definitions
from apps.workflows.services.drafting import lock_draft
from apps.workflows.services.publishing import lock_publishing, publish_version

Document = Mapping[str, Any]


class _World:
    """The world as one check sees it, each part read once."""

    def __init__(self) -> None:
        self.policies = documents_of_policies()
        self.forms = Forms()

    @cached_property
    def published(self) -> dict[str, Definition]:
        return published_definitions()

    def problems(self, document: Document, definition: Definition) -> Iterator[Problem]:
        """What is wrong beyond what the engine itself finds."""
        known = {**self.published, definition.workflow: definition}
        yield from unknown_references(document)
        yield from _policies(document)
        yield from guard_problems(
            definition.workflow, Surroundings(known=known, policies=self.policies, forms=self.forms)
        )
        yield from unanswerable(document, self.policies)
        yield from returned_to_nobody(definition)
        yield from nested_keys(definition, known)

    def outcomes(self, definition: Definition) -> Outcomes:
        """By what the workflows that this one may run can end, itself included as it is drawn."""
        if not any(step.kind == "subflow" for step in definition.steps):
            return {}
        return can_end({**self.published, definition.workflow: definition}, of=[definition.workflow])


def check_workflow(document: Any, *, most: int = MOST_MARKINGS, progress: Progress | None = None) -> GateResult:
    """Everything that is known to be wrong with a document, as things are today; never raises.

    In five parts: the document and what it names; guards against the forms; structure; soundness, up to `most`
    markings; whether somebody can answer each approval.
    """
    world = _World()
    return gate.check(
        document,
        policies=world.policies,
        beyond=world.problems,
        children=world.outcomes,
        most=most,
        progress=progress,
    )


def check_alone(document: Any, *, progress: Progress | None = None) -> GateResult:
    """The same where there is no database to ask: of what the document names, and of the forms, nothing is known. The
    other workflows that it runs are taken to end."""

    def problems(drawn: Document, definition: Definition) -> Iterator[Problem]:
        around = Surroundings(known={definition.workflow: definition}, policies={}, forms=NoForms())
        yield from _policies(drawn)
        yield from guard_problems_in(definition, (), around)
        yield from returned_to_nobody(definition)

    def outcomes(definition: Definition) -> Outcomes | None:
        own = {definition.workflow: definition}
        runs = {step.settings["workflow"] for step in definition.steps if step.kind == "subflow"}
        return can_end(own) if runs <= own.keys() else None

    return gate.check(document, beyond=problems, children=outcomes, progress=progress)


def check_live(workflow: Workflow, document: Any, *, publisher: User | None = None) -> GateResult:
    """The check while somebody waits for it: it explores 2,000 markings, and knows what a worker has found beyond."""
    result = check_workflow(document, most=MOST_MARKINGS_LIVE)
    if result.verified or result.errors:
        return result
    return finished_check(workflow, result, publisher=publisher) or result


def publish_workflow(workflow: Workflow, *, actor: User | None, of_history: bool = False) -> WorkflowVersion:
    """Publishes the draft if the gate finds nothing.

    `of_history`: imported cases run on it, with the people of their own time; that nobody could answer today is no
    obstacle then, and said when they are handed over. A document that is too large to be seen whole at once is checked
    by a worker first; one that cannot be seen whole at all needs the signature of a second person. Raises
    BrokenDocument with the problems per step; Conflict without a draft, while the check is not finished and while the
    signature is missing.
    """
    lock_publishing()
    draft = lock_draft(workflow)
    if draft is None:
        raise Conflict("There is no draft to publish.")
    result = check_live(workflow, draft.document, publisher=actor)
    if of_history:
        result = replace(result, problems=tuple(_of_history(problem) for problem in result.problems))
    return publish_version(workflow, actor=actor, result=result)


def _of_history(problem: Problem) -> Problem:
    return replace(problem, severity=Severity.WARNING) if problem.code in LIVENESS else problem


def check_draft(workflow: Workflow, document: Any) -> GateResult:
    """The live check; where it has not seen every way a run can go, a worker is asked for the whole one."""
    result = check_live(workflow, document)
    if not result.verified and not result.errors:
        ask_check(workflow, document)
    return result


def documents_of_policies() -> dict[str, Document]:
    """The newest document of every approval policy, by its key: what a workflow may name."""
    return {key: version.document for key, version in current_policies().items()}


def _policies(document: Document) -> Iterator[Problem]:
    for index, step in enumerate(document["steps"]):
        for place, messages in check_policy(step["policy"]).items() if "policy" in step else ():
            for message in messages:
                text = f"Step {step['id']!r}: {place}: {message}"
                yield Problem(
                    code="approval_policy", message=text, step=step["id"], path=f"steps/{index}/policy/{place}"
                )
