"""Somebody is away and names a deputy, or is back before the time. What moves for it is a matter of the approvals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from apps.accounts.enums import PersonEvent, Role
from apps.accounts.models import Delegation, User
from apps.accounts.services import ensure_stream
from apps.accounts.stand_ins import LONGEST_CHAIN
from apps.core import clock
from apps.core.errors import InvalidInput, NotPermitted, TransitionNotAllowed
from apps.core.text import is_blank, text_problem
from apps.outbox.models import Note
from apps.outbox.publish import NewEvent, publish, write_note

LONGEST = timedelta(days=731)
FARTHEST = timedelta(days=731)
GRACE = timedelta(minutes=5)
MOST_OPEN = 20
MOST_ITEMS = 100
LARGEST = Decimal("999999999999.99")
CURRENCY = re.compile(r"[A-Z]{3}")
REASON_LENGTH = 1000
MOST_WAYS = 2000


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Who answers for somebody, from when (None: now) until when (not included), for which items (none: all of them)
    and up to which amount.
    """

    deputy: User | None
    starts_at: datetime | None = None
    ends_at: datetime | None
    items: tuple[str, ...] = ()
    up_to: Decimal | None = None
    currency: str = ""


Problems = dict[str, list[str]]


def problems_of(principal: User, terms: Terms, *, at: datetime) -> Problems:
    """Why these terms cannot be accepted, by field. Whether the items exist is for the catalogue to say.

    A start of up to five minutes ago counts as now: a form takes its time to be filled in.
    """
    found: Problems = {}
    if terms.deputy is None or not terms.deputy.is_active:
        found["deputy"] = ["There is no active person with this user name."]
    elif terms.deputy.pk == principal.pk:
        found["deputy"] = ["You cannot be your own deputy."]
    if terms.starts_at is not None and terms.starts_at < at - GRACE:
        found["starts_at"] = ["This is in the past."]
    elif terms.starts_at is not None and terms.starts_at > at + FARTHEST:
        found["starts_at"] = ["This is more than two years ahead."]
    if problem := _end_problem(terms, at):
        found["ends_at"] = [problem]
    if len(terms.items) > MOST_ITEMS:
        found["items"] = [f"At most {MOST_ITEMS} items can be named; name none for all of them."]
    return found | _limit_problems(terms)


def _end_problem(terms: Terms, at: datetime) -> str:
    begins = _begin(terms, at)
    if terms.ends_at is None:
        return "This field is required."
    if terms.ends_at <= at:
        return "This is in the past."
    if terms.ends_at <= begins:
        return "The end must be later than the start."
    return "An absence lasts two years at most." if terms.ends_at - begins > LONGEST else ""


def _begin(terms: Terms, at: datetime) -> datetime:
    return max(terms.starts_at or at, at)


def _limit_problems(terms: Terms) -> Problems:
    found: Problems = {}
    if terms.up_to is None:
        return {"up_to": ["Say up to which amount, or leave the currency out."]} if terms.currency else {}
    if not 0 < terms.up_to <= LARGEST:
        found["up_to"] = ["The limit must be more than nothing and have at most twelve digits."]
    elif terms.up_to != round(terms.up_to, 2):
        found["up_to"] = ["The limit has at most two digits after the point."]
    if not CURRENCY.fullmatch(terms.currency):
        what = "The limit needs its currency" if not terms.currency else "This is no currency"
        found["currency"] = [f"{what}: three capital letters such as EUR."]
    return found


@transaction.atomic(savepoint=False)
def create_delegation(principal: User, terms: Terms, *, at: datetime | None = None) -> Delegation:
    """From the start to the end of these terms their deputy answers for the principal, who says so themselves.

    Under the lock of the principal's stream, which the event goes into; both people are told. Nothing moves here: open
    seats follow after the commit. Raises InvalidInput by field, also where the deputies would run in a circle, and
    where the principal has 20 absences already that are not over.
    """
    now = at or clock.now()
    stream = ensure_stream(principal)
    problems = problems_of(principal, terms, at=now)
    if not problems and (way := _circle(principal, terms, now)):
        problems["deputy"] = [_told(principal, way)]
    if not problems and _open_of(principal, now) >= MOST_OPEN:
        problems["deputy"] = [f"You have {MOST_OPEN} absences that are not over. End one of them first."]
    if problems or terms.deputy is None or terms.ends_at is None:
        raise InvalidInput(problems)
    delegation = Delegation.objects.create(
        principal=principal,
        deputy=terms.deputy,
        starts_at=_begin(terms, now),
        ends_at=terms.ends_at,
        items=sorted(set(terms.items)),
        up_to=terms.up_to,
        currency=terms.currency,
        created_at=now,
    )
    publish({stream: [_event(PersonEvent.DELEGATED, delegation, actor=principal, role="principal", at=now)]})
    return delegation


