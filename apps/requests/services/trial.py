"""The dry run of a document: it meets the world as it is now, and nothing is written or sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.accounts.models import User
from apps.approvals.quorum import check_policy
from apps.approvals.selectors import current_policies
from apps.core import clock
from apps.core.errors import InvalidInput
from apps.requests.services.trial_sample import bare_facts, read_sample
from apps.requests.services.trial_world import Policies, world_for
from apps.workflows.engine.document import check_document, compile_document
from apps.workflows.engine.problems import Problem, Severity
from apps.workflows.engine.simulation import Entry, Trial, World, read_instant, read_script, simulate

Json = dict[str, Any]
PARTS = frozenset({"request", "now", "script"})


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What became of a dry run: the walk, and what is wrong with the document. One with errors is not walked."""

    trial: Trial
    problems: tuple[Problem, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing went wrong; warnings do not count."""
        return not self.trial.problems and not _has_errors(self.problems)

    def to_json(self) -> Json:
        """`path`, `asked`, `due`, `actions`, `ended`, `waiting`, and `problems`, those of the document first."""
        told = self.trial.to_json()
        return {**told, "problems": [*({**one.as_json(), "entry": None} for one in self.problems), *told["problems"]]}


def simulate_document(document: Any, given: Any, *, actor: User | None) -> DryRun:
    """Walks a document with `{"request": {...}, "now": "...", "script": [...]}`, each part optional.

    The request's data go through the form of its `item`, else they are taken as they are; who asks is `requester` (a
    user name), else the actor. Raises InvalidInput by field (`request.data.amount`, `script.3.at`) for what is given. A
    document with errors is not walked: they come back as problems. Reads only.
    """
    request, now, script = _given(given)
    sample = read_sample(request, actor=actor, now=now)
    policies = {key: version.document for key, version in current_policies().items()}
    world = world_for(sample, policies=policies)
    return _walked(document, sample.facts, script, world, now=now, policies=policies)


def simulate_alone(document: Any, given: Any) -> DryRun:
    """The same where there is no database to ask: nobody is known, nor any policy, calendar, form or child workflow."""
    request, now, script = _given(given)
    return _walked(document, bare_facts(request, now=now), script, World(), now=now, policies={})


def _walked(
    document: Any, facts: Json, script: tuple[Entry, ...], world: World, *, now: datetime, policies: Policies
) -> DryRun:
    problems = check_document(document, policies=policies)
    if not _has_errors(problems):
        problems = (*problems, *_broken_policies(document))
    if _has_errors(problems):
        return DryRun(trial=Trial(), problems=problems)
    definition = compile_document(document, policies=policies)
    return DryRun(trial=simulate(definition, facts, script, world, now=now), problems=problems)


def _has_errors(problems: tuple[Problem, ...]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)


def _broken_policies(document: Mapping[str, Any]) -> Iterator[Problem]:
    """The policies inside the document that could not be asked."""
    for step in document["steps"]:
        for place, messages in check_policy(step["policy"]).items() if "policy" in step else ():
            for message in messages:
                yield Problem(code="approval_policy", message=f"{place}: {message}", step=step["id"])


def _given(given: Any) -> tuple[Json, datetime, tuple[Entry, ...]]:
    """The three parts of what is given. Raises InvalidInput by field."""
    if not isinstance(given, Mapping):
        raise InvalidInput({"facts": ["This must be an object with request, now and script."]})
    errors = {str(key)[:60]: ["There is no such field."] for key in given if key not in PARTS}
    request, now = given.get("request", {}), clock.now()
    script: tuple[Entry, ...] = ()
    if not isinstance(request, Mapping):
        errors["request"] = ["This must be an object."]
    try:
        now = now if given.get("now") is None else read_instant(given["now"])
    except ValueError as problem:
        errors["now"] = [str(problem)]
    try:
        script = read_script(given.get("script", []))
    except InvalidInput as refusal:
        errors |= refusal.errors
    if errors:
        raise InvalidInput(errors)
    return dict(request), now, script
