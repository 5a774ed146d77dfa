"""What an approval's service did, as its caller takes it over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.accounts.models import User
from apps.approvals.enums import ApprovalEvent, Why
from apps.approvals.models import Approval, ApprovalLevel, Seat
from apps.approvals.quorum import Level, Policy
from apps.approvals.selectors import Approver, Concerned
from apps.outbox.incidents import open_incident
from apps.outbox.models import Note
from apps.outbox.publish import SYSTEM, NewEvent

NOBODY = "approval_without_approver"


@dataclass(kw_only=True)
class Outcome:
    """The events to publish, who was newly asked, the level that opened, and the way out if the round ended.

    Verbs add to it while they work on the approval, under its policy, for the people of its request.
    """

    approval: Approval
    policy: Policy
    people: Concerned
    events: list[NewEvent] = field(default_factory=list)
    asked: list[Approver] = field(default_factory=list)
    opened: Level | None = None
    result: str | None = None

    @property
    def at(self) -> datetime:
        return self.people.at

    @property
    def level(self) -> Level:
        """The level that is open, or was last, as its policy states it."""
        return self.policy.levels[self.approval.level]

    def tell(
        self, kind: ApprovalEvent, *, actor: User | None = None, role: str = "", note: Note | None = None, **data: Any
    ) -> None:
        """Adds an event: in the name of the actor, or of the product."""
        by = f"user:{actor.pk}" if actor else SYSTEM
        said = {"approval": self.approval.pk, "step": self.approval.step, **data}
        self.events.append(NewEvent(type=kind, actor=by, role=role, at=self.at, data=said, note=note))

    def call_operator(self, key: str, detail: str, *, kind: str = NOBODY) -> None:
        """Opens an incident of this approval, unless it is open."""
        full = f"approval:{self.approval.pk}:{key}"
        self.events += open_incident(self.approval.stream, kind=kind, key=full, detail=detail, at=self.at)


def seat_people(outcome: Outcome, row: ApprovalLevel, people: Sequence[Approver]) -> list[Seat]:
    """Writes the seats of these people, in one statement; the caller tells of them."""
    seats = [
        Seat(
            level=row,
            user=one.user,
            principal=one.principal,
            because=dict(one.because),
            through=one.through,
            sign_offs=sorted(one.groups),
            decides=one.decides,
            kept_from_id=one.kept_from,
        )
        for one in people
    ]
    Seat.objects.bulk_create(seats)
    for seat in seats:
        Seat._meta.get_field("decision").set_cached_value(seat, None)  # else each is asked for its answer
    outcome.asked.extend(people)
    return seats


def told(seats: Sequence[Seat]) -> list[dict[str, int]]:
    """The seats as an event tells of them: who sits there, and for whom."""
    return [
        {"seat": seat.pk, "user": seat.user_id} | ({"for": seat.principal_id} if seat.principal_id else {})
        for seat in seats
    ]


def ask_more(
    outcome: Outcome,
    row: ApprovalLevel,
    people: Sequence[Approver],
    *,
    why: Why,
    actor: User | None = None,
    note: Note | None = None,
    left: Sequence[Seat] = (),
) -> list[Seat]:
    """Seats more people at the open level, in place of those who left; tells of both."""
    leave(outcome, left)
    seats = seat_people(outcome, row, people)
    gone: dict[str, Any] = {"left": told(left)} if left else {}
    outcome.tell(
        ApprovalEvent.ASKED, actor=actor, note=note, level=row.key, row=row.pk, why=why, seats=told(seats), **gone
    )
    return seats


def leave(outcome: Outcome, seats: Sequence[Seat]) -> None:
    """Gives the seats up: they wait for no answer and take none."""
    if seats:
        Seat.objects.filter(pk__in=[seat.pk for seat in seats]).update(left_at=outcome.at)
        for seat in seats:
            seat.left_at = outcome.at