@transaction.atomic(savepoint=False)
def end_delegation(delegation: Delegation, *, actor: User, reason: str = "") -> Delegation:
    """Ends an absence before its time, or takes one back that has not begun; the seats come back after the commit.

    One's own, or anybody's for an administrator, who says why. Raises NotPermitted for everybody else, InvalidInput for
    a missing or unfit reason, TransitionNotAllowed once it is over.
    """
    is_own = delegation.principal_id == actor.pk
    if not is_own and not (actor.is_superuser or Role.ADMINISTRATOR in actor.role_names):
        raise NotPermitted("Only the person who is away, or an administrator, can end this.")
    problem = text_problem(reason, max_length=REASON_LENGTH)
    if problem or (not is_own and is_blank(reason)):
        raise InvalidInput({"reason": [problem or "Please say why."]})
    stream = ensure_stream(delegation.principal)
    current = Delegation.objects.select_related("principal", "deputy").get(pk=delegation.pk)
    now = clock.now()
    if current.ended_at is not None or current.ends_at <= now:
        raise TransitionNotAllowed("This absence is over already.")
    current.ended_at = now
    current.save(update_fields=["ended_at"])
    role = "principal" if is_own else "administrator"
    note = None if is_blank(reason) else write_note(stream, reason)
    ended = _event(PersonEvent.DELEGATION_ENDED, current, actor=actor, role=role, at=now, note=note)
    publish({stream: [ended]})
    return current


def _event(
    kind: PersonEvent, delegation: Delegation, *, actor: User, role: str, at: datetime, note: Note | None = None
) -> NewEvent:
    data = {"delegation": delegation.pk, "principal": delegation.principal_id, "deputy": delegation.deputy_id}
    return NewEvent(type=kind, actor=f"user:{actor.pk}", role=role, at=at, data=data, note=note)


def _open_of(principal: User, at: datetime) -> int:
    return Delegation.objects.filter(principal=principal, ended_at=None, ends_at__gt=at).count()


# ------------------------------------------------------------------------------------ circles


@dataclass(frozen=True, kw_only=True)
class _Way:
    """A chain of delegations with what all of its links have in common: a time, items (none: all), a currency."""

    links: tuple[Delegation, ...]
    starts_at: datetime
    ends_at: datetime
    items: frozenset[str]
    currency: str

    def joined(self, link: Delegation) -> _Way | None:
        """The way with one link more; None if they have nothing in common."""
        starts_at, ends_at = max(self.starts_at, link.starts_at), min(self.ends_at, link.ends_at)
        both = self.items & frozenset(link.items) if self.items and link.items else self.items | frozenset(link.items)
        meets = bool(both) or not (self.items and link.items)
        if starts_at >= ends_at or not meets or (self.currency and link.currency not in ("", self.currency)):
            return None
        currency = self.currency or link.currency
        return _Way(links=(*self.links, link), starts_at=starts_at, ends_at=ends_at, items=both, currency=currency)


def _circle(principal: User, terms: Terms, at: datetime) -> Sequence[Delegation]:
    """The delegations by which the deputy's own deputies lead back to the principal while these terms hold; empty if
    they do not.
    """
    assert terms.deputy is not None
    assert terms.ends_at is not None
    begins = _begin(terms, at)
    start = _Way(
        links=(), starts_at=begins, ends_at=terms.ends_at, items=frozenset(terms.items), currency=terms.currency
    )
    ways = {terms.deputy.pk: [start]}
    for _ in range(LONGEST_CHAIN):
        longer: dict[int, list[_Way]] = {}
        for way, link in _next(ways, begins, terms.ends_at):
            if link.deputy_id == principal.pk:
                return way.links
            longer.setdefault(link.deputy_id, []).append(way)
        if not longer or sum(map(len, longer.values())) > MOST_WAYS:
            break
        ways = longer
    return ()


def _next(ways: dict[int, list[_Way]], begins: datetime, ends: datetime) -> Iterator[tuple[_Way, Delegation]]:
    rows = Delegation.objects.filter(
        principal__in=ways, ended_at=None, starts_at__lt=ends, ends_at__gt=begins, deputy__is_active=True
    )
    for link in rows.select_related("principal", "deputy").order_by("id"):
        for way in ways[link.principal_id]:
            longer = way.joined(link)
            if longer is not None:
                yield longer, link


def _told(principal: User, way: Sequence[Delegation]) -> str:
    """The circle in words."""
    links = [f"{one.principal} is away then and has named {one.deputy}" for one in way]
    return f"{', '.join(links)}: nobody would be there. Choose somebody else, other dates, or other items."
