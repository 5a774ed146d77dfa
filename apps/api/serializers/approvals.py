"""Shapes of approvals: rounds with what each level asks, who sits where and what was answered."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.serializers.fields import InstantField, ObjectField, key_of
from apps.approvals.enums import ApprovalStatus, Verdict, Why
from apps.approvals.models import Approval, Decision, Seat
from apps.approvals.policy_check import COMMENTS, RULES, THEN
from apps.approvals.quorum import HEARS_EVERYBODY
from apps.requests.selectors.rounds import LevelOfRound, levels_of


class ForSerializer(serializers.Serializer[Any]):
    """Says `for` whom: a name that Python keeps for itself."""

    principal = "principal.username"

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        held_for = key_of(self.principal, help_text="The person it is for; null in one's own name")
        return {**super().get_fields(), "for": held_for}


class DecisionSerializer(ForSerializer):
    principal = "seat.principal.username"
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    by = serializers.CharField(source="by.username")
    comment = serializers.SerializerMethodField()
    at = InstantField()
    counted = serializers.SerializerMethodField(help_text="Whether it is an earlier answer that counts again")
    meaning = serializers.CharField(help_text="What the signature stands for; empty where the answer is not signed")
    signed_as = serializers.CharField(help_text="The signer's name as it was then; empty where it is not signed")

    def get_comment(self, decision: Decision) -> str:
        return decision.note.text if decision.note else ""

    def get_counted(self, decision: Decision) -> bool:
        return decision.counted_id is not None


class SeatSerializer(ForSerializer):
    id = serializers.IntegerField()
    user = serializers.CharField(source="user.username")
    because = ObjectField(help_text="The rule that named this person")
    groups = serializers.ListField(
        child=serializers.CharField(), source="sign_offs", help_text="The groups of the rule it counts in"
    )
    decides = serializers.BooleanField(help_text="Whether its answer settles the level by itself")
    left_at = InstantField(allow_null=True, help_text="When it was given up: it waits for no answer and takes none")
    left_because = serializers.SerializerMethodField(help_text="Why it was given up; null where it was not")
    decision = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ChoiceField(choices=Why.choices, allow_null=True))
    def get_left_because(self, seat: Seat) -> str | None:
        left: dict[int, str] = self.context["left"]
        return left.get(seat.pk)

    @extend_schema_field(DecisionSerializer(allow_null=True))
    def get_decision(self, seat: Seat) -> dict[str, object] | None:
        decision = getattr(seat, "decision", None)
        return dict(DecisionSerializer(decision).data) if decision else None


class SignOffSerializer(serializers.Serializer[object]):
    id = serializers.CharField()
    n = serializers.IntegerField(help_text="How many of the group must agree")


class RuleSerializer(serializers.Serializer[object]):
    kind = serializers.ChoiceField(choices=tuple(RULES))
    n = serializers.IntegerField(allow_null=True, help_text="Of a quorum: how many")
    p = serializers.IntegerField(allow_null=True, help_text="Of a percentage: how many of a hundred")
    groups = SignOffSerializer(many=True, help_text="Of `per_group`; else empty")


class ApprovalLevelSerializer(serializers.Serializer[LevelOfRound]):
    index = serializers.IntegerField(source="row.index")
    key = serializers.CharField(source="row.key")
    name = serializers.CharField(source="row.name")
    skipped = serializers.CharField(source="row.skipped", help_text="Why it was skipped; empty where it was not")
    opened_at = InstantField(source="row.opened_at")
    rule = RuleSerializer(source="level.rule", help_text="What approves it")
    reject = serializers.SerializerMethodField(help_text="What rejects it; null where everybody is heard first")
    chair = serializers.SerializerMethodField(help_text="The rule that names who decides a tie; null without a chair")
    can_abstain = serializers.BooleanField(source="level.abstain")
    can_return = serializers.BooleanField()
    comment = serializers.ChoiceField(
        choices=COMMENTS, source="level.comment", help_text="When an answer needs a comment"
    )
    meaning = serializers.CharField(
        source="level.meaning",
        allow_null=True,
        help_text="What a signed answer stands for: an answer needs the `password`; null where none is needed",
    )
    due_at = InstantField(allow_null=True, help_text="Null where nothing is due: no deadline, or the level is over")
    then = serializers.SerializerMethodField(help_text="What happens when it is late; null without a deadline")
    missing = serializers.SerializerMethodField(help_text="Whose answers it waits for")
    seats = serializers.SerializerMethodField()

    @extend_schema_field(RuleSerializer(allow_null=True))
    def get_reject(self, shown: LevelOfRound) -> dict[str, object] | None:
        if shown.level.rule.kind == HEARS_EVERYBODY:
            return None
        return dict(RuleSerializer(shown.level.reject).data)

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
    def get_chair(self, shown: LevelOfRound) -> dict[str, Any] | None:
        return dict(shown.level.chair) if shown.level.chair else None

    @extend_schema_field(serializers.ChoiceField(choices=THEN, allow_null=True))
    def get_then(self, shown: LevelOfRound) -> str | None:
        return shown.level.deadline.then if shown.level.deadline else None

    def get_missing(self, shown: LevelOfRound) -> list[str]:
        return [seat.user.username for seat in shown.missing]

    @extend_schema_field(SeatSerializer(many=True))
    def get_seats(self, shown: LevelOfRound) -> list[dict[str, object]]:
        return [dict(SeatSerializer(seat, context={"left": shown.left}).data) for seat in shown.seats]


class ApprovalSerializer(serializers.Serializer[Approval]):
    """A round of asking; read with `round_parts` prefetched."""

    id = serializers.IntegerField()
    request = serializers.CharField(source="stream.request.number")
    title = serializers.CharField(source="stream.request.title", help_text="The request's title")
    step = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=ApprovalStatus.choices)
    level = serializers.IntegerField(help_text="The index of the level that is open, or was last")
    opened_at = InstantField()
    ended_at = InstantField(allow_null=True)
    resumed = serializers.IntegerField(
        source="resumed_id", allow_null=True, help_text="The round it goes on from, whose answers count"
    )
    levels = serializers.SerializerMethodField()

    @extend_schema_field(ApprovalLevelSerializer(many=True))
    def get_levels(self, approval: Approval) -> list[dict[str, object]]:
        return [dict(ApprovalLevelSerializer(level).data) for level in levels_of(approval)]


class AnswerSerializer(serializers.Serializer[object]):
    """What became of one row of a bulk call."""

    row = serializers.IntegerField(help_text="The place in `decisions`, from 0")
    approval = serializers.IntegerField(allow_null=True, help_text="Null where the row names none")
    status = serializers.IntegerField(help_text="The HTTP status that the answer would have had by itself")
    code = serializers.CharField(help_text="`decided`, or the code of the problem")
    detail = serializers.CharField(help_text="Empty where it was decided")
    errors = serializers.DictField(  # type: ignore[assignment] # a field of that name
        child=serializers.ListField(child=serializers.CharField()), help_text="By field of the row"
    )
    result = serializers.ChoiceField(
        choices=ApprovalStatus.choices, allow_null=True, help_text="The approval's status then; null if refused"
    )


class AnswersSerializer(serializers.Serializer[object]):
    decided = serializers.IntegerField(help_text="How many rows count")
    refused = serializers.IntegerField(help_text="How many do not")
    results = AnswerSerializer(many=True, help_text="One for each row, in their order")
