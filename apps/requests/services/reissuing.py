"""New versions of what published workflows use, and rules that lead to them: what would break a workflow is refused.

A request is pinned to its versions when it is submitted, so nothing that runs is touched. But the next request takes
the newest form and the newest policies of that moment, together with the newest published workflow. So that workflow
must fit them, as it had to when it was published:

- a form says what guards may read: those of the workflows that its items may lead to, of the rules that select, and of
  workflows with a task that asks for it;
- an approval policy says by which outcomes its step is left, reads the form in its own guards, and names people;
- of a calendar the gate asks only whether it exists. A new version cannot change that, so nothing is checked.

What was wrong before is no reason to refuse: only what the new version breaks is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db import transaction

from apps.approvals.models import ApprovalPolicyVersion
from apps.approvals.quorum import check_policy
from apps.core.errors import BrokenDocument, WouldBreak
from apps.requests.forms import check_form
from apps.requests.models import CatalogItem, FormVersion, SelectionRule, SlaRule
from apps.requests.services.gate import documents_of_policies
from apps.requests.services.gate_forms import Forms, form_for
from apps.requests.services.gate_guards import Surroundings, guard_problems_in, own_guard_problems
from apps.requests.services.gate_liveness import unanswerable
from apps.workflows.engine.document import check_document
from apps.workflows.engine.guard_types import Shape, check_types
from apps.workflows.engine.guards import names_in
from apps.workflows.engine.kinds.rules import expressions_of_policy
from apps.workflows.engine.problems import Problem, Severity, by_place
from apps.workflows.models import WorkflowVersion
from apps.workflows.selectors import published_definitions, published_versions
from apps.workflows.services.publishing import lock_publishing

Document = Mapping[str, Any]
Rule = SelectionRule | SlaRule
Broken = Mapping[str, tuple[Problem, ...]]  # by what would break: `workflows/expenses`, `items/laptop`
OF_A_RUN = frozenset({"visit", "instances"})


@transaction.atomic
def publish_form(key: str, document: Document, *, created_by: str = "") -> FormVersion:
    """The form's next version, or the newest one if it says the same.

    Raises BrokenDocument with what is wrong with it, WouldBreak naming each workflow, step and reason; then nothing
    changed.
    """
    _refuse_broken(check_form(document))
    require_fitting_form(key, document)
    return FormVersion.freeze(key, dict(document), created_by=created_by)


@transaction.atomic
def publish_policy(key: str, document: Document, *, created_by: str = "") -> ApprovalPolicyVersion:
    """The approval policy's next version, as `publish_form`."""
    _refuse_broken(check_policy(document))
    require_fitting_policy(key, document)
    return ApprovalPolicyVersion.freeze(key, dict(document), created_by=created_by)


def require_fitting_form(key: str, document: Document) -> None:
    """Raises WouldBreak if a published workflow or a rule would no longer fit. Nobody publishes meanwhile."""
    lock_publishing()
    _refuse_breaking(broken_by_form(key, document))


def require_fitting_policy(key: str, document: Document) -> None:
    """Raises BrokenDocument for guards that fit no request at all, WouldBreak as for a form."""
    lock_publishing()
    _refuse_broken(_by_path(policy_guard_problems(document)))
    _refuse_breaking(broken_by_policy(key, document))


# forms


def broken_by_form(key: str, document: Document) -> Broken:
    """The errors that published workflows, and rules of active items, would have with this version and not without."""
    known, policies = published_definitions(), documents_of_policies()
    before = Surroundings(known=known, policies=policies, forms=Forms())
    after = Surroundings(known=known, policies=policies, forms=Forms({key: document}))
    rules = list(SelectionRule.objects.filter(item__active=True, item__form_key=key).select_related("item", "workflow"))
    asking = [name for name, each in known.items() if any(step.settings.get("form") == key for step in each.steps)]
    roots = {*after.that_run(*asking), *(rule.workflow.key for rule in rules)}
    workflows = {
        f"workflows/{name}": _added(own_guard_problems(name, before), own_guard_problems(name, after))
        for name in sorted(after.run_by(*roots))
    }
    items = {}
    of_sla = SlaRule.objects.filter(item__active=True, item__form_key=key).select_related("item")
    selecting: list[Rule] = [*rules, *of_sla]
    for slug in sorted({rule.item.slug for rule in selecting}):
        of_item = [rule for rule in selecting if rule.item.slug == slug]
        items[f"items/{slug}"] = _added(*(_of_rules(of_item, around.forms) for around in (before, after)))
    return {place: problems for place, problems in (workflows | items).items() if problems}


