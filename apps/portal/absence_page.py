"""The page “My absence”: what was entered, what it would move, and the absences there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.http import QueryDict

from apps.accounts.enums import DelegationState
from apps.accounts.models import Delegation, User
from apps.accounts.selectors import delegations_of, deputyships_of
from apps.core import clock
from apps.portal.forms import Errors, Problem, decimal_point
from apps.requests.models import CatalogItem
from apps.requests.selectors.catalog import limit_currencies, names_of_items
from apps.requests.services.absences import AbsenceWish, delegable_items

MOST_PAST = 50
LABELS = {
    "deputy": "Who answers for you",
    "starts_at": "From",
    "ends_at": "Until",
    "items": "What they may answer",
    "up_to": "Up to which amount",
    "currency": "Currency",
}
PLACES = {"currency": "up_to"}  # the currency has a field of its own only where there are several
TONES: Mapping[str, str] = {DelegationState.CURRENT: "good", DelegationState.COMING: "info"}
STATES: Mapping[str, str] = {
    DelegationState.CURRENT: "Now",
    DelegationState.COMING: "Coming",
    DelegationState.OVER: "Over",
    DelegationState.ENDED: "Ended early",
}


@dataclass(frozen=True, kw_only=True)
class AbsenceForm:
    """The form with what was entered, as it was entered, and what is wrong with that."""

    deputy: str = ""
    starts_at: str = ""
    ends_at: str = ""
    items: Sequence[str] = ()
    up_to: str = ""
    currency: str = ""
    offered: Sequence[CatalogItem] = ()
    currencies: Sequence[str] = ()
    errors: Errors = field(default_factory=dict)

    @property
    def problems(self) -> list[Problem]:
        """Every problem with the place it belongs to, in the order of the page."""
        ordered = sorted(self.errors, key=list(LABELS).index)
        return [
            Problem(anchor=f"field-{PLACES.get(name, name)}", label=LABELS[name], text=" ".join(self.errors[name]))
            for name in ordered
        ]

    @property
    def wish(self) -> AbsenceWish:
        """What was asked for; a currency without an amount is only the one that the list begins with."""
        return AbsenceWish(
            deputy=self.deputy,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            items=self.items,
            up_to=decimal_point(self.up_to),
            currency=self.currency if self.up_to.strip() else "",
        )


def form_of_absence(reader: User, sent: QueryDict | None = None, errors: Errors | None = None) -> AbsenceForm:
    """The form as somebody finds it, or with what was sent."""
    texts = ("deputy", "starts_at", "ends_at", "up_to", "currency")
    return AbsenceForm(
        **{name: sent.get(name, "") if sent else "" for name in texts},
        items=sent.getlist("items") if sent else (),
        offered=list(delegable_items(reader)),
        currencies=limit_currencies(),
        errors=errors or {},
    )


@dataclass(frozen=True, kw_only=True)
class Line:
    """An absence as the page shows it."""

    delegation: Delegation
    state: str
    tone: str
    scope: str
    is_open: bool

    @property
    def warning(self) -> str:
        """Why nobody answers although the absence is open."""
        deputy = self.delegation.deputy
        return f"{deputy} has left. Name somebody else." if self.is_open and not deputy.is_active else ""


@dataclass(frozen=True, kw_only=True)
class AbsencePage:
    """The reader's absences that are not over, those that are, and where they are somebody's deputy."""

    open: list[Line]
    past: list[Line]
    deputyships: list[Line]


def absence_page(reader: User) -> AbsencePage:
    """The reader's page: three statements, whatever its length."""
    own, others = delegations_of(reader), list(deputyships_of(reader, at=clock.now()))
    open_ones = list(own.filter(ended_at=None, ends_at__gt=clock.now()).order_by("starts_at", "id"))
    past = list(own.exclude(pk__in=[one.pk for one in open_ones])[:MOST_PAST])
    names = names_of_items(slug for one in (*open_ones, *past, *others) for slug in one.items)
    return AbsencePage(open=_lines(open_ones, names), past=_lines(past, names), deputyships=_lines(others, names))


def _lines(rows: Iterable[Delegation], names: Mapping[str, str]) -> list[Line]:
    return [_line(one, names) for one in rows]


def _line(one: Delegation, names: Mapping[str, str]) -> Line:
    state = one.state(clock.now())
    items = ", ".join(names.get(slug, slug) for slug in one.items) or "Everything"
    limit = f", up to {one.up_to:,.2f} {one.currency}" if one.up_to is not None else ""
    is_open = state in (DelegationState.CURRENT, DelegationState.COMING)
    return Line(
        delegation=one, state=STATES[state], tone=TONES.get(state, "quiet"), scope=items + limit, is_open=is_open
    )
