"""Approvals on a page: what the reader may answer, and what they may change about a round that is open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.accounts.models import User
from apps.approvals.enums import ApprovalStatus, Verdict
from apps.approvals.models import Approval, Seat
from apps.portal.vote_words import rule_words
from apps.requests import policies
from apps.requests.models import Request
from apps.requests.policies import Act
from apps.requests.selectors.rounds import LevelOfRound
from apps.requests.services.rounds import may_close_vote
from apps.workflows.selectors import definition_of

COMMENT_HINTS: Mapping[str, str] = {
    "never": "Everybody who reads the request sees it.",
    "on_reject": "Needed if you reject it or send it back. Everybody who reads the request sees it.",
    "on_any": "Needed whatever you answer. Everybody who reads the request sees it.",
}


@dataclass(frozen=True, kw_only=True)
class DecisionBox:
    """The reader was asked: what they may answer, what is needed for it, and what counts at the level."""

    approval: Approval
    seat: Seat
    level: str
    rule: str
    due_at: datetime | None
    answered: int
    seats: int
    comment: str
    meaning: str
    may_return: bool
    may_abstain: bool

    @property
    def form(self) -> str:
        return f"approval-{self.approval.pk}"

    @property
    def give_form(self) -> str:
        return f"give-{self.seat.pk}"

    @property
    def comment_hint(self) -> str:
        return COMMENT_HINTS[self.comment]

    @property
    def comment_required(self) -> bool:
        """Whether no answer at all goes without a comment."""
        return self.comment == "on_any"

    @property
    def comment_on_reject(self) -> bool:
        """Whether only a refusal needs a comment."""
        return self.comment == "on_reject"

    @property
    def in_the_name_of(self) -> User | None:
        """The person the reader answers for, None in their own name."""
        return self.seat.principal


@dataclass(frozen=True, kw_only=True)
class RoundBox:
    """What the reader may change about an open round; False throughout for most people."""

    approval: Approval
    waiting: list[Seat]
    may_withdraw: bool
    may_close: bool
    may_change: bool
    may_override: bool

    @property
    def offers_something(self) -> bool:
        return self.may_withdraw or self.may_close or self.may_change or self.may_override

    @property
    def seats_by_name(self) -> list[tuple[int, str]]:
        """The seats that wait for an answer, for a choice among them."""
        return [(seat.pk, name_of_seat(seat)) for seat in self.waiting]

    @property
    def withdraw_form(self) -> str:
        return f"take-back-{self.approval.pk}"

    @property
    def close_form(self) -> str:
        return f"close-vote-{self.approval.pk}"

    @property
    def add_form(self) -> str:
        return f"add-approver-{self.approval.pk}"

    @property
    def reassign_form(self) -> str:
        return f"reassign-{self.approval.pk}"

    @property
    def override_form(self) -> str:
        return f"override-{self.approval.pk}"


def decision_box(seat: Seat, one: LevelOfRound) -> DecisionBox:
    """The box of a seat at an open level."""
    kept = sitting(one)
    return DecisionBox(
        approval=one.row.approval,
        seat=seat,
        level=one.row.name,
        rule=words_of(one),
        due_at=one.due_at,
        answered=len(kept) - len(unanswered(kept)),
        seats=len(kept),
        comment=one.level.comment,
        meaning=one.level.meaning or "",
        may_return=one.can_return and _leads_back(one.row.approval),
        may_abstain=one.level.abstain and not seat.decides,
    )


def decision_boxes(levels: Iterable[LevelOfRound], reader: User) -> list[DecisionBox]:
    """A box for every seat on which the reader's answer is waited for."""
    mine = [(seat, one) for one in levels if one.is_open for seat in unanswered(sitting(one))]
    return [decision_box(seat, one) for seat, one in mine if seat.user_id == reader.pk]


def round_boxes(levels: Iterable[LevelOfRound], request: Request, reader: User) -> dict[int, RoundBox]:
    """What the reader may change, by the id of the open round; rounds at which they may change nothing are missing."""
    boxes = {one.row.approval.pk: _round_box(one, request, reader) for one in levels if one.is_open}
    return {pk: box for pk, box in boxes.items() if box.offers_something}


def sitting(one: LevelOfRound) -> list[Seat]:
    """The seats that were not given up."""
    return [seat for seat in one.seats if seat.left_at is None]


def unanswered(seats: Iterable[Seat]) -> list[Seat]:
    return [seat for seat in seats if getattr(seat, "decision", None) is None]


def words_of(one: LevelOfRound) -> str:
    """The level's rule in words."""
    kept = sitting(one)
    return rule_words(one.level, seats=len(kept), decided_by_one=any(seat.decides for seat in kept))


def name_of_seat(seat: Seat) -> str:
    """`Bea`, or `Bea for Anna`."""
    return f"{seat.user} for {seat.principal}" if seat.principal else str(seat.user)


def _round_box(one: LevelOfRound, request: Request, reader: User) -> RoundBox:
    kept = sitting(one)
    approval = one.row.approval
    votes_on = one.level.chair is not None and not any(seat.decides for seat in kept)
    begun: Sequence[Seat] = [seat for seat in kept if seat not in unanswered(kept)]
    return RoundBox(
        approval=approval,
        waiting=unanswered(kept),
        may_withdraw=one.can_return and policies.may(reader, Act.WITHDRAW_APPROVAL, request),
        may_close=votes_on and bool(begun) and may_close_vote(approval, request, actor=reader),
        may_change=policies.may(reader, Act.CHANGE_APPROVERS, request),
        may_override=policies.may(reader, Act.OVERRIDE, request),
    )


def _leads_back(approval: Approval) -> bool:
    """Whether the workflow has a way back from this approval."""
    arrows = definition_of(approval.visit.run.version_id).arrows_from(approval.step)
    return any(arrow.outcome == ApprovalStatus.RETURNED for arrow in arrows)


SAID: Mapping[str, str] = {
    Verdict.APPROVE: "You approved this.",
    Verdict.REJECT: "You rejected this.",
    Verdict.RETURN: "You sent this back to the requester.",
    Verdict.ABSTAIN: "You abstained.",
}
