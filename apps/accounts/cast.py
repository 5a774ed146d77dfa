"""Who held which role in a history that is replayed: those people, not whoever holds it today."""

from __future__ import annotations

from typing import Protocol

from django.contrib.auth.models import Group

from apps.accounts.models import Team, User


class Cast(Protocol):
    """The people of one replayed case. A role or team that the history does not know is None: then today's apply."""

    def holders(self, role: str) -> list[User] | None:
        """Who held the role in this case; at least one."""

    def members(self, team: str) -> list[User] | None:
        """Who acted for the team (by key) in this case; at least one."""

    def role_group(self, role: str) -> Group | None:
        """The group of the role."""

    def team(self, team: str) -> Team | None:
        """The team with this key."""
