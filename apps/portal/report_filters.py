"""What the page Reports was asked for: which requests, which period, how far ahead it looks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone

from apps.core import clock
from apps.core.errors import NotVisible
from apps.portal.periods import Days
from apps.requests.enums import Priority
from apps.requests.reports import Filters
from apps.requests.selectors.reports import Choices

HOURS_AHEAD = (8, 24, 72, 168)
USUAL_HOURS = 24
LONGEST_BY_DAY, LONGEST_BY_WEEK = 35, 190


@dataclass(frozen=True, kw_only=True)
class QuickPeriod:
    """A period to choose with one click; `query` keeps the other filters."""

    name: str
    query: str
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The filters of the page; "" is all."""

    item: str
    team: str
    priority: str
    days: Days
    hours: int

    @property
    def filters(self) -> Filters:
        return Filters(
            item=self.item,
            team=self.team,
            priorities=(self.priority,) if self.priority else (),
            since=self.days.since,
            until=self.days.until,
        )

    @property
    def filters_ahead(self) -> Filters:
        """Without the period, which is about what was."""
        return Filters(item=self.item, team=self.team, priorities=self.filters.priorities)

    @property
    def filtered(self) -> bool:
        return self.query != ""

    @property
    def per(self) -> str:
        """How throughput is divided: a short period by days, a longer one by weeks, most by months."""
        today = _today()
        if self.days.first is None:
            return "month"
        length = ((self.days.last or today) - self.days.first).days
        return "day" if length <= LONGEST_BY_DAY else "week" if length <= LONGEST_BY_WEEK else "month"

    @property
    def query(self) -> str:
        """The filters as in an address, without those that leave everything as it is."""
        return self._query(self.days)

    @property
    def quick_periods(self) -> list[QuickPeriod]:
        today = _today()
        periods = {
            "All time": None,
            "Last 30 days": today - timedelta(days=29),
            "Last 90 days": today - timedelta(days=89),
            "This year": date(today.year, 1, 1),
        }
        return [
            QuickPeriod(name=name, query=self._query(Days(first=first)), chosen=self.days == Days(first=first))
            for name, first in periods.items()
        ]

    def _query(self, days: Days) -> str:
        named = {"item": self.item, "team": self.team, "priority": self.priority, "from": days.first, "to": days.last}
        ahead = {} if self.hours == USUAL_HOURS else {"hours": self.hours}
        return urlencode({name: value for name, value in named.items() if value} | ahead)


def asked_by(query: QueryDict, choices: Choices) -> Asked:
    """The filters an address names. Raises NotVisible for what the reader cannot choose; hours nobody offers and days
    that are none count as not named; `days.problems` tell of those."""
    hours = query.get("hours", "")
    return Asked(
        item=_chosen(query, "item", (one.key for one in choices.items)),
        team=_chosen(query, "team", (one.key for one in choices.teams)),
        priority=_chosen(query, "priority", Priority.values),
        days=Days.asked_by(query),
        hours=next((one for one in HOURS_AHEAD if str(one) == hours), USUAL_HOURS),
    )


def _chosen(query: QueryDict, name: str, offered: Iterable[str]) -> str:
    value = query.get(name, "")
    if value and value not in set(offered):
        raise NotVisible(f"There is no such {name} in your reports.")
    return value


def _today() -> date:
    return timezone.localtime(clock.now()).date()
