from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.fields import InstantField, key_of
from apps.notifications.models import Notification
from apps.notifications.render import SUBJECTS, subject_of


class NotificationSerializer(serializers.Serializer[Notification]):
    id = serializers.IntegerField()
    event = serializers.IntegerField(source="event_id")
    request = key_of("event.stream.request.number", help_text="Null where it is about a delegation")
    delegation = serializers.IntegerField(source="delegation_id", allow_null=True, help_text="Where it is about one")
    kind = serializers.ChoiceField(choices=sorted(SUBJECTS))
    subject = serializers.SerializerMethodField()
    at = InstantField()
    read_at = InstantField(allow_null=True)

    def get_subject(self, notification: Notification) -> str:
        return subject_of(notification)


class ReadSerializer(serializers.Serializer[object]):
    read = serializers.IntegerField(help_text="How many were unread before")
