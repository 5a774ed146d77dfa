"""A period as pages ask for it: from a day to a day, both counted, in the reader's time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.http import QueryDict
from django.utils import timezone

YEARS = range(1970, 2200)


@dataclass(frozen=True, kw_only=True)
class Days:
    """From the first day to the last; None is no bound."""

    first: date | None = None
    last: date | None = None

    @classmethod
    def asked_by(cls, query: QueryDict) -> Days:
        """What the fields `from` and `to` name. A day that is none counts as not named."""
        return cls(first=_day(query.get("from", "")), last=_day(query.get("to", "")))

    @property
    def since(self) -> datetime | None:
        """The instant at which the first day begins."""
        return _midnight(self.first)

    @property
    def until(self) -> datetime | None:
        """The instant at which the last day is over."""
        return _midnight(self.last + timedelta(days=1)) if self.last else None


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year in YEARS else None


def _midnight(day: date | None) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None
