from __future__ import annotations

from functools import cached_property

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q

from apps.core.zones import is_zone
from apps.outbox.models import Stream


def check_zone(name: str) -> None:
    """Raises ValidationError unless the name is an IANA time zone."""
    if not is_zone(name):
        raise ValidationError(f"{name!r} is not a time zone such as Europe/Amsterdam.")


class User(AbstractUser):
    """A person. Roles are groups; a team has one group of its own (`Team.group`)."""

    manager = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="reports")
    department = models.CharField(max_length=120, blank=True)
    calendar = models.SlugField(blank=True, help_text="The key of the calendar this person works by")
    time_zone = models.CharField(max_length=64, default="UTC", validators=[check_zone])
    stream = models.OneToOneField(Stream, null=True, editable=False, on_delete=models.PROTECT, related_name="person")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(manager__isnull=True) | ~Q(manager=F("id")), name="user_not_their_own_manager"
            )
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    @cached_property
    def _standing(self) -> tuple[tuple[int | None, str, int | None, int | None], ...]:
        """A row for each group, or one without a group, with each team that this person leads, by its group. One
        statement.
        """
        rows = User.objects.filter(pk=self.pk).order_by()
        return tuple(rows.values_list("groups__id", "groups__name", "groups__team__id", "leads__group_id"))

    @cached_property
    def memberships(self) -> tuple[tuple[int, str, bool], ...]:
        """This person's groups (id, name, whether it is a team's): one statement, once per loaded instance."""
        groups = {pk: (pk, name, team is not None) for pk, name, team, _ in self._standing if pk is not None}
        return tuple(groups.values())

    @property
    def led_group_ids(self) -> frozenset[int]:
        """The groups of the teams this person leads, member or not; asked for together with the memberships."""
        return frozenset(group for *_, group in self._standing if group is not None)

    @property
    def leads_a_team(self) -> bool:
        return bool(self.led_group_ids)

    @property
    def group_ids(self) -> frozenset[int]:
        """The ids of this person's groups, roles and teams."""
        return frozenset(group_id for group_id, _, _ in self.memberships)

    @property
    def principals(self) -> tuple[str, ...]:
        """`user:<id>` and a `group:<id>` for each role and team: what grants and participants are stored under.

        Who leads a team sees what the team sees, also without being a member.
        """
        groups = sorted(self.group_ids | self.led_group_ids)
        return (f"user:{self.pk}", *(f"group:{group_id}" for group_id in groups))

    @property
    def role_names(self) -> frozenset[str]:
        """The names of this person's roles, without team groups."""
        return frozenset(name for _, name, is_team in self.memberships if not is_team)
