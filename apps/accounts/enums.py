"""The roles the application itself knows, and the events of a person."""

from enum import StrEnum

from django.db import models


class Role(StrEnum):
    """Names of `auth.Group`s that permissions refer to. A site may add any others and use them in its workflows."""

    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


class DelegationState(models.TextChoices):
    """Where an absence stands."""

    COMING = "coming", "begins later"
    CURRENT = "current", "in force"
    OVER = "over", "over"
    ENDED = "ended", "ended before its time"


class PersonEvent(StrEnum):
    ROLES_CHANGED = "access.changed"
    DELEGATED = "delegation.created"
    DELEGATION_ENDED = "delegation.ended"
