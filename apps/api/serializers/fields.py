"""Fields that the shapes share."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


class InstantField(serializers.DateTimeField):
    """RFC 3339 in UTC, whatever zone the process has activated for somebody's pages."""

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)


@extend_schema_field({"type": "object", "additionalProperties": True})
class ObjectField(serializers.JSONField):
    """A JSON object as it is stored."""


def key_of(source: str, **options: Any) -> serializers.CharField:
    """A related row's natural key (`assignee.username`); null where there is no such row."""
    return serializers.CharField(source=source, allow_null=True, **options)
