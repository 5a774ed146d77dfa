"""The approvals of a dry run: people are seated and votes are counted as in live operation, and nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from apps.accounts.models import User
from apps.approvals.documents import Approver as Rule
from apps.approvals.documents import Deadline
from apps.approvals.quorum import Level, Place, Policy, Vote, tally
from apps.approvals.selectors import Approver, Concerned
from apps.approvals.services.seating import Apart, Slate, can_be_approved, deciders_of, seated
from apps.calendars.business_time import add
from apps.calendars.selectors import calendar_of, current_version
from apps.core.errors import InvalidInput
from apps.requests.models import CatalogItem
from apps.requests.services.trial_sample import Sample, scope_seen
from apps.sla.selectors import calendar_keys, current_policy
from apps.workflows.engine import simulation
from apps.workflows.engine.guards import evaluate, holds

Facts = Mapping[str, Any]
People = tuple[str, ...]
NOBODY = User(pk=0)


@dataclass(frozen=True, kw_only=True)
class Names:
    """What approver rules ask of the sample request at a time of the dry run."""

    facts: Facts
    at: datetime

    def holds(self, guard: str) -> bool:
        return holds(guard, self.facts, self.at)

    def value(self, expression: str) -> Any:
        return evaluate(expression, self.facts, self.at)

    def field(self, name: str) -> Any:
        return self.facts["request"]["data"].get(name)

    def owner_of(self, item: str) -> User | None:
        found = CatalogItem.objects.select_related("owner").filter(slug=item).first()
        return found.owner if found else None


def policy_of_trial(policy: Policy, *, sample: Sample) -> simulation.Policy:
    """The policy as a dry run walks it. Every round starts at the first level, and earlier answers do not count
    again. Reads only.
    """
    return simulation.Policy(levels=tuple(_Level(policy, level, sample).walked() for level in policy.levels))


@dataclass(frozen=True)
class _Level:
    policy: Policy
    level: Level
    sample: Sample

    def walked(self) -> simulation.Level:
        level = self.level
        verdicts = ["approve", "reject"]
        verdicts += ["return"] if self.policy.returns != "never" else []
        verdicts += ["abstain"] if level.abstain else []
        to = level.deadline.to if level.deadline else ()
        return simulation.Level(
            id=level.id,
            when=level.when,
            verdicts=tuple(verdicts),
            seat=self.seat,
            chair=self._deciding([level.chair]) if level.chair else None,
            escalate=self._deciding(to) if to else None,
            deadline=self._deadline(level.deadline) if level.deadline else None,
        )

    def seat(self, facts: Facts, now: datetime, earlier: People) -> simulation.Slate:
        """Who would sit: the rules, deputies, duties kept apart and the fallback are those of live operation."""
        people = self._concerned(facts, now)
        slate = seated(self.level, self.policy, people, self._apart(people, earlier))
        places = [Place(seat=one.user.username, groups=one.groups) for one in slate.people]
        waits = not can_be_approved(self.level, slate.people, slate.people)

        def counted(votes: Sequence[tuple[str, str]]) -> str:
            found = tally(self.level, places, [Vote(seat=who, verdict=said) for who, said in votes], waits=waits)
            tied = found.status == "pending" and found.reason == "tie" and self.level.chair
            return "tie" if tied else found.status

        return simulation.Slate(people=_names(slate.people), tally=counted, warnings=_warnings(slate))

    def _deciding(self, rules: Sequence[Rule]) -> Any:
        def deciders(facts: Facts, now: datetime, earlier: People) -> People:
            people = self._concerned(facts, now)
            apart = self._apart(people, earlier)
            return _names(deciders_of(Slate(), rules, self.policy, self.level, apart, people))

        return deciders

    def _apart(self, people: Concerned, earlier: People) -> Apart:
        found = User.objects.filter(username__in=earlier).values_list("pk", flat=True) if earlier else ()
        return Apart.after(frozenset(found), self.policy, people)

    def _concerned(self, facts: Facts, now: datetime) -> Concerned:
        requester = self.sample.requester or NOBODY
        return Concerned(
            requester=requester,
            requested_for=self.sample.requested_for or requester,
            at=now,
            names=Names(facts=facts, at=now),
            scope=scope_seen(facts, self.sample.form.amount_field),
            edited_by=requester.pk,
        )

    def _deadline(self, deadline: Deadline) -> simulation.Deadline:
        def due(since: datetime) -> datetime | None:
            return self._counted(deadline, since, deadline.business_seconds)

        def reminders(at: datetime) -> tuple[tuple[int, datetime], ...]:
            left = [(percent, deadline.business_seconds * (100 - percent) // 100) for percent in deadline.remind_at]
            found = [(percent, self._counted(deadline, at, -seconds)) for percent, seconds in left]
            return tuple((percent, moment) for percent, moment in found if moment is not None)

        return simulation.Deadline(then=deadline.then, due=due, reminders=reminders)

    def _counted(self, deadline: Deadline, since: datetime, seconds: int) -> datetime | None:
        """So many business seconds later (or, negative, before); None where the named calendar does not exist."""
        version = current_version(deadline.calendar or self._calendar())
        if version is None:
            return None if deadline.calendar else since + timedelta(seconds=seconds)
        try:
            return add(calendar_of(version.pk), since, seconds)
        except InvalidInput:
            return None

    def _calendar(self) -> str:
        """The calendar of a deadline that names none: that of the item's SLA, else the site's."""
        item = CatalogItem.objects.filter(slug=self.sample.facts["request"]["item"]).first()
        terms = current_policy(item.sla_key) if item and item.sla_key else None
        return (
            min(calendar_keys(terms.document), default=settings.DEFAULT_CALENDAR)
            if terms
            else settings.DEFAULT_CALENDAR
        )


def _names(people: Sequence[Approver]) -> People:
    return tuple(one.user.username for one in people)


def _warnings(slate: Slate) -> tuple[tuple[str, str], ...]:
    found = [("guard", f"a rule names nobody, for it failed: {failure}") for failure in slate.failed]
    if slate.emptied:
        found.append(
            ("separation_of_duties", f"people are lacking, for duties are kept apart: {'; '.join(slate.emptied)}")
        )
    if slate.people and not slate.is_answerable:
        found.append(("too_few_asked", "too few people can answer, the fallback counted."))
    return tuple(found)
