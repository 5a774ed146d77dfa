"""Reading settings from the environment: a value that does not fit stops the start and names its variable."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()
Value = TypeVar("Value")


def text(name: str, default: str = "") -> str:
    return str(env.str(name, default=default))


def words(name: str, default: list[str]) -> list[str]:
    """A list separated by commas; blanks around the words do not count."""
    return [word.strip() for word in env.list(name, default=default) if word.strip()]


def number(name: str, default: float) -> float:
    return _parsed(name, default, float, "a number")


def whole(name: str, default: int) -> int:
    return _parsed(name, default, int, "a whole number")


def flag(name: str, *, default: bool) -> bool:
    return _parsed(name, default, _flag, "true or false")


def required(name: str, what: str) -> str:
    """The variable's value; a missing or empty one stops the start with its name and purpose."""
    value = text(name).strip()
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. It holds {what}; README.md has the table of settings.")
    return value


def _parsed(name: str, default: Value, parse: Callable[[str], Value], kind: str) -> Value:
    given = text(name).strip()
    if not given:
        return default
    try:
        return parse(given)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be {kind}; it is {given!r}.") from error


def _flag(given: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if given.lower() not in known:
        raise ValueError(given)
    return known[given.lower()]
