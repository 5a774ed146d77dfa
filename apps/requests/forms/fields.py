"""The kinds of form fields: each a small class that accepts a value, describes itself and becomes facts for guards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from apps.accounts.models import User
from apps.core.text import text_problem
from apps.workflows.engine.guard_types import DOUBLE, INT, STRING, TIMESTAMP, Types

AMOUNT = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,2})?")
LARGEST_NUMBER = 10**15
EARLIEST, LATEST = date(1900, 1, 1), date(9000, 1, 1)


class Unacceptable(ValueError):
    """The value does not fit the field; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a form. `settings` holds what is particular to its kind."""

    kind: ClassVar[str]
    known_settings: ClassVar[frozenset[str]] = frozenset()

    name: str
    label: str
    required: bool
    help: str
    settings: Mapping[str, Any]

    def accept(self, value: Any) -> Any:
        """The value as it is stored (JSON). Raises Unacceptable."""
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """JSON Schema 2020-12 of what `accept` takes."""
        raise NotImplementedError

    def facts(self, value: Any, zone: ZoneInfo) -> dict[str, Any]:
        """The names a guard sees for the stored value."""
        return {self.name: value}

    def guard_types(self) -> dict[str, Types]:
        """The names of `facts`, each with the types its value may have in guards."""
        return {self.name: STRING}

    def from_guard(self, value: Any) -> Any:
        """What an expression computed, in the shape `accept` takes."""
        return value

    def text(self, value: Any) -> str:
        """The stored value as a person reads it."""
        return str(value)


class TextField(Field):
    kind = "text"
    known_settings = frozenset({"max_length", "multiline"})

    @property
    def max_length(self) -> int:
        return int(self.settings.get("max_length", 4000))

    def accept(self, value: Any) -> str:
        problem = text_problem(value, max_length=self.max_length)
        if problem:
            raise Unacceptable(problem)
        return str(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.max_length}


class NumberField(Field):
    """10 or 10.5; in guards a double, whatever digits are entered, or an int where it is an `integer`."""

    kind = "number"
    known_settings = frozenset({"min", "max", "integer"})

    def accept(self, value: Any) -> int | float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Unacceptable("This must be a number.")
        if not abs(value) <= LARGEST_NUMBER:  # not a number compares as false
            raise Unacceptable("This must be a number of at most fifteen digits.")
        if self.settings.get("integer") and value != int(value):
            raise Unacceptable("This must be a whole number.")
        _check_range(Decimal(str(value)), self.settings)
        return int(value) if self.settings.get("integer") else value

    def schema(self) -> dict[str, Any]:
        kind = "integer" if self.settings.get("integer") else "number"
        bounds = {"min": "minimum", "max": "maximum"}
        return {"type": kind} | {bounds[key]: self.settings[key] for key in bounds if key in self.settings}

    def from_guard(self, value: Any) -> Any:
        """A double without fraction is stored as it is entered: 10, not 10.0."""
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def facts(self, value: Any, zone: ZoneInfo) -> dict[str, Any]:
        return {self.name: int(value) if self.settings.get("integer") else float(value)}

    def guard_types(self) -> dict[str, Types]:
        return {self.name: INT if self.settings.get("integer") else DOUBLE}


class MoneyField(Field):
    """`{"amount": "12.50", "currency": "EUR"}`; in guards `x` (a double) and `x_currency`."""

    kind = "money"
    known_settings = frozenset({"min", "max", "currencies"})

    @property
    def currencies(self) -> list[str]:
        return list(self.settings.get("currencies", ["EUR"]))

    def accept(self, value: Any) -> dict[str, str]:
        if not isinstance(value, Mapping) or set(value) - {"amount", "currency"}:
            raise Unacceptable('This must be an amount with its currency, as {"amount": "12.50", "currency": "EUR"}.')
        amount = _decimal(value.get("amount"))
        currency = value.get("currency", self.currencies[0])
        if currency not in self.currencies:
            raise Unacceptable(f"The currency must be one of {', '.join(self.currencies)}.")
        _check_range(amount, self.settings)
        return {"amount": format(amount.quantize(Decimal("0.01")), "f"), "currency": currency}

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "amount": {"type": "string", "pattern": r"^-?\d{1,12}(\.\d{1,2})?$"},
                "currency": {"type": "string", "enum": self.currencies},
            },
            "required": ["amount"],
            "additionalProperties": False,
        }

    def from_guard(self, value: Any) -> Any:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return {"amount": f"{value:.2f}", "currency": self.currencies[0]} if is_number else value

    def facts(self, value: Any, zone: ZoneInfo) -> dict[str, Any]:
        return {self.name: float(value["amount"]), f"{self.name}_currency": value["currency"]}

    def guard_types(self) -> dict[str, Types]:
        return {self.name: DOUBLE, f"{self.name}_currency": STRING}

    def text(self, value: Any) -> str:
        return f"{Decimal(value['amount']):,.2f} {value['currency']}"


class DateField(Field):
    """`"2026-01-31"`; in guards the midnight at which it begins in the item's zone."""

    kind = "date"

    def accept(self, value: Any) -> str:
        try:
            day = date.fromisoformat(value if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) else "")
        except (TypeError, ValueError) as error:
            raise Unacceptable("This must be a date such as 2026-01-31.") from error
        if not EARLIEST <= day <= LATEST:
            raise Unacceptable(f"This must be a date from {EARLIEST} to {LATEST}.")
        return day.isoformat()

    def from_guard(self, value: Any) -> Any:
        return value[:10] if isinstance(value, str) else value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}

    def facts(self, value: Any, zone: ZoneInfo) -> dict[str, Any]:
        return {self.name: datetime.combine(date.fromisoformat(value), time(), tzinfo=zone)}

    def guard_types(self) -> dict[str, Types]:
        return {self.name: TIMESTAMP}


class ChoiceField(Field):
    kind = "choice"
    known_settings = frozenset({"choices"})

    @property
    def choices(self) -> dict[str, str]:
        return {choice["value"]: choice.get("label", choice["value"]) for choice in self.settings["choices"]}

    def accept(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise Unacceptable(f"This must be one of {', '.join(self.choices)}.")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.choices)}

    def text(self, value: Any) -> str:
        return self.choices.get(value, value)


class PersonField(Field):
    """The user name of an active person."""

    kind = "person"

    def accept(self, value: Any) -> str:
        problem = text_problem(value, max_length=150)
        if problem or not User.objects.filter(username=value, is_active=True).exists():
            raise Unacceptable(problem or "There is no active person with this user name.")
        return str(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": 150}


def _decimal(value: Any) -> Decimal:
    """An amount of at most twelve digits before and two after the point."""
    given = str(value).strip() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not AMOUNT.fullmatch(given):
        raise Unacceptable(
            'The amount must be a number such as "12.50", with at most twelve digits and two after the point.'
        )
    return Decimal(given)


def _check_range(value: Decimal, settings: Mapping[str, Any]) -> None:
    if "min" in settings and value < Decimal(str(settings["min"])):
        raise Unacceptable(f"This must be at least {settings['min']}.")
    if "max" in settings and value > Decimal(str(settings["max"])):
        raise Unacceptable(f"This must be at most {settings['max']}.")


KINDS: Mapping[str, type[Field]] = {
    cls.kind: cls for cls in (TextField, NumberField, MoneyField, DateField, ChoiceField, PersonField)
}
