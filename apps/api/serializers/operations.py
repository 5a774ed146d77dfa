"""Shapes of what operators see: runs as data, incidents."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.fields import InstantField
from apps.outbox.models import Incident
from apps.requests.selectors.incidents import place_of
from apps.workflows.enums import TimerKind


class InstanceSerializer(serializers.Serializer[object]):
    index = serializers.IntegerField()
    status = serializers.CharField()
    outcome = serializers.CharField(allow_null=True)
    incident = serializers.BooleanField()


class DueSerializer(serializers.Serializer[object]):
    kind = serializers.ChoiceField(choices=TimerKind.choices)
    instance = serializers.IntegerField(allow_null=True)
    at = InstantField()


class DeadlineSerializer(serializers.Serializer[object]):
    id = serializers.CharField()
    due_at = InstantField()
    passed = serializers.BooleanField()


class VisitSerializer(serializers.Serializer[object]):
    id = serializers.IntegerField()
    step = serializers.CharField()
    name = serializers.CharField()
    begun = serializers.BooleanField()
    incident = serializers.BooleanField()
    key = serializers.CharField(allow_null=True, help_text="The `exclusive` key it needs")
    waits_for_key = serializers.BooleanField(help_text="In line for its `exclusive` key")
    left_over = serializers.BooleanField(help_text="The step has gone on; what is unfinished leads nowhere")
    closed = serializers.BooleanField(help_text="No more instances can be added")
    outcomes = serializers.ListField(child=serializers.CharField())
    due = DueSerializer(many=True, help_text="When it goes on, or tries again, by itself")
    deadlines = DeadlineSerializer(many=True)
    instances = InstanceSerializer(many=True, allow_null=True)


class TokenSerializer(serializers.Serializer[object]):
    id = serializers.IntegerField()
    step = serializers.CharField()
    name = serializers.CharField()
    came_from = serializers.CharField(allow_null=True)
    waits_at_join = serializers.BooleanField()
    visits = VisitSerializer(many=True)


class JoinSerializer(serializers.Serializer[object]):
    step = serializers.CharField()
    seen = serializers.ListField(child=serializers.CharField(), help_text="The branches this round has seen")


class CallSerializer(serializers.Serializer[object]):
    id = serializers.IntegerField()
    step = serializers.CharField()
    visit = serializers.IntegerField()
    instance = serializers.IntegerField(allow_null=True)
    action = serializers.CharField()
    attempts = serializers.IntegerField()
    last_error = serializers.CharField()
    opened_at = InstantField()


class RunSerializer(serializers.Serializer[object]):
    id = serializers.IntegerField()
    n = serializers.IntegerField()
    workflow = serializers.CharField()
    version = serializers.IntegerField()
    parent = serializers.IntegerField(  # type: ignore[assignment] # a field of that name
        allow_null=True, help_text="The run this one is a child of"
    )
    parent_visit = serializers.IntegerField(allow_null=True)
    parent_instance = serializers.IntegerField(allow_null=True)
    started_at = InstantField()
    ended_at = InstantField(allow_null=True)
    outcome = serializers.CharField(allow_null=True)
    tokens = TokenSerializer(many=True)
    joins = JoinSerializer(many=True)
    kept_messages = serializers.ListField(child=serializers.CharField(), help_text="Their names")
    calls = CallSerializer(many=True, help_text="Actions beyond the request that wait to be carried out")


class RunsSerializer(serializers.Serializer[object]):
    runs = RunSerializer(many=True)


class IncidentSerializer(serializers.Serializer[Incident]):
    id = serializers.IntegerField()
    request = serializers.CharField(source="stream.request.number")
    kind = serializers.CharField()
    run = serializers.SerializerMethodField(help_text="The number of the run it is in; null where it is in none")
    step = serializers.SerializerMethodField(help_text="The step it is at; null where it is at none")
    detail = serializers.CharField()
    status = serializers.ChoiceField(choices=Incident.Status.choices)
    opened_at = InstantField()
    resolved_at = InstantField(allow_null=True)

    def get_run(self, incident: Incident) -> int | None:
        return place_of(incident).run

    def get_step(self, incident: Incident) -> str | None:
        return place_of(incident).step
