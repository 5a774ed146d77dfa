"""Answers to approvals, carried into the request's run."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.approvals import services as approvals
from apps.approvals.enums import Verdict
from apps.approvals.models import Approval, Seat
from apps.approvals.selectors import open_seats
from apps.core import clock
from apps.core.errors import InvalidInput
from apps.core.locks import lock_rows
from apps.requests.models import Request
from apps.requests.services.approving import take_over, terms_of
from apps.requests.services.effects import go_on
from apps.requests.services.lifecycle import checked_comment, first_response
from apps.requests.services.writing import LOADED, Write, is_stale, lock_request


@transaction.atomic(savepoint=False)
def record_decision(
    approval: Approval,
    *,
    verdict: Any,
    comment: Any = "",
    password: Any = None,
    signature: approvals.Signature | None = None,
    seat: int | None = None,
    actor: User,
    at: datetime | None = None,
) -> Approval:
    """Records the actor's answer on their seat; the level, the round and the run follow in the same transaction.

    `approval` was found through a selector; what counts is read again under the lock. `password` is needed where the
    level wants a signed answer; how often it may be tried is for the face to limit. A `signature` stands for a
    password that the face has checked (`signed`). `seat` is the id of the seat that was shown: with it no other one of
    the actor's is answered, so that a form or a link that is sent twice never decides the next level as well. Raises
    InvalidInput for an unknown verdict, an unfit comment or a wrong password, NotPermitted for somebody who was not
    asked or may not answer, AlreadyDecided when the seat has its answer or the round has ended; then nothing changed.
    Two people at the same instant get one outcome.
    """
    signature = signature or signed(actor, password)
    request, seats = _lock(approval)
    write = Write(request=request, actor=actor, at=at or clock.now())
    decided = decide(
        write, approval, seats, verdict=verdict, comment=comment, signature=signature, seat=seat, actor=actor
    )
    write.finish()
    return decided


def decide(
    write: Write,
    approval: Approval,
    seats: list[Seat],
    *,
    verdict: Any,
    comment: Any,
    actor: User,
    signature: approvals.Signature | None = None,
    seat: int | None = None,
) -> Approval:
    """`record_decision` within a write: `seats` are those of the open level, as they are under the lock."""
    if verdict not in Verdict.values:
        raise InvalidInput({"decision": [f"This must be one of {', '.join(Verdict.values)}."]})
    text = checked_comment(comment)
    current = seats[0].level.approval if seats else approval
    policy, people = terms_of(write, current)
    outcome = approvals.record_decision(
        approval.pk,
        seats,
        actor=actor,
        verdict=verdict,
        note=write.note(text),
        policy=policy,
        people=people,
        signature=signature,
        seat_id=seat,
    )
    first_response(write)
    take_over(write, outcome, visit=current.visit.number, run=write.passage_of(current.visit.run_id))
    go_on(write)
    return outcome.approval


def signed(actor: User, password: Any) -> approvals.Signature | None:
    """The signature of somebody who gave their password again; None if they gave none. Raises InvalidInput."""
    if password is None or password == "":
        return None
    if not isinstance(password, str) or not actor.check_password(password):
        raise InvalidInput({"password": ["This is not your password."]})
    return approvals.Signature(name=f"{actor} ({actor.username})"[:300])


def _lock(approval: Approval) -> tuple[Request, list[Seat]]:
    """The request with its stream locked, and the seats of the open level, as they are now: one statement as a rule.

    The same reading as `lock_request`, reached from the seats; a level without seats has nothing to join.
    """
    loaded = [f"level__approval__stream__request__{name}" for name in LOADED if name != "stream"]
    seats = open_seats(approval.pk).select_related("decision", "user", "principal", "level__approval__visit", *loaded)
    locked = lock_rows(seats, of=("level__approval__stream",))
    if not locked:
        return lock_request(approval.stream_id), []
    if is_stale(locked[0].level.approval.stream.request):
        locked = list(seats)
    if not locked:  # the level that has opened meanwhile has no seats
        return lock_request(approval.stream_id), []
    return locked[0].level.approval.stream.request, locked
