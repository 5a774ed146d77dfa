"""Shapes of SLA clocks with their explanation, of policies and of calendars."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.serializers.fields import InstantField, ObjectField, key_of
from apps.approvals.enums import Why
from apps.calendars.models import CalendarVersion
from apps.requests.enums import Priority
from apps.requests.selectors.clocks import Explained, why_of
from apps.requests.selectors.explaining import Asked, Chosen, Due, Explanation
from apps.requests.selectors.moves import Moved
from apps.sla.clock import Interval
from apps.sla.enums import ClockStatus
from apps.sla.policy_check import METRICS

MOST_INTERVALS = 500
KINDS = ("running", "closed", "holiday", "paused", "other_team")
Versions = dict[int, CalendarVersion]


class VersionNameSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    n = serializers.IntegerField()


def _named(version: CalendarVersion | None) -> dict[str, object] | None:
    return {"key": version.key, "n": version.n} if version else None


class IntervalSerializer(serializers.Serializer[Interval]):
    """A stretch of a clock's life; needs the calendar versions by id as `calendars` in its context."""

    to = InstantField(source="end")
    counted = serializers.BooleanField()
    kind = serializers.SerializerMethodField()
    why = serializers.SerializerMethodField(help_text="The same in words")
    calendar = serializers.SerializerMethodField(help_text="Null where no calendar is asked")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {"from": InstantField(source="start"), **super().get_fields()}  # a name that Python keeps for itself

    @extend_schema_field(serializers.ChoiceField(choices=KINDS))
    def get_kind(self, interval: Interval) -> str:
        return interval.why.replace(" ", "_")

    def get_why(self, interval: Interval) -> str:
        return why_of(interval)

    @extend_schema_field(VersionNameSerializer(allow_null=True))
    def get_calendar(self, interval: Interval) -> dict[str, object] | None:
        versions: Versions = self.context["calendars"]
        return _named(versions.get(interval.calendar)) if interval.calendar is not None else None


class WarningSerializer(serializers.Serializer[Any]):
    percent = serializers.IntegerField()
    given = serializers.BooleanField(help_text="Whether it was warned already")


class LengthsSerializer(serializers.Serializer[Any]):
    """The seconds of a clock's life by what became of them."""

    running = serializers.FloatField(help_text="Counted")
    closed = serializers.FloatField(help_text="Outside working hours")
    holiday = serializers.FloatField()
    paused = serializers.FloatField(help_text="On hold")
    other_team = serializers.FloatField(help_text="While another team had the request")


class ClockSerializer(serializers.Serializer[Explained]):
    """A stored clock, and what the request's events say of it now; `calendars` as for an interval."""

    id = serializers.IntegerField(source="clock.id")
    target = serializers.CharField(source="clock.target")
    name = serializers.CharField(source="target.name", help_text="The target's name; empty where it has none")
    metric = serializers.ChoiceField(choices=METRICS, source="clock.metric")
    policy = VersionNameSerializer(source="clock.policy")
    calendar = VersionNameSerializer(source="clock.calendar", allow_null=True, help_text="Which it counts by now")
    priority = serializers.CharField(source="clock.priority")
    status = serializers.ChoiceField(
        choices=ClockStatus.choices, source="clock.status", help_text="As stored: a breach is noticed within seconds"
    )
    started_at = InstantField(source="clock.started_at")
    due_at = InstantField(source="clock.due_at", allow_null=True)
    allowed = serializers.FloatField(source="clock.allowed", help_text="Seconds it may use, in the target's own time")
    elapsed = serializers.FloatField(
        source="reading.elapsed", help_text="Seconds used up at `read_at`: what the counted stretches come to"
    )
    running_since = InstantField(source="clock.running_since", allow_null=True)
    warned = serializers.ListField(
        child=serializers.IntegerField(), source="clock.warned", help_text="Percentages that were warned of"
    )
    warnings = serializers.SerializerMethodField(help_text="Every percentage that is warned of")
    breached_at = InstantField(source="clock.breached_at", allow_null=True)
    stopped_at = InstantField(source="clock.stopped_at", allow_null=True)
    read_at = InstantField(source="until", help_text="The moment for which the rest is told")
    lengths = serializers.SerializerMethodField(help_text="Over its whole life")
    intervals = serializers.SerializerMethodField(help_text="Its life without gaps, oldest first; the newest 500")
    intervals_left_out = serializers.SerializerMethodField(help_text="How many older ones there are")

    @extend_schema_field(WarningSerializer(many=True))
    def get_warnings(self, one: Explained) -> list[dict[str, object]]:
        return [{"percent": percent, "given": percent in one.clock.warned} for percent in one.target.warn_at]

    @extend_schema_field(LengthsSerializer)
    def get_lengths(self, one: Explained) -> dict[str, float]:
        return _lengths(one)

    @extend_schema_field(IntervalSerializer(many=True))
    def get_intervals(self, one: Explained) -> list[dict[str, object]]:
        newest: Any = one.reading.intervals[-MOST_INTERVALS:]
        return list(IntervalSerializer(newest, many=True, context=self.context).data)

    def get_intervals_left_out(self, one: Explained) -> int:
        return max(0, len(one.reading.intervals) - MOST_INTERVALS)


