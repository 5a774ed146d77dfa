from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from apps.workflows.engine.guards import check_expression
from apps.workflows.models import Workflow


def check_guard(source: str) -> None:
    """Raises ValidationError with the place unless the text is a CEL expression."""
    if source and (problem := check_expression(source)):
        raise ValidationError(problem)


class CatalogItem(models.Model):
    """Something people can ask for: its form, the workflows that may carry it out, its SLA and its time to archive."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=200)
    summary = models.CharField(max_length=300, blank=True)
    description = models.TextField(blank=True)
    category = models.CharField(max_length=80, default="General")
    icon = models.CharField(max_length=8, blank=True, help_text="One or two characters, for example an emoji")
    form_key = models.SlugField(max_length=80)
    sla_key = models.SlugField(max_length=80, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="owned_items",
        help_text="Whom approvals ask that name the owner of this item",
    )  # fmt: skip
    audience = models.ManyToManyField(Group, blank=True, related_name="items", help_text="Nobody named: everybody")
    archive_after = models.DurationField(
        default=timedelta(days=30), validators=[MaxValueValidator(timedelta(days=3650))]
    )
    reopen_days = models.PositiveSmallIntegerField(default=14)
    active = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=100)

    class Meta:
        ordering = ["category", "position", "name"]

    def __str__(self) -> str:
        return self.name


class SelectionRule(models.Model):
    """A candidate workflow of an item. The first rule in order whose guard holds selects; an empty one always does."""

    item = models.ForeignKey(CatalogItem, on_delete=models.CASCADE, related_name="rules")
    order = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=200, help_text='The reason as people read it: "above 1,000 euro"')
    guard = models.CharField(max_length=2000, blank=True, validators=[check_guard])
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="rules")

    class Meta:
        ordering = ["item", "order"]
        constraints = [
            models.UniqueConstraint(fields=["item", "order"], name="selection_order"),
            models.CheckConstraint(condition=~Q(name=""), name="selection_reason"),
        ]

    def __str__(self) -> str:
        return self.name


class SlaRule(models.Model):
    """An SLA policy for some requests of an item: the first rule in order whose guard holds, else the item's own."""

    item = models.ForeignKey(CatalogItem, on_delete=models.CASCADE, related_name="sla_rules")
    order = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=200, help_text='The reason as people read it: "for managers"')
    guard = models.CharField(max_length=2000, blank=True, validators=[check_guard])
    policy_key = models.SlugField(max_length=80)

    class Meta:
        ordering = ["item", "order"]
        constraints = [
            models.UniqueConstraint(fields=["item", "order"], name="sla_rule_order"),
            models.CheckConstraint(condition=~Q(name=""), name="sla_rule_reason"),
        ]

    def __str__(self) -> str:
        return self.name
