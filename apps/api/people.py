"""People as bodies name them: by user name."""

from __future__ import annotations

from apps.accounts.models import User
from apps.accounts.selectors import people_in
from apps.core.errors import InvalidInput


def active_person(username: str, *, field: str) -> User:
    """The active person with this user name. Raises InvalidInput at `field`."""
    found = people_in(usernames=[username])
    if not found:
        raise InvalidInput({field: ["There is no active person with this user name."]})
    return found[0]