def _lengths(one: Explained) -> dict[str, float]:
    found = one.lengths
    return {kind: round(found.get(kind.replace("_", " "), 0), 6) for kind in KINDS}


# ------------------------------------------------------------------------------------ explanations


class ChosenSerializer(serializers.Serializer[Chosen]):
    key = serializers.CharField()
    version = serializers.IntegerField(allow_null=True)
    rule = serializers.CharField(help_text="The rule that held; empty where none had to")
    guard = serializers.CharField(help_text="Its expression; empty where it always holds")
    passed_over = serializers.ListField(child=serializers.CharField(), help_text="Rules before it that did not hold")
    sentence = serializers.CharField()


class AskedSerializer(serializers.Serializer[Asked]):
    approval = serializers.IntegerField(source="seat.level.approval_id")
    step = serializers.CharField(source="seat.level.approval.step")
    level = serializers.CharField(source="seat.level.key")
    seat = serializers.IntegerField(source="seat.pk")
    user = serializers.CharField(source="seat.user.username")
    because = ObjectField(source="seat.because", help_text="The rule that named this person")
    why = serializers.ChoiceField(
        choices=Why.choices, allow_blank=True, help_text="Why they were asked later; empty: when the level opened"
    )
    left_at = InstantField(source="seat.left_at", allow_null=True)
    sentence = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        held_for = key_of("seat.principal.username", help_text="The person it is for; null in one's own name")
        return {**super().get_fields(), "for": held_for}


class MovedSerializer(serializers.Serializer[Moved]):
    event = serializers.IntegerField(source="event.id")
    seq = serializers.IntegerField(source="event.seq")
    type = serializers.CharField(source="event.type")
    at = InstantField(source="event.at")
    due_before = InstantField(source="before", allow_null=True)
    due_after = InstantField(source="after", allow_null=True, help_text="Null where it stood still from then on")
    sentence = serializers.CharField()


class DueTimeSerializer(serializers.Serializer[Due]):
    clock = serializers.IntegerField(source="one.clock.pk")
    target = serializers.CharField(source="one.clock.target")
    status = serializers.ChoiceField(choices=ClockStatus.choices, source="one.reading.status")
    due_at = InstantField(source="one.reading.due_at", allow_null=True)
    policy = VersionNameSerializer(source="one.clock.policy")
    calendar = serializers.SerializerMethodField(help_text="Null where all time counts")
    priority = serializers.ChoiceField(choices=Priority.choices, source="one.reading.state.priority")
    allowed = serializers.FloatField(source="one.reading.state.allowed", help_text="Seconds, in the target's own time")
    elapsed = serializers.FloatField(source="one.reading.elapsed", help_text="Seconds counted until now")
    lengths = serializers.SerializerMethodField()
    moved_by = MovedSerializer(many=True, help_text="What moved its due time, oldest first; the newest 50")
    sentences = serializers.ListField(child=serializers.CharField())

    @extend_schema_field(VersionNameSerializer(allow_null=True))
    def get_calendar(self, due: Due) -> dict[str, object] | None:
        return _named(due.calendar)

    @extend_schema_field(LengthsSerializer)
    def get_lengths(self, due: Due) -> dict[str, float]:
        return _lengths(due.one)


class ExplanationSerializer(serializers.Serializer[Explanation]):
    request = serializers.CharField(source="request.number")
    workflow = ChosenSerializer(allow_null=True, help_text="Null until the request is submitted")
    sla = ChosenSerializer(allow_null=True, help_text="Null where no target measures the request")
    approvers = AskedSerializer(many=True, help_text="The seats of the newest round of each approval")
    clocks = DueTimeSerializer(many=True, help_text="The latest clock of each target")


# ------------------------------------------------------------------------------------ policies and calendars


class KeyedSerializer(serializers.Serializer[Any]):
    """A version of a key."""

    id = serializers.IntegerField(help_text="Of the version")
    key = serializers.CharField()
    n = serializers.IntegerField()
    hash = serializers.CharField(help_text="SHA-256 of the document, which never changes")
    created_at = InstantField()
    created_by = serializers.CharField(help_text="`user:7`; empty where the product made it")


class AuthorWarningSerializer(serializers.Serializer[Any]):
    place = serializers.CharField()
    message = serializers.CharField()


class DocumentSerializer(KeyedSerializer):
    document = ObjectField()
    versions = KeyedSerializer(many=True, help_text="All of the key, the newest first; at most 100")
    warnings = AuthorWarningSerializer(many=True, help_text="What its author should know; nothing that forbids it")


class SpanSerializer(serializers.Serializer[Any]):
    """A stretch of business time."""

    to = InstantField(source="end")
    why = serializers.ChoiceField(choices=("open", "closed", "holiday"))

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {"from": InstantField(source="start"), **super().get_fields()}


class ComputedSerializer(serializers.Serializer[Any]):
    calendar = VersionNameSerializer()
    due_at = InstantField(allow_null=True, help_text="Null where seconds were asked for")
    open_seconds = serializers.FloatField(allow_null=True, help_text="Null where a due time was asked for")
    intervals = SpanSerializer(many=True, allow_null=True, help_text="Null unless `intervals` is true")
