from __future__ import annotations

from rest_framework import serializers

from apps.accounts.models import Team as TeamRow
from apps.accounts.models import User
from apps.api.serializers.fields import key_of


class TokenPairSerializer(serializers.Serializer[object]):
    access = serializers.CharField()
    refresh = serializers.CharField()


class TicketSerializer(serializers.Serializer[object]):
    ticket = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds")


class TeamSerializer(serializers.Serializer[TeamRow]):
    key = serializers.CharField()
    name = serializers.CharField()


class MeSerializer(serializers.Serializer[User]):
    username = serializers.CharField()
    name = serializers.CharField(source="__str__")
    email = serializers.CharField()
    department = serializers.CharField()
    time_zone = serializers.CharField()
    manager = key_of("manager.username")
    roles = serializers.SerializerMethodField()
    teams = serializers.SerializerMethodField()

    def get_roles(self, person: User) -> list[str]:
        return sorted(person.role_names)

    def get_teams(self, person: User) -> list[dict[str, str]]:
        teams = TeamRow.objects.filter(group__in=person.group_ids).order_by("key")
        return [dict(TeamSerializer(team).data) for team in teams]
