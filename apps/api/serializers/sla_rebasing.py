from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.api.serializers.fields import InstantField, key_of
from apps.requests.enums import RebasingStatus
from apps.requests.models import Rebasing
from apps.sla.enums import ClockStatus

STATUSES = [status.value for status in ClockStatus]


class MovedClockSerializer(serializers.Serializer[Any]):
    number = serializers.CharField()
    target = serializers.CharField()
    name = serializers.CharField(default="", help_text="What the target is called; empty of looks before there was one")
    status = serializers.ChoiceField(choices=STATUSES, allow_null=True, help_text="null: the clock would begin")
    due_at = serializers.CharField(allow_null=True)
    new_status = serializers.ChoiceField(choices=STATUSES)
    new_due_at = serializers.CharField(allow_null=True)


class UnmeasuredSerializer(serializers.Serializer[Any]):
    number = serializers.CharField()
    reason = serializers.CharField()


class RebasingSerializer(serializers.Serializer[Rebasing]):
    id = serializers.IntegerField()
    target = serializers.CharField(help_text="What has a new version: `policy:` or `calendar:` and its key")
    retroactive = serializers.BooleanField(help_text="As if it had been in force from the beginning")
    status = serializers.ChoiceField(
        choices=RebasingStatus.choices, help_text="`looked_at` can be applied; a worker goes on with the others"
    )
    asked_by = key_of("asked_by.username")
    asked_at = InstantField()
    confirmed_at = InstantField(allow_null=True)
    finished_at = InstantField(allow_null=True)
    total = serializers.IntegerField(help_text="Open requests on earlier versions")
    seen = serializers.IntegerField(help_text="How many of them are looked at, or applied to, by now")
    changed = serializers.IntegerField(help_text="Requests that were carried over")
    failed = serializers.IntegerField(help_text="Requests that could not be: each has an incident")
    clocks = serializers.IntegerField(help_text="Clocks that were looked at")
    moved = serializers.IntegerField(help_text="Clocks that get another status or due time")
    begun = serializers.IntegerField(help_text="Clocks that would begin: of targets that a policy newly has")
    breached = serializers.IntegerField(help_text="Clocks that would now be breached")
    no_longer_breached = serializers.IntegerField()
    timers = serializers.IntegerField(help_text="Waits and deadlines that fall due at another time")
    shown = MovedClockSerializer(many=True, help_text="The first 200 clocks that move or begin")
    unmeasured = serializers.IntegerField(help_text="Requests that the look could not measure: they would be left out")
    reasons = UnmeasuredSerializer(many=True, help_text="The first 200 of them, and why")
