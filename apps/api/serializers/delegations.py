"""Shapes of absences and of what they mean for open approvals."""

from __future__ import annotations

from rest_framework import serializers

from apps.accounts.enums import DelegationState
from apps.accounts.models import Delegation
from apps.api.serializers.fields import InstantField
from apps.core import clock


class DelegationSerializer(serializers.Serializer[Delegation]):
    id = serializers.IntegerField()
    principal = serializers.CharField(source="principal.username", help_text="Who is away")
    deputy = serializers.CharField(source="deputy.username", help_text="Who answers for them")
    starts_at = InstantField()
    ends_at = InstantField(help_text="Not included")
    items = serializers.ListField(child=serializers.CharField(), help_text="Catalogue items; empty: all of them")
    up_to = serializers.DecimalField(
        max_digits=14, decimal_places=2, allow_null=True, help_text="The largest amount; null: no limit"
    )
    currency = serializers.CharField(help_text="Of `up_to`; empty where there is no limit")
    state = serializers.SerializerMethodField()
    created_at = InstantField()
    ended_at = InstantField(allow_null=True, help_text="When it was ended before its time")

    def get_state(self, delegation: Delegation) -> DelegationState:
        return delegation.state(clock.now())


class GoingSerializer(serializers.Serializer[object]):
    approval = serializers.IntegerField(source="seat.level.approval_id")
    seat = serializers.IntegerField(source="seat.pk")
    request = serializers.CharField(source="seat.level.approval.stream.request.number")
    title = serializers.CharField(source="seat.level.approval.stream.request.title", help_text="The request's title")
    to = serializers.CharField(source="to.username", help_text="The deputy, or the one the deputy has in turn")


class StayingSerializer(serializers.Serializer[object]):
    approval = serializers.IntegerField(source="seat.level.approval_id")
    seat = serializers.IntegerField(source="seat.pk")
    request = serializers.CharField(source="seat.level.approval.stream.request.number")
    title = serializers.CharField(source="seat.level.approval.stream.request.title", help_text="The request's title")
    why = serializers.CharField()


class PreviewSerializer(serializers.Serializer[object]):
    """What an absence means for the approvals that wait for me now; of very many only the newest 200 are looked at."""

    going = GoingSerializer(many=True, help_text="Go to the deputy when it begins")
    staying = StayingSerializer(many=True, help_text="Stay with me")
