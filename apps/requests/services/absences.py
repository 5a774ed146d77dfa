"""Absences as the faces take them: what was entered is checked against people and catalogue, and what would move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from apps.accounts.delegations import Problems, Terms, create_delegation, problems_of
from apps.accounts.models import Delegation, User
from apps.accounts.stand_ins import Absences, Scope, applies
from apps.accounts.zones import zone_of
from apps.approvals.models import Seat
from apps.approvals.services.seating import Apart
from apps.core import clock
from apps.core.errors import InvalidInput
from apps.core.text import is_blank, text_problem
from apps.requests.forms.fields import AMOUNT
from apps.requests.models import CatalogItem
from apps.requests.selectors.catalog import items_for
from apps.requests.selectors.people import person_named
from apps.requests.selectors.rounds import policy_of_round
from apps.requests.selectors.work import waiting_approvals
from apps.requests.services.work_items import concerned, scope_of
from apps.requests.services.writing import Write

MOST_LOOKED_AT = 200
YEARS = range(1900, 9000)
NO_TIME = "This must be a time such as 2026-01-31T09:00."


@dataclass(frozen=True, kw_only=True)
class AbsenceWish:
    """An absence as it came in: every value is still to be checked.

    Times are texts (RFC 3339; one without offset is in the principal's own zone) or empty: a start left out is now.
    """

    deputy: Any = ""
    starts_at: Any = None
    ends_at: Any = None
    items: Any = ()
    up_to: Any = None
    currency: Any = ""


@dataclass(frozen=True, kw_only=True)
class Going:
    """An open approval of the principal that goes to the deputy, or on to the deputy's own (`to`)."""

    seat: Seat
    to: User


@dataclass(frozen=True, kw_only=True)
class Staying:
    """An open approval that stays with the principal, and why."""

    seat: Seat
    why: str


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What an absence means for the approvals that wait now; of very many only the newest 200 are looked at."""

    going: Sequence[Going]
    staying: Sequence[Staying]


def delegable_items(person: User) -> QuerySet[CatalogItem]:
    """The items that somebody can name in an absence: those offered to them, and those they were ever asked about."""
    asked = Seat.objects.filter(Q(user=person) | Q(principal=person)).values("level__approval__stream__request__item")
    return CatalogItem.objects.filter(Q(pk__in=items_for(person).values("pk")) | Q(pk__in=asked)).order_by("name", "id")


@transaction.atomic(savepoint=False)
def delegate(principal: User, wish: AbsenceWish) -> Delegation:
    """Names the deputy of the principal, who says so themselves. Raises InvalidInput with every problem by field."""
    return create_delegation(principal, checked(principal, wish))


def checked(principal: User, wish: AbsenceWish, *, whole: bool = True, at: datetime | None = None) -> Terms:
    """The terms that were entered; with `whole` false the end may be missing. Raises InvalidInput by field."""
    problems: Problems = {}
    terms = Terms(
        deputy=person_named(wish.deputy.strip()) if isinstance(wish.deputy, str) else None,
        starts_at=_instant(wish.starts_at, "starts_at", principal, problems),
        ends_at=_instant(wish.ends_at, "ends_at", principal, problems),
        items=_items(wish.items, principal, problems),
        up_to=_amount(wish.up_to, problems),
        currency=wish.currency.strip() if isinstance(wish.currency, str) else "?",
    )
    found = problems_of(principal, terms, at=at or clock.now()) | problems
    if "up_to" in problems:
        found.pop("currency", None)
    if not whole and is_blank(wish.ends_at):
        found.pop("ends_at", None)
    if found:
        raise InvalidInput(found)
    return terms


def _instant(value: Any, name: str, principal: User, problems: Problems) -> datetime | None:
    if is_blank(value):
        return None
    found: datetime | None
    try:
        found = datetime.fromisoformat(value.strip()) if text_problem(value, max_length=60) is None else None
    except ValueError:
        found = None
    if found is None or found.year not in YEARS:
        problems[name] = [NO_TIME]
        return None
    return found if found.tzinfo else found.replace(tzinfo=zone_of(principal) or clock.now().tzinfo)


def _items(value: Any, principal: User, problems: Problems) -> tuple[str, ...]:
    if value in (None, ""):
        return ()
    if not isinstance(value, list | tuple) or not all(text_problem(one, max_length=100) is None for one in value):
        problems["items"] = ["This must be a list of catalogue items."]
        return ()
    named = sorted(set(value))
    known = set(delegable_items(principal).filter(slug__in=named).values_list("slug", flat=True)) if named else set()
    if unknown := [slug for slug in named if slug not in known]:
        problems["items"] = [f"There is no item {', '.join(unknown)[:200]} in your catalogue."]
    return tuple(named)


def _amount(value: Any, problems: Problems) -> Decimal | None:
    if is_blank(value):
        return None
    given = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not AMOUNT.fullmatch(given):
        problems["up_to"] = ['This must be an amount such as "500" or "500.00", of at most twelve digits.']
        return None
    return Decimal(given)


# ------------------------------------------------------------------------------------ what would move


def preview_of(principal: User, terms: Terms, *, at: datetime | None = None) -> Preview:
    """What these terms mean for the approvals that wait for the principal now, newest first. Writes nothing."""
    now = at or clock.now()
    begins = max(terms.starts_at or now, now)
    assert terms.deputy is not None
    shown = waiting_approvals(principal).select_related(
        "level__approval__stream__request__requested_for", "level__approval__visit__run"
    )
    seats = list(shown[:MOST_LOOKED_AT])
    levels = {seat.level_id for seat in seats}
    rows = Seat.objects.filter(level__in=levels, left_at=None).values_list("level_id", "user_id", "decides")
    looking = _Looking(
        terms=terms,
        deputy=terms.deputy,
        absences=Absences.of({terms.deputy.pk}, at=begins),
        sitting=frozenset(rows) if seats else frozenset(),
        at=now,
    )
    judged = [looking.judge(seat) for seat in seats]
    return Preview(
        going=[one for one in judged if isinstance(one, Going)],
        staying=[one for one in judged if isinstance(one, Staying)],
    )


@dataclass(frozen=True, kw_only=True)
class _Looking:
    terms: Terms
    deputy: User
    absences: Absences
    sitting: frozenset[tuple[int, int, bool]]
    at: datetime

    def judge(self, seat: Seat) -> Going | Staying:
        scope = scope_of(seat.level.approval.stream.request)
        if why := self._out_of_scope(scope):
            return Staying(seat=seat, why=why)
        stand_in = self.absences.stand_in(self.deputy.pk, scope)
        to = stand_in.deputy if stand_in else self.deputy
        if to is None or to.pk == seat.named:
            return Staying(seat=seat, why=f"{self.deputy} is away then too, and nobody is there for them")
        if (seat.level_id, to.pk, seat.decides) in self.sitting:
            return Staying(seat=seat, why=f"{to} is asked there already")
        if breach := self._apart(seat, to):
            return Staying(seat=seat, why=f"duties are kept apart for {to}: {breach}")
        return Going(seat=seat, to=to)

    def _out_of_scope(self, scope: Scope) -> str:
        terms = self.terms
        limit = Delegation(items=list(terms.items), up_to=terms.up_to, currency=terms.currency)
        if applies(limit, scope):
            return ""
        if terms.items and scope.item not in terms.items:
            return "it is not among the items you chose"
        if scope.amount is None:
            return "it names no amount that the limit could be compared with"
        return "it is above the limit" if scope.currency == terms.currency else f"its amount is in {scope.currency}"

    def _apart(self, seat: Seat, to: User) -> str | None:
        approval = seat.level.approval
        policy = policy_of_round(approval)
        if not policy.separation:
            return None
        read = Write(request=approval.stream.request, actor=None, at=self.at)  # only read from, never finished
        return Apart.of(approval, policy, concerned(read)).why_not(to)
