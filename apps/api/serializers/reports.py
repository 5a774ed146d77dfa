"""Shapes of reports. Shares are parts of 1, times are seconds; what was not asked apart is null in a row."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.fields import InstantField
from apps.requests.enums import Priority
from apps.requests.reports import (
    Bottlenecks,
    Compliance,
    ComplianceRow,
    DueClock,
    DueSoon,
    Filters,
    Named,
    Place,
    PlaceTotals,
    Throughput,
    ThroughputRow,
)
from apps.requests.stays import Spread
from apps.sla.policy_check import METRICS


class NamedSerializer(serializers.Serializer[Named]):
    key = serializers.CharField(help_text="What it is filtered by; empty for requests without team")
    name = serializers.CharField()


class FiltersSerializer(serializers.Serializer[Filters]):
    item = serializers.CharField(help_text="Empty for all")
    team = serializers.CharField(help_text="Empty for all")
    priorities = serializers.ListField(child=serializers.CharField())
    metrics = serializers.ListField(child=serializers.CharField())
    since = InstantField(allow_null=True)
    until = InstantField(allow_null=True)


class SpreadSerializer(serializers.Serializer[Spread]):
    count = serializers.IntegerField(help_text="How often it was measured")
    median = serializers.FloatField(allow_null=True)
    p90 = serializers.FloatField(allow_null=True, help_text="Nine of ten were within it (nearest rank)")


class ComplianceRowSerializer(serializers.Serializer[ComplianceRow]):
    metric = serializers.ChoiceField(choices=METRICS)
    ola_team = NamedSerializer(
        allow_null=True, help_text="The team whose own targets (OLAs) these are; null for those of the service"
    )
    item = NamedSerializer(allow_null=True)
    team = NamedSerializer(allow_null=True)
    priority = serializers.ChoiceField(choices=Priority.choices, allow_null=True)
    month = serializers.DateField(allow_null=True, help_text="Its first day")
    target = NamedSerializer(allow_null=True, help_text="The key is policy/target")
    met = serializers.IntegerField()
    breached = serializers.IntegerField()
    running = serializers.IntegerField()
    paused = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True, help_text="Met of what was met or breached")
    plain = SpreadSerializer(help_text="From start to stop by the wall clock")
    counted = SpreadSerializer(help_text="The same as the clocks count: business seconds, without pauses")


class ComplianceSerializer(serializers.Serializer[Compliance]):
    filters = FiltersSerializer()
    by = serializers.ListField(child=serializers.CharField())
    at = InstantField()
    rows = ComplianceRowSerializer(many=True)
    totals = ComplianceRowSerializer(many=True, help_text="One for each metric")
    ola_rows = ComplianceRowSerializer(
        many=True, help_text="Teams' own targets (OLAs), by team; they are in no other row"
    )
    ola_totals = ComplianceRowSerializer(many=True, help_text="One for each team and metric")


class ThroughputRowSerializer(serializers.Serializer[ThroughputRow]):
    start = serializers.DateField(allow_null=True, help_text="The first day of the period; null in the totals")
    item = NamedSerializer(allow_null=True)
    team = NamedSerializer(allow_null=True)
    priority = serializers.ChoiceField(choices=Priority.choices, allow_null=True)
    submitted = serializers.IntegerField()
    reopened = serializers.IntegerField(help_text="They end again, and each ending counts")
    completed = serializers.IntegerField()
    rejected = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    ended = serializers.IntegerField()
    open = serializers.IntegerField(
        help_text="At the end of the period: open before it, submitted or reopened in it, without what ended"
    )


class ThroughputSerializer(serializers.Serializer[Throughput]):
    filters = FiltersSerializer()
    per = serializers.CharField()
    by = serializers.ListField(child=serializers.CharField())
    at = InstantField()
    rows = ThroughputRowSerializer(many=True)
    totals = ThroughputRowSerializer()


class PlaceSerializer(serializers.Serializer[Place]):
    kind = serializers.ChoiceField(choices=["step", "stage"])
    item = NamedSerializer()
    workflow = NamedSerializer()
    place = NamedSerializer()
    visits = serializers.IntegerField()
    now = serializers.IntegerField(help_text="How many are there still")
    oldest = InstantField(allow_null=True, help_text="Since when the first of them is there")
    waiting = SpreadSerializer(help_text="Of visits that ended")
    total = serializers.FloatField(help_text="The sum of the waiting")


class PlaceTotalsSerializer(serializers.Serializer[PlaceTotals]):
    visits = serializers.IntegerField()
    now = serializers.IntegerField()
    total = serializers.FloatField()


class BottlenecksSerializer(serializers.Serializer[Bottlenecks]):
    filters = FiltersSerializer()
    at = InstantField()
    steps = PlaceSerializer(many=True)
    stages = PlaceSerializer(many=True)
    totals = PlaceTotalsSerializer(help_text="Of all steps")


class DueClockSerializer(serializers.Serializer[DueClock]):
    number = serializers.CharField()
    title = serializers.CharField()
    item = NamedSerializer()
    team = NamedSerializer(allow_null=True)
    assignee = NamedSerializer(allow_null=True)
    priority = serializers.ChoiceField(choices=Priority.choices)
    metric = serializers.ChoiceField(choices=METRICS)
    target = NamedSerializer(help_text="The key is policy/target")
    due_at = InstantField()
    seconds_left = serializers.FloatField(help_text="Not above zero for what is overdue")
    by_calendar = serializers.BooleanField(help_text="Whether those are business seconds")


class DueSoonSerializer(serializers.Serializer[DueSoon]):
    filters = FiltersSerializer()
    hours = serializers.IntegerField()
    at = InstantField()
    rows = DueClockSerializer(many=True, help_text="The earliest first, 200 at most")
    total = serializers.IntegerField(help_text="How many there are in all")
    overdue = serializers.IntegerField(help_text="How many of them are due already")
