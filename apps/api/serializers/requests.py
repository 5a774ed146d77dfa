from __future__ import annotations

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.serializers.fields import InstantField, ObjectField, key_of
from apps.outbox.models import Event
from apps.requests.enums import Level, Priority, RequestStatus
from apps.requests.models import Comment, Request

LINKED = ("events", "clocks", "approvals", "tasks", "comments", "explain")


class LinksSerializer(serializers.Serializer[object]):
    self = serializers.CharField()
    events = serializers.CharField()
    clocks = serializers.CharField()
    approvals = serializers.CharField()
    tasks = serializers.CharField()
    comments = serializers.CharField()
    explain = serializers.CharField()


class RequestSerializer(serializers.Serializer[Request]):
    number = serializers.CharField()
    item = serializers.CharField(source="item.slug")
    title = serializers.CharField()
    status = serializers.ChoiceField(choices=RequestStatus.choices)
    outcome = serializers.CharField(help_text="Empty until the request has ended")
    stage = serializers.CharField(help_text="The workflow's present stage; empty where it names none")
    priority = serializers.ChoiceField(choices=Priority.choices)
    impact = serializers.ChoiceField(choices=Level.choices)
    urgency = serializers.ChoiceField(choices=Level.choices)
    requester = serializers.CharField(source="requester.username")
    requested_for = serializers.CharField(source="requested_for.username")
    assignee = key_of("assignee.username")
    team = key_of("team.key")
    data = ObjectField()  # type: ignore[assignment] # a field of that name
    tags = serializers.ListField(child=serializers.CharField())
    selection = ObjectField(help_text="Which workflow was selected, and why")
    run = serializers.IntegerField(source="run_id", allow_null=True)
    revision = serializers.IntegerField()
    created_at = InstantField()
    updated_at = InstantField()
    submitted_at = InstantField(allow_null=True)
    ended_at = InstantField(allow_null=True)
    archived_at = InstantField(allow_null=True)
    links = serializers.SerializerMethodField()

    @extend_schema_field(LinksSerializer)
    def get_links(self, request: Request) -> dict[str, str]:
        own = reverse("api:request", args=[request.number])
        return {"self": own} | {name: f"{own}{name}/" for name in LINKED}


class EventSerializer(serializers.Serializer[Event]):
    id = serializers.IntegerField()
    request = serializers.SerializerMethodField(help_text="The request's number; null for an event of a person")
    seq = serializers.IntegerField()
    position = serializers.IntegerField(allow_null=True, help_text="Place in the feed; null until it has one")
    type = serializers.CharField()
    actor = serializers.CharField()
    role = serializers.CharField()
    at = InstantField()
    data = ObjectField()  # type: ignore[assignment] # a field of that name

    def get_request(self, event: Event) -> str | None:
        request = getattr(event.stream, "request", None)
        return request.number if request else None


class CommentSerializer(serializers.Serializer[Comment]):
    id = serializers.IntegerField()
    author = key_of("author.username", help_text="Null for a comment of the workflow itself")
    text = serializers.CharField(source="note.text")
    internal = serializers.BooleanField()
    at = InstantField()


class MessageSerializer(serializers.Serializer[object]):
    """What a message did: the types of the events it led to, in order."""

    request = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
