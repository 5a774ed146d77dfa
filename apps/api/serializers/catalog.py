from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.errors import Misconfigured
from apps.requests.facts import current_form, form_of
from apps.requests.models import CatalogItem


class CatalogItemSerializer(serializers.Serializer[CatalogItem]):
    slug = serializers.CharField()
    name = serializers.CharField()
    summary = serializers.CharField()
    category = serializers.CharField()


class CatalogItemDetailSerializer(CatalogItemSerializer):
    description = serializers.CharField()
    time_zone = serializers.CharField()
    form = serializers.SerializerMethodField(help_text="JSON Schema 2020-12 of `data`")

    def get_form(self, item: CatalogItem) -> dict[str, Any]:
        version = current_form(item)
        if version is None:
            raise Misconfigured(f"The form {item.form_key!r} of {item.name} does not exist.")
        return form_of(version.pk).json_schema()
