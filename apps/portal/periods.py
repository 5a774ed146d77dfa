"""A period as pages ask for it: from a day to a day, both counted, in the reader's time zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from django.http import QueryDict
from django.utils import timezone
from django.utils.formats import date_format

YEARS = range(1970, 2200)
LONGEST_SAID = 30
INSTEAD = {
    "from": "So everything from the beginning is shown.",
    "to": "So everything up to now is shown.",
}


@dataclass(frozen=True, kw_only=True)
class Days:
    """From the first day to the last; None is no bound.

    `problems` say, by the field of the page (`from`, `to`), what was wrong with it and what is shown instead.
    """

    first: date | None = None
    last: date | None = None
    problems: Mapping[str, str] = field(default_factory=dict, compare=False)

    @classmethod
    def asked_by(cls, query: QueryDict) -> Days:
        """What the fields `from` and `to` name. A day that is none counts as not named, and so does a last day before
        the first; `problems` tell of it.
        """
        texts = {name: query.get(name, "") for name in INSTEAD}
        days = {name: _day(text) for name, text in texts.items()}
        problems = {name: f"{_wrong(texts[name])} {INSTEAD[name]}" for name in days if texts[name] and not days[name]}
        first, last = days["from"], days["to"]
        if first and last and last < first:
            begins = date_format(first, "j M Y")
            said = f"{date_format(last, 'j M Y')} is before {begins}, with which the period begins."
            return cls(first=first, problems={"to": f"{said} So everything since {begins} is shown."})
        return cls(first=first, last=last, problems=problems)

    @property
    def since(self) -> datetime | None:
        """The instant at which the first day begins."""
        return _midnight(self.first)

    @property
    def until(self) -> datetime | None:
        """The instant at which the last day is over."""
        return _midnight(self.last + timedelta(days=1)) if self.last else None


def _day(text: str) -> date | None:
    """The day, None if it is none or nobody has requests of its year."""
    day = _any_day(text)
    return day if day and day.year in YEARS else None


def _wrong(text: str) -> str:
    """Why a text is no day of a period."""
    said = f"“{text}”" if text.isprintable() and len(text) <= LONGEST_SAID else "What the address says"
    if _any_day(text):
        return f"{said} is too far off: a day from {YEARS[0]} to {YEARS[-1]} is needed."
    return f"{said} is not a day of the calendar."


def _any_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _midnight(day: date | None) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None
