"""What a dry run meets, read from the database: people, policies, forms, calendars, child workflows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from apps.accounts.models import User
from apps.accounts.stand_ins import Scope
from apps.approvals.quorum import parse_policy
from apps.approvals.selectors import Concerned, resolve_approvers
from apps.calendars.business_time import add
from apps.calendars.selectors import calendar_of, current_version
from apps.core import clock
from apps.core.errors import BrokenDocument, InvalidInput
from apps.requests.facts import form_of
from apps.requests.forms import Form
from apps.requests.models import FormVersion
from apps.requests.services.trial_rounds import Names, policy_of_trial
from apps.requests.services.trial_sample import Sample
from apps.workflows.engine import simulation
from apps.workflows.engine.definition import Definition, Step
from apps.workflows.engine.guards import GuardFailed, evaluate
from apps.workflows.models import Workflow
from apps.workflows.selectors import definition_of, published_version

Json = dict[str, Any]
Rule = Mapping[str, Any]
Facts = Mapping[str, Any]
People = tuple[str, ...]
Policies = Mapping[str, Mapping[str, Any]]


def world_for(sample: Sample, *, policies: Policies) -> simulation.World:
    """The world as it is now, for one sample request; `policies` are the approval policies' documents by key.

    Reads only, and the same thing once.
    """
    known = _Known(sample=sample, policies=policies)
    return simulation.World(
        people=known.people,
        due=_due,
        child=cache(_child),
        policy=known.policy,
        fields=known.fields,
    )


@dataclass(frozen=True, kw_only=True)
class _Known:
    sample: Sample
    policies: Policies

    def people(self, rule: Rule, facts: Facts, now: datetime) -> People:
        """The user names of the active people whom one rule names."""
        if rule.get("requester"):
            requester = self.sample.requester
            return (requester.username,) if requester and requester.is_active else ()
        if "field" in rule:
            return self._named(facts["request"]["data"].get(rule["field"]))
        if "cel" in rule:
            return self._named(_value(rule["cel"], facts, now))
        return self._resolved(json.dumps(dict(rule), sort_keys=True))

    def _named(self, name: object) -> People:
        return self._resolved(json.dumps({"person": name})) if isinstance(name, str) else ()

    @cached_property
    def _resolved(self) -> Callable[[str], People]:
        """The people whom a rule (as JSON) names; nobody where it starts from a requester and there is none."""
        requester, requested_for = self.sample.requester, self.sample.requested_for

        @cache
        def resolved(rule: str) -> People:
            given = json.loads(rule)
            if "manager_of" in given and (requester is None or requested_for is None):
                return ()
            people = Concerned(
                requester=requester or User(),
                requested_for=requested_for or User(),
                at=clock.now(),
                names=Names(facts=self.sample.facts, at=clock.now()),
                scope=Scope(item=self.sample.facts["request"]["item"]),
            )
            return tuple(approver.user.username for approver in resolve_approvers([given], people=people))

        return resolved

    def policy(self, step: Step) -> simulation.Policy | None:
        """The policy of a step, its votes counted by the real tally; None if it is missing or cannot be asked."""
        document = step.settings.get("policy") or self.policies.get(step.settings.get("policy_ref", ""))
        try:
            policy = parse_policy(document)
        except BrokenDocument:
            return None
        return policy_of_trial(policy, sample=self.sample)

    def fields(self, key: str | None, values: Mapping[str, Any]) -> Json:
        """Values for the request's data as guards see them: computed ones, or those of a task's form."""
        form = self.sample.form if key is None else _form(key)
        stored = form.accept_computed(values) if key is None else form.accept(values)
        return form.facts(stored, self.sample.zone)


def _form(key: str) -> Form:
    version = FormVersion.objects.current(key)
    if version is None:
        raise InvalidInput({"form": [f"There is no form {key!r}."]})
    return form_of(version.pk)


def _due(seconds: float, calendar: str, since: datetime) -> datetime | None:
    version = current_version(calendar)
    try:
        return add(calendar_of(version.pk), since, seconds) if version else None
    except InvalidInput:
        return None


def _child(workflow: str) -> Definition | None:
    """The newest published version, which is what a child run starts on."""
    row = Workflow.objects.filter(key=workflow).first()
    version = published_version(row.pk) if row else None
    return definition_of(version.pk) if version else None


def _value(expression: str, facts: Facts, now: datetime) -> Any:
    try:
        return evaluate(expression, facts, now)
    except GuardFailed:
        return None
