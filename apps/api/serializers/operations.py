"""Shapes of what operators see: runs as data, incidents."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.fields import InstantField
from apps.outbox.models import Incident


class InstanceSerializer(serializers.Serializer[object]):
    index = serializers.IntegerField()
    status = serializers.CharField()
    outcome = serializers.CharField(allow_null=True)
    incident = serializers.BooleanField()


class VisitSerializer(serializers.Serializer[object]):
    id = serializers.IntegerField()
    step = serializers.CharField()
    name = serializers.CharField()
    begun = serializers.BooleanField()
    incident = serializers.BooleanField()
    waits_for_key = serializers.BooleanField(help_text="In line for its `exclusive` key")
    left_over = serializers.BooleanField(help_text="The step has gone on; what is unfinished leads nowhere")
    outcomes = serializers.ListField(child=serializers.CharField())
    deadlines_passed = serializers.ListField(child=serializers.CharField())
    instances = InstanceSerializer(many=True, allow_null=True)


class TokenSerializer(serializers.Serializer[object]):
    id = serializers.IntegerField()
    step = serializers.CharField()
    name = serializers.CharField()
    came_from = serializers.CharField(allow_null=True)
    visits = VisitSerializer(many=True)


class JoinSerializer(serializers.Serializer[object]):
    step = serializers.CharField()
    seen = serializers.ListField(child=serializers.CharField(), help_text="The branches this round has seen")


class RunSerializer(serializers.Serializer[object]):
    id = serializers.IntegerField()
    n = serializers.IntegerField()
    workflow = serializers.CharField()
    version = serializers.IntegerField()
    parent = serializers.IntegerField(  # type: ignore[assignment] # a field of that name
        allow_null=True, help_text="The run this one is a child of"
    )
    parent_visit = serializers.IntegerField(allow_null=True)
    started_at = InstantField()
    ended_at = InstantField(allow_null=True)
    outcome = serializers.CharField(allow_null=True)
    tokens = TokenSerializer(many=True)
    joins = JoinSerializer(many=True)
    kept_messages = serializers.ListField(child=serializers.CharField())


class RunsSerializer(serializers.Serializer[object]):
    runs = RunSerializer(many=True)


class IncidentSerializer(serializers.Serializer[Incident]):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    detail = serializers.CharField()
    status = serializers.ChoiceField(choices=Incident.Status.choices)
    opened_at = InstantField()
    resolved_at = InstantField(allow_null=True)
