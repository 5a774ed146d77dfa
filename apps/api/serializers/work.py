from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.serializers.fields import InstantField, ObjectField, key_of
from apps.approvals.enums import ApprovalStatus, Verdict
from apps.approvals.models import Approval, ApprovalLevel, Decision, Seat
from apps.requests.selectors.progress import form_asked_by
from apps.requests.selectors.work import outcomes_of
from apps.workflows.enums import TaskStatus
from apps.workflows.models import Task


def approval_parts(prefix: str = "") -> Prefetch[str]:
    """Levels and seats of approvals (behind `prefix`) with people and decisions: two statements."""
    seats = Seat.objects.select_related("user", "decision__note", "decision__by")
    return Prefetch(f"{prefix}levels__seats", queryset=seats)


class OutcomeSerializer(serializers.Serializer[object]):
    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment] # a field of that name
    comment = serializers.CharField(allow_null=True, help_text="`required` where a comment must be given")


class TaskSerializer(serializers.Serializer[Task]):
    id = serializers.IntegerField()
    request = serializers.CharField(source="stream.request.number")
    title = serializers.CharField(source="stream.request.title", help_text="The request's title")
    step = serializers.CharField(source="visit.step")
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=TaskStatus.choices)
    assignee = key_of("assignee.username")
    team = key_of("team.key")
    role = serializers.SerializerMethodField(
        help_text="The role it is offered to; null where it is a team's or a person's"
    )
    outcome = serializers.CharField(help_text="Empty until it is done")
    outcomes = serializers.SerializerMethodField()
    form = serializers.SerializerMethodField(
        help_text="JSON Schema of the values it asks for, as `data`; null if it asks for none"
    )
    instance = serializers.IntegerField(  # type: ignore[assignment] # a field of that name
        allow_null=True, help_text="Which one, where its step has several"
    )
    opened_at = InstantField()
    claimed_at = InstantField(allow_null=True)
    ended_at = InstantField(allow_null=True)

    def get_role(self, task: Task) -> str | None:
        return task.group.name if task.group and task.team_id is None else None

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
    def get_form(self, task: Task) -> dict[str, Any] | None:
        form = form_asked_by(task)
        return form.json_schema() if form else None

    @extend_schema_field(OutcomeSerializer(many=True))
    def get_outcomes(self, task: Task) -> Sequence[dict[str, str | None]]:
        return [{"id": one.id, "label": one.label, "comment": one.comment} for one in outcomes_of(task)]


class DecisionSerializer(serializers.Serializer[Decision]):
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    by = serializers.CharField(source="by.username")
    comment = serializers.SerializerMethodField()
    at = InstantField()

    def get_comment(self, decision: Decision) -> str:
        return decision.note.text if decision.note else ""


class SeatSerializer(serializers.Serializer[Seat]):
    id = serializers.IntegerField()
    user = serializers.CharField(source="user.username")
    because = ObjectField(help_text="The rule that named this person")
    decision = serializers.SerializerMethodField()

    @extend_schema_field(DecisionSerializer(allow_null=True))
    def get_decision(self, seat: Seat) -> dict[str, object] | None:
        decision = getattr(seat, "decision", None)
        return dict(DecisionSerializer(decision).data) if decision else None


class ApprovalLevelSerializer(serializers.Serializer[ApprovalLevel]):
    index = serializers.IntegerField()
    key = serializers.CharField()
    name = serializers.CharField()
    skipped = serializers.CharField(help_text="Why it was skipped; empty where it was not")
    opened_at = InstantField()
    seats = serializers.SerializerMethodField()

    @extend_schema_field(SeatSerializer(many=True))
    def get_seats(self, level: ApprovalLevel) -> list[dict[str, object]]:
        seats = sorted(level.seats.all(), key=lambda seat: seat.pk)
        return [dict(SeatSerializer(seat).data) for seat in seats]


class ApprovalSerializer(serializers.Serializer[Approval]):
    """A round of asking; read with `approval_parts` prefetched."""

    id = serializers.IntegerField()
    request = serializers.CharField(source="stream.request.number")
    title = serializers.CharField(source="stream.request.title", help_text="The request's title")
    step = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=ApprovalStatus.choices)
    level = serializers.IntegerField(help_text="The index of the level that is open, or was last")
    opened_at = InstantField()
    ended_at = InstantField(allow_null=True)
    levels = serializers.SerializerMethodField()

    @extend_schema_field(ApprovalLevelSerializer(many=True))
    def get_levels(self, approval: Approval) -> list[dict[str, object]]:
        levels = sorted(approval.levels.all(), key=lambda level: level.index)
        return [dict(ApprovalLevelSerializer(level).data) for level in levels]
