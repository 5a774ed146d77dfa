from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.fields import InstantField, ObjectField, key_of
from apps.workflows.engine.diff import Change, ChangeKind, Element
from apps.workflows.engine.problems import Problem, Severity
from apps.workflows.enums import VersionStatus
from apps.workflows.models import Workflow, WorkflowVersion

NUMBERED = [VersionStatus.PUBLISHED, VersionStatus.RETIRED]


class WorkflowSerializer(serializers.Serializer[Workflow]):
    """Read with the annotations of `workflows_for`."""

    key = serializers.CharField()
    name = serializers.CharField()
    newest = serializers.IntegerField(allow_null=True, help_text="The newest published version; null if there is none")
    has_draft = serializers.BooleanField()


class WorkflowVersionSerializer(serializers.Serializer[WorkflowVersion]):
    workflow = serializers.CharField(source="workflow.key")
    n = serializers.IntegerField()
    status = serializers.ChoiceField(choices=[(status.value, status.label) for status in NUMBERED])
    hash = serializers.CharField(help_text="SHA-256 of the document, which never changes")
    created_at = InstantField()
    created_by = key_of("created_by.username")
    published_at = InstantField()


class WorkflowDocumentSerializer(WorkflowVersionSerializer):
    document = ObjectField(help_text="Format 1")


class DraftSerializer(serializers.Serializer[WorkflowVersion]):
    workflow = serializers.CharField(source="workflow.key")
    hash = serializers.CharField(help_text="SHA-256 of the document; its `ETag`")
    created_at = InstantField()
    created_by = key_of("created_by.username")
    document = ObjectField(help_text="Format 1; it may be unfinished")


class FoundProblemSerializer(serializers.Serializer[Problem]):
    code = serializers.CharField()
    severity = serializers.ChoiceField(
        source="severity.value",
        choices=[severity.value for severity in Severity],
        help_text="Only an `error` keeps a draft from being published",
    )
    step = serializers.CharField(allow_null=True)
    transition = serializers.IntegerField(allow_null=True, help_text="The place in the list of transitions, from 0")
    message = serializers.CharField()
    path = serializers.CharField(help_text="The place in the document; empty where it is the whole")


class ReportSerializer(serializers.Serializer[object]):
    publishable = serializers.BooleanField()
    verified = serializers.BooleanField(help_text="Whether every way a run can go was seen")
    problems = FoundProblemSerializer(many=True)


class ChangeSerializer(serializers.Serializer[Change]):
    kind = serializers.ChoiceField(choices=list(ChangeKind))
    element = serializers.ChoiceField(choices=list(Element))
    id = serializers.CharField(help_text="Of the step or stage, `review -> big` of a transition")
    path = serializers.CharField(help_text="The place inside the element; empty where it came or went as a whole")
    before = serializers.JSONField(help_text="Null where there was nothing")
    after = serializers.JSONField(help_text="Null where there is nothing")
    sentence = serializers.CharField()


class DiffSerializer(serializers.Serializer[object]):
    a = serializers.CharField()
    b = serializers.CharField()
    changes = ChangeSerializer(many=True, help_text="From a to b; at most 5,000")
