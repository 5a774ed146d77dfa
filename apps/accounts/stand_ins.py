"""Who answers for somebody who is away. A chain of deputies is followed up to five, and never in a circle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Exists, OuterRef, Q

from apps.accounts.models import Delegation, User

LONGEST_CHAIN = 5


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What an answer is about: the catalogue item and the amount, None where the form names no amount."""

    item: str
    amount: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """The deputy who is there, None if the chain runs in a circle or is longer than five. `chain`: all on the way."""

    deputy: User | None
    chain: tuple[User, ...]


def live(at: datetime) -> Q:
    """The delegations that are in force at that moment."""
    return Q(starts_at__lte=at, ends_at__gt=at, ended_at__isnull=True, deputy__is_active=True)


def away(at: datetime) -> Exists:
    """Whether a user (as an annotation of them) has a deputy at that moment, for whatever item or amount."""
    return Exists(Delegation.objects.filter(live(at), principal=OuterRef("pk")))


def applies(delegation: Delegation, scope: Scope) -> bool:
    """Whether the delegation covers it. A limit in another currency, or with no amount to compare, does not."""
    if delegation.items and scope.item not in delegation.items:
        return False
    if delegation.up_to is None:
        return True
    return scope.amount is not None and scope.currency == delegation.currency and scope.amount <= delegation.up_to


@dataclass(frozen=True, kw_only=True)
class Absences:
    """The delegations that are in force at a moment, by principal, the newest first: of the people asked about and of
    everybody their chains of deputies may lead to. Read once, it answers for any number of scopes.
    """

    by_principal: Mapping[int, Sequence[Delegation]]

    @classmethod
    def of(cls, people: Iterable[int], *, at: datetime) -> Absences:
        """Those that concern the people with these ids; one statement for each link of the longest chain."""
        found: dict[int, list[Delegation]] = {}
        asked = set(people)
        for _ in range(LONGEST_CHAIN + 1):
            if not asked:
                break
            found |= {pk: [] for pk in asked}
            rows = Delegation.objects.filter(live(at), principal__in=asked).select_related("deputy").order_by("-id")
            for one in rows:
                found[one.principal_id].append(one)
            asked = {one.deputy_id for pk in asked for one in found[pk]} - found.keys()
        return cls(by_principal=found)

    def stand_in(self, person: int, scope: Scope) -> StandIn | None:
        """Who answers for the person with this id; None if they answer themselves.

        Of several delegations that apply the newest counts. A deputy who left is passed over, as if there were none.
        """
        chain: list[User] = []
        passed, current = {person}, person
        while len(chain) <= LONGEST_CHAIN:
            deputy = self._deputy(current, scope)
            if deputy is None:
                return StandIn(deputy=chain[-1], chain=tuple(chain)) if chain else None
            chain.append(deputy)
            if deputy.pk in passed:
                break
            passed.add(deputy.pk)
            current = deputy.pk
        return StandIn(deputy=None, chain=tuple(chain))

    def _deputy(self, person: int, scope: Scope) -> User | None:
        return next((one.deputy for one in self.by_principal.get(person, ()) if applies(one, scope)), None)


def stand_ins(people: Iterable[User], *, scope: Scope, at: datetime) -> Mapping[int, StandIn]:
    """The stand-in of each of these people who has one, by id; one statement for each link of the longest chain."""
    asked = {person.pk for person in people}
    absences = Absences.of(asked, at=at)
    found = {pk: absences.stand_in(pk, scope) for pk in asked}
    return {pk: one for pk, one in found.items() if one is not None}
