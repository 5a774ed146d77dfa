"""People that can be named on a form."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from apps.accounts.models import User
from apps.core.text import text_problem

LONGEST_NAME = 150


def find_people(text: str, *, limit: int = 20) -> list[User]:
    """Active people whose user name or name begins with or holds every word of the text, by name; none for no text."""
    words = text.split()[:5] if text_problem(text, max_length=LONGEST_NAME) is None else []
    if not words:
        return []
    found = User.objects.filter(is_active=True)
    for word in words:
        found = found.filter(Q(username__icontains=word) | Q(first_name__icontains=word) | Q(last_name__icontains=word))
    return list(found.order_by("last_name", "first_name", "username")[:limit])


def person_named(username: str) -> User | None:
    """The active person with this user name."""
    if text_problem(username, max_length=LONGEST_NAME):
        return None
    return User.objects.filter(username=username, is_active=True).first()


def names_of(usernames: Iterable[str]) -> dict[str, str]:
    """The names of people, active or not, by user name; one statement, none for nobody."""
    wanted = list(usernames)
    return {one.username: str(one) for one in User.objects.filter(username__in=wanted)} if wanted else {}
