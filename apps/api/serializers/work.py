from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.serializers.fields import InstantField, key_of
from apps.requests.selectors.progress import form_asked_by
from apps.requests.selectors.work import outcomes_of
from apps.workflows.enums import TaskStatus
from apps.workflows.models import Task


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