def _of_rules(rules: Iterable[Rule], forms: Forms) -> Iterator[Problem]:
    for rule in rules:
        yield from rule_guard_problems(rule, forms)


# rules


def rule_guard_problems(rule: Rule, forms: Forms) -> Iterator[Problem]:
    """What does not fit about a rule's guard and the form of its item: it sees the request, and no step."""
    shape = form_for(rule.item.form_key, forms)
    if not rule.guard or shape is None:
        return
    fields = [Shape(name=rule.item.slug, fields=shape.fields)]
    found = check_types(rule.guard, fields, boolean=True, instance=False)
    for problem in found:
        yield _of_rule(rule, problem.code, problem.message)
    if not any(problem.code == "expression" for problem in found):
        for name in sorted({name.path[0] for name in names_in(rule.guard)} & OF_A_RUN):
            yield _of_rule(rule, "unknown_field", f"There is no {name} yet when a workflow is selected.")


def rule_problems(rule: SelectionRule) -> Iterator[Problem]:
    """What keeps a rule from being saved: its guard, and guards of the published workflow that it would lead to, and of
    those that one runs, which do not fit the form of the item."""
    forms = Forms()
    yield from rule_guard_problems(rule, forms)
    around = Surroundings(known=published_definitions(), policies=documents_of_policies(), forms=forms)
    shape = form_for(rule.item.form_key, forms)
    if shape is None or not rule.item.active:
        return
    for key in sorted(around.run_by(rule.workflow.key)):
        fields = {**around.written(rule.workflow.key), **shape.fields}
        for problem in guard_problems_in(around.known[key], [Shape(name=rule.item.slug, fields=fields)], around):
            yield _of_rule(rule, problem.code, f"in the workflow {key!r}: {problem.message}")


def is_new_to_rules(item: CatalogItem) -> bool:
    """Whether the item as it is now in memory means something else for its rules than the stored one."""
    if item.pk is None:
        return True
    stored = CatalogItem.objects.filter(pk=item.pk).values_list("form_key", "active").first()
    return stored is None or stored[0] != item.form_key or (item.active and not stored[1])


def _of_rule(rule: Rule, code: str, message: str) -> Problem:
    return Problem(code=code, message=f"Rule {rule.name!r}: {message}", path=f"rules/{rule.name}")


# policies


def policy_guard_problems(document: Document) -> Iterator[Problem]:
    """What is wrong with the expressions of a policy whatever form they meet."""
    for path, source, is_condition in expressions_of_policy(document, ""):
        for problem in check_types(source, boolean=is_condition):
            place = path.removeprefix("/")
            yield Problem(code=problem.code, message=f"{place}: {problem.message}", path=place)


def broken_by_policy(key: str, document: Document) -> Broken:
    """The errors that published workflows which name the policy would have with this version and not without.

    Runs are not explored again: while every outcome has its arrow and every arrow its outcome, the arrows that can be
    taken are the same.
    """
    before = documents_of_policies()
    after = {**before, key: document}
    known, forms = published_definitions(), Forms()
    found = {}
    naming = [name for name, one in known.items() if any(step.settings.get("policy_ref") == key for step in one.steps)]
    for version in published_versions(keys=naming):
        each = [
            _with_policies(version, Surroundings(known=known, policies=policies, forms=forms))
            for policies in (before, after)
        ]
        found[f"workflows/{version.workflow.key}"] = _added(*each)
    return {place: problems for place, problems in found.items() if problems}


def _with_policies(version: WorkflowVersion, around: Surroundings) -> Iterator[Problem]:
    yield from check_document(version.document, policies=around.policies)
    yield from own_guard_problems(version.workflow.key, around)
    yield from unanswerable(version.document, around.policies)


# refusing


def _added(before: Iterable[Problem], after: Iterable[Problem]) -> tuple[Problem, ...]:
    """The errors in places that had none of the kind; the words of one that was there may differ."""
    known = {(one.code, one.path) for one in before if one.severity is Severity.ERROR}
    new = (one for one in after if one.severity is Severity.ERROR and (one.code, one.path) not in known)
    return tuple(dict.fromkeys(new))


def _by_path(problems: Iterable[Problem]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for problem in problems:
        found.setdefault(problem.path, []).append(problem.message)
    return found


def _refuse_broken(problems: Mapping[str, list[str]]) -> None:
    if problems:
        raise BrokenDocument(problems)


def _refuse_breaking(broken: Broken) -> None:
    errors: dict[str, list[str]] = {}
    for what, problems in broken.items():
        for place, messages in by_place(problems).items():
            errors[f"{what}/{place}"] = messages
    if errors:
        raise WouldBreak(errors)
