"""Who answers for somebody who is away. A chain of deputies is followed up to five, and never in a circle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Exists, OuterRef, Q, QuerySet

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


def stand_ins(people: Iterable[User], *, scope: Scope, at: datetime) -> Mapping[int, StandIn]:
    """The stand-in of each of these people who has one, by id; one statement for each link of the longest chain.

    Of several delegations that apply the newest counts. A deputy who left is passed over, as if there were none.
    """
    chains: dict[int, tuple[User, ...]] = {}
    started = {person.pk for person in people}
    found = _deputies(started, scope, at)
    heads: dict[int, tuple[User, ...]] = {pk: (found[pk],) for pk in started if pk in found}
    while heads:
        chains |= heads
        following = _deputies({chain[-1].pk for chain in heads.values() if len(chain) <= LONGEST_CHAIN}, scope, at)
        heads = {
            pk: (*chain, following[chain[-1].pk])
            for pk, chain in heads.items()
            if chain[-1].pk in following and chain[-1].pk not in _passed(pk, chain)
        }
    return {pk: _at_the_end(pk, chain) for pk, chain in chains.items()}


def _passed(pk: int, chain: tuple[User, ...]) -> set[int]:
    return {pk, *(one.pk for one in chain[:-1])}


def _at_the_end(pk: int, chain: tuple[User, ...]) -> StandIn:
    is_lost = chain[-1].pk in _passed(pk, chain) or len(chain) > LONGEST_CHAIN
    return StandIn(deputy=None if is_lost else chain[-1], chain=chain)


def _deputies(principals: set[int], scope: Scope, at: datetime) -> dict[int, User]:
    if not principals:
        return {}
    rows: QuerySet[Delegation] = Delegation.objects.filter(live(at), principal__in=principals)
    rows = rows.select_related("deputy").order_by("id")
    return {one.principal_id: one.deputy for one in rows if applies(one, scope)}
