"""What a policy would do before it is published: who would be asked, and which workflows it touches. Reads only.

People are seated by the code of live operation. Nobody has answered yet, so what earlier answers would change is only
said: who would be left out at a later level, or not asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count
from django.db.models.fields.json import KeyTextTransform, KeyTransform

from apps.accounts.models import User
from apps.approvals.models import Approval, ApprovalPolicyVersion
from apps.approvals.quorum import Level, Policy
from apps.approvals.selectors import Approver, Concerned
from apps.approvals.services.seating import DISTINCT_LEVELS, DISTINCT_TEAMS, Apart, Slate, chairs_of, resolve, slate_of
from apps.core import clock
from apps.requests.enums import OPEN_STATES
from apps.requests.facts import pinned_facts
from apps.requests.models import Request
from apps.requests.selectors.approver_words import reason
from apps.requests.services.trial_rounds import Names
from apps.requests.services.trial_sample import Sample, scope_seen
from apps.requests.services.work_items import concerned
from apps.requests.services.writing import Write
from apps.workflows.engine.guards import GuardFailed
from apps.workflows.models import WorkflowRun
from apps.workflows.selectors import published_definitions, published_versions

Rule = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Somebody who would be asked, the rule that names them, and whom they stand in for."""

    user: User
    because: Rule
    principal: User | None = None
    is_fallback: bool = False
    groups: tuple[str, ...] = ()
    later: str = ""

    @property
    def reason(self) -> str:
        """Why they are asked, in words."""
        return reason(self.because)


@dataclass(kw_only=True)
class LevelPreview:
    """A level: `skipped` is the guard that does not hold; `left_out` are people with the reason, `lost` those who are
    away with nobody there for them; `failed` are rules and guards that cannot be evaluated.
    """

    level: Level
    asked: list[Asked] = field(default_factory=list)
    left_out: list[tuple[User, str]] = field(default_factory=list)
    lost: list[User] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    chairs: list[User] = field(default_factory=list)
    skipped: str = ""
    falls_back: bool = False
    is_answerable: bool = True


@dataclass(frozen=True, kw_only=True)
class Touched:
    """A step of a published workflow that names the policy. `pinned`: open requests by the policy's version there."""

    workflow: str
    key: str
    version: int
    steps: tuple[str, ...]
    pinned: tuple[tuple[int, int], ...] = ()

    @property
    def open_requests(self) -> int:
        return sum(count for _, count in self.pinned)


def who_would_be_asked(policy: Policy, people: Concerned) -> list[LevelPreview]:
    """Every level of the policy in order, as if its round began now."""
    found: list[LevelPreview] = []
    earlier: dict[int, str] = {}
    for number, level in enumerate(policy.levels):
        shown = _level(number, level, policy, people, earlier)
        found.append(shown)
        for one in shown.asked:
            for person in (one.user, one.principal):
                if person is not None:
                    earlier.setdefault(person.pk, level.name)
    return found


def _level(number: int, level: Level, policy: Policy, people: Concerned, earlier: Mapping[int, str]) -> LevelPreview:
    shown = LevelPreview(level=level)
    try:
        if level.when and not people.names.holds(level.when):
            shown.skipped = level.when
            return shown
    except GuardFailed as failure:  # as in live operation: the level is asked, and an operator is called
        shown.failed.append(str(failure))
    apart = Apart.of(Approval(level=number), policy, people)
    slate = slate_of(Approval(level=number), level, policy, people)
    shown.failed += slate.failed
    shown.falls_back, shown.is_answerable = slate.falls_back, slate.is_answerable
    shown.asked = [_asked(one, level, policy, earlier) for one in slate.people]
    shown.chairs = chairs_of(level, people)
    seated = {one.named.pk for one in slate.people} | {one.user.pk for one in slate.people}
    for one in resolve(Slate(), [*level.asked, *(policy.fallback if slate.falls_back else ())], people):
        if one.user.pk in slate.lost:
            shown.lost.append(one.user)
        elif one.user.pk not in seated and (reason := apart.why_not(one.user)):
            shown.left_out.append((one.user, reason))
    return shown


def _asked(one: Approver, level: Level, policy: Policy, earlier: Mapping[int, str]) -> Asked:
    before = next((earlier[pk] for pk in (one.user.pk, one.named.pk) if pk in earlier), "")
    return Asked(
        user=one.user,
        because=one.because,
        principal=one.principal,
        is_fallback=one.because in policy.fallback and one.because not in level.asked,
        groups=tuple(sorted(one.groups)) if len(level.rule.groups) else (),
        later=_later(before, policy),
    )


def _later(before: str, policy: Policy) -> str:
    """What an answer at an earlier level would change."""
    if not before:
        return ""
    if policy.earlier_answers == "count":
        return f"not asked again if they approve at “{before}”"
    if DISTINCT_LEVELS in policy.separation or DISTINCT_TEAMS in policy.separation:
        return f"left out if they answer at “{before}”"
    return ""


# ------------------------------------------------------------------------------------ sample requests


def concerned_by(request: Request, *, actor: User) -> Concerned:
    """Whom the rules start from in a request that was submitted, as it is now."""
    write = Write(request=request, actor=actor, at=clock.now())
    return concerned(write, lambda: pinned_facts(request))


def concerned_in(sample: Sample) -> Concerned:
    """The same for a sample request. It must have a requester."""
    requester = sample.requester
    assert requester is not None
    at = clock.now()
    return Concerned(
        requester=requester,
        requested_for=sample.requested_for or requester,
        at=at,
        names=Names(facts=sample.facts, at=at),
        scope=scope_seen(sample.facts, sample.form.amount_field),
        edited_by=requester.pk,
    )


# ------------------------------------------------------------------------------------ workflows


def touched_workflows(key: str) -> list[Touched]:
    """The published workflows that name a policy, each with how many open requests keep which version of it."""
    known = published_definitions()
    steps = {
        name: [step.name or step.id for step in one.steps if step.settings.get("policy_ref") == key]
        for name, one in known.items()
    }
    naming = [name for name, found in steps.items() if found]
    pinned = _pinned(key)
    return [
        Touched(
            workflow=version.workflow.name,
            key=version.workflow.key,
            version=version.n or 0,
            steps=tuple(steps[version.workflow.key]),
            pinned=tuple(pinned.get(version.workflow_id, ())),
        )
        for version in published_versions(keys=naming)
    ]


def _pinned(key: str) -> dict[int, list[tuple[int, int]]]:
    """By workflow id: the versions (`n`) of the policy that open requests keep, and how many requests keep each."""
    numbers = dict(ApprovalPolicyVersion.objects.filter(key=key).values_list("pk", "n"))
    rows = (
        WorkflowRun.objects.filter(ended_at__isnull=True, stream__request__status__in=OPEN_STATES)
        .annotate(pin=KeyTextTransform(key, KeyTransform("policies", "stream__request__pins")))
        .filter(pin__isnull=False)
        .values_list("version__workflow_id", "pin")
        .annotate(requests=Count("stream_id", distinct=True))
    )
    found: dict[int, list[tuple[int, int]]] = {}
    for workflow, pin, count in rows:
        found.setdefault(workflow, []).append((numbers.get(int(pin), 0), count))
    return {workflow: sorted(each) for workflow, each in found.items()}
