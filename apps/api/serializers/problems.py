from __future__ import annotations

from rest_framework import serializers


class ProblemSerializer(serializers.Serializer[object]):
    """A problem document (RFC 9457). `code` is stable; `errors` names the fields of what was entered."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    errors = serializers.DictField(child=serializers.ListField(child=serializers.CharField()), required=False)  # type: ignore[assignment] # a field of that name
