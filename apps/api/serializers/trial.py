from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.api.serializers.fields import InstantField, ObjectField
from apps.api.serializers.workflows import FoundProblemSerializer

STEP = "In a child run `child/step`"


class TrialEventSerializer(serializers.Serializer[object]):
    at = InstantField()
    step = serializers.CharField(allow_null=True, help_text=f"{STEP}; null for the run itself")
    event = serializers.CharField()


class TrialAskedSerializer(serializers.Serializer[object]):
    step = serializers.CharField(help_text=STEP)
    level = serializers.CharField(allow_null=True, help_text="Of an approval; null for a task")
    people = serializers.ListField(child=serializers.CharField(), help_text="User names")
    skipped = serializers.CharField(required=False, help_text="Why the level is not asked")


class TrialDueSerializer(serializers.Serializer[object]):
    step = serializers.CharField(help_text=STEP)
    deadline = serializers.CharField(allow_null=True, help_text="Null for the timer of a wait")
    at = InstantField(allow_null=True, help_text="Null where there is no such calendar")


class TrialActionSerializer(serializers.Serializer[object]):
    at = InstantField()
    step = serializers.CharField(help_text=STEP)
    action = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Besides those above `with`, which no attribute can be called."""
        return {**super().get_fields(), "with": ObjectField(help_text="The settings, evaluated; secrets by name")}


class TrialWaitingSerializer(serializers.Serializer[object]):
    step = serializers.CharField(help_text=STEP)
    visit = serializers.IntegerField(allow_null=True, help_text="Null for a token that waits for others")
    instance = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Besides those above `for`, which no attribute can be called."""
        return {**super().get_fields(), "for": ObjectField(help_text="Whom or what it waits for")}


class TrialProblemSerializer(FoundProblemSerializer):
    severity = serializers.ChoiceField(choices=["error", "warning"])
    entry = serializers.IntegerField(allow_null=True, help_text="The entry of the script that is to blame, from 0")


class TrialSerializer(serializers.Serializer[object]):
    path = TrialEventSerializer(many=True)
    asked = TrialAskedSerializer(many=True)
    due = TrialDueSerializer(many=True)
    actions = TrialActionSerializer(many=True)
    ended = serializers.CharField(allow_null=True, help_text="The outcome; null while the run is open")
    waiting = TrialWaitingSerializer(many=True)
    problems = TrialProblemSerializer(many=True)
