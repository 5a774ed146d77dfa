from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models


class Team(models.Model):
    """People who work together. `group` holds its membership; services keep the two equal."""

    key = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    lead = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="leads"
    )
    calendar = models.SlugField(blank=True, help_text="The key of the calendar this team works by")
    group = models.OneToOneField(Group, on_delete=models.PROTECT, related_name="team", editable=False)

    def __str__(self) -> str:
        return self.name
