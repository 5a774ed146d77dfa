"""Opening approvals, taking decisions, ending rounds. The caller holds the stream's lock and publishes the events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError

from apps.accounts.models import User
from apps.approvals import policies
from apps.approvals.enums import ApprovalEvent, ApprovalStatus, Verdict
from apps.approvals.models import Approval, ApprovalLevel, Decision, Seat
from apps.approvals.quorum import Level, Policy, Tally, Vote, tally
from apps.approvals.selectors import Approver, Concerned, resolve_approvers
from apps.core.errors import AlreadyDecided, InvalidInput, TransitionNotAllowed
from apps.outbox.incidents import open_incident
from apps.outbox.models import Note
from apps.outbox.publish import SYSTEM, NewEvent
from apps.workflows.engine.guards import GuardFailed
from apps.workflows.models import StepVisit

Holds = Callable[[str], bool]
_END = {
    ApprovalStatus.APPROVED: Approval.approve,
    ApprovalStatus.REJECTED: Approval.reject,
    ApprovalStatus.RETURNED: Approval.give_back,
}


@dataclass(kw_only=True)
class Outcome:
    """What an approval's service did: the events to publish, who was newly asked, and the result if the round ended."""

    approval: Approval
    events: list[NewEvent] = field(default_factory=list)
    asked: list[Approver] = field(default_factory=list)
    result: str | None = None


def open_approval(
    visit: StepVisit,
    *,
    instance: int | None = None,
    name: str,
    policy: Policy,
    people: Concerned,
    holds: Holds,
    at: datetime,
) -> Outcome:
    """Opens a round at its first level that applies. `holds` evaluates a level's guard.

    If no level applies, the round ends approved at once. A level that names nobody active asks the fallback; if that
    names nobody either, an incident opens: no approval waits for nobody unseen.
    """
    approval = Approval(
        stream_id=visit.run.stream_id, visit=visit, instance=instance, step=visit.step, name=name, opened_at=at
    )
    approval.save(force_insert=True)
    outcome = Outcome(approval=approval)
    outcome.events.append(_event(ApprovalEvent.OPENED, approval, at, step=visit.step))
    _open_level_from(0, outcome, policy=policy, people=people, holds=holds, at=at)
    if approval.level or outcome.result:
        approval.save(update_fields=["level", "status", "ended_at"])
    return outcome


def record_decision(
    approval_id: int,
    seats: Sequence[Seat],
    *,
    actor: User,
    verdict: str,
    note: Note | None,
    policy: Policy,
    people: Concerned,
    holds: Holds,
    at: datetime,
) -> Outcome:
    """Records the one answer of the actor's seat, and ends the level or the round if that decides it.

    `seats` are the open level's (`selectors.open_seats`), read under the stream's lock.

    Raises NotPermitted for somebody who was not asked, AlreadyDecided when the seat has its answer or the round has
    ended, InvalidInput where the level asks for a comment and none came. A late answer is recorded nowhere.
    """
    seat = policies.seat_of(actor, seats, approval_id=approval_id)
    approval = seat.level.approval
    level = policy.levels[approval.level]
    _refuse_impossible(seat, verdict, note, level, policy)
    _save_decision(seat, Decision(seat=seat, verdict=verdict, by=actor, note=note, at=at))
    outcome = Outcome(approval=approval)
    outcome.events.append(_decided(seat, actor, verdict, note, at))
    reached = _tally(level, seats)
    if reached.status == "approved":
        _open_level_from(approval.level + 1, outcome, policy=policy, people=people, holds=holds, at=at)
    elif reached.status != "pending":
        _end(outcome, ApprovalStatus(reached.status), at)
    if reached.status != "pending":
        approval.save(update_fields=["level", "status", "ended_at"])
    return outcome


def ask_again(approval: Approval, *, policy: Policy, people: Concerned, at: datetime) -> Outcome:
    """Asks at a pending level where nobody active is left to answer, as things are now.

    `asked` stays empty if somebody is left, and if there is still nobody.
    """
    outcome = Outcome(approval=approval)
    row = approval.levels.get(index=approval.level)
    if approval.status == ApprovalStatus.PENDING and not is_answerable(row):
        seated = set(row.seats.values_list("user_id", flat=True))
        rules = policy.levels[approval.level].approvers
        asked = resolve_approvers(rules, people=people) or resolve_approvers(policy.fallback, people=people)
        asked = [approver for approver in asked if approver.user.pk not in seated]
        outcome.events.append(_event(ApprovalEvent.LEVEL_OPENED, approval, at, level=row.key, row=row.pk))
        _seat(outcome, row, asked)
    return outcome


def is_answerable(level: ApprovalLevel) -> bool:
    """Whether an active person is still to answer at the level."""
    return level.seats.filter(user__is_active=True, decision__isnull=True).exists()


def nobody_can_answer(approval: Approval, level: ApprovalLevel, *, at: datetime) -> list[NewEvent]:
    """Opens the incident of a level that names nobody active, nor does the fallback; its events, to be published."""
    key = f"approval:{approval.pk}:{level.key}"
    detail = f"Nobody can answer at level {level.key} of step {approval.step}, nor its fallback."
    return open_incident(approval.stream, kind="approval_without_approver", key=key, detail=detail, at=at)


def withdraw_approval(visit: StepVisit, *, instance: int | None = None, at: datetime) -> list[NewEvent]:
    """Takes the visit's pending rounds back (all of them, or that of an instance); seats can no longer be decided."""
    pending = Approval.objects.filter(visit=visit, status=ApprovalStatus.PENDING).order_by("id")
    events = []
    for approval in pending if instance is None else pending.filter(instance=instance):
        approval.withdraw(at=at)
        approval.save(update_fields=["status", "ended_at"])
        events.append(_event(ApprovalEvent.ENDED, approval, at, result=approval.status))
    return events


def _refuse_impossible(seat: Seat, verdict: str, note: Note | None, level: Level, policy: Policy) -> None:
    if seat.level.approval.status != ApprovalStatus.PENDING:
        raise AlreadyDecided("This approval has already ended.")
    if _decision_of(seat):
        raise AlreadyDecided("You have already given your answer.")
    if verdict == Verdict.RETURN and policy.returns == "never":
        raise TransitionNotAllowed("This approval cannot be sent back.")
    if verdict == Verdict.ABSTAIN:
        raise TransitionNotAllowed("This approval does not take abstentions.")
    wanted = {"on_reject": {Verdict.REJECT, Verdict.RETURN}, "on_any": set(Verdict)}.get(level.comment, set())
    if verdict in wanted and note is None:
        raise InvalidInput({"comment": ["Please say why."]})


def _save_decision(seat: Seat, decision: Decision) -> None:
    try:
        decision.save(force_insert=True)
    except IntegrityError as error:
        raise AlreadyDecided from error
    seat.decision = decision


def _decision_of(seat: Seat) -> Decision | None:
    return getattr(seat, "decision", None)


def _tally(level: Level, seats: Sequence[Seat]) -> Tally:
    given = sorted((d for seat in seats if (d := _decision_of(seat))), key=lambda decision: decision.pk)
    votes = tuple(Vote(seat=decision.seat_id, verdict=decision.verdict) for decision in given)
    return tally(level, tuple(seat.pk for seat in seats), votes)


def _open_level_from(
    index: int, outcome: Outcome, *, policy: Policy, people: Concerned, holds: Holds, at: datetime
) -> None:
    """Opens the next level that applies, saying which were skipped; past the last one the round is approved."""
    for place in range(index, len(policy.levels)):
        level = policy.levels[place]
        if not _applies(outcome, level, holds, at):
            _skip(outcome, place, level, at)
            continue
        _open_level(outcome, place, level, resolve_approvers(level.approvers, people=people), at)
        if not outcome.asked:
            _ask_fallback(outcome, policy, people, at)
        return
    _end(outcome, ApprovalStatus.APPROVED, at)


def _applies(outcome: Outcome, level: Level, holds: Holds, at: datetime) -> bool:
    """Whether the level's guard holds. One that cannot be evaluated is never a silent no: the level is asked, and an
    operator is told.
    """
    try:
        return not level.when or holds(level.when)
    except GuardFailed as failure:
        approval = outcome.approval
        key = f"approval:{approval.pk}:{level.id}:when"
        detail = f"Level {level.id} of step {approval.step} is asked although its guard failed: {failure}"
        outcome.events += open_incident(approval.stream, kind="guard", key=key, detail=detail, at=at)
        return True


def _skip(outcome: Outcome, index: int, level: Level, at: datetime) -> None:
    because = f"does not apply: {level.when}"[:200]
    row = ApprovalLevel(
        approval=outcome.approval, index=index, key=level.id, name=level.name, skipped=because, opened_at=at
    )
    row.save(force_insert=True)
    outcome.events.append(_event(ApprovalEvent.LEVEL_SKIPPED, outcome.approval, at, level=level.id))


def _open_level(outcome: Outcome, index: int, level: Level, asked: Sequence[Approver], at: datetime) -> None:
    outcome.approval.level = index
    row = ApprovalLevel(approval=outcome.approval, index=index, key=level.id, name=level.name, opened_at=at)
    row.save(force_insert=True)
    outcome.events.append(_event(ApprovalEvent.LEVEL_OPENED, outcome.approval, at, level=level.id, row=row.pk))
    _seat(outcome, row, asked)


def _seat(outcome: Outcome, level: ApprovalLevel, asked: Sequence[Approver]) -> None:
    if asked:
        rows = [Seat(level=level, user=approver.user, because=dict(approver.because)) for approver in asked]
        Seat.objects.bulk_create(rows)
        outcome.asked.extend(asked)
        outcome.events[-1] = _with_seats(outcome.events[-1], rows)


def _ask_fallback(outcome: Outcome, policy: Policy, people: Concerned, at: datetime) -> None:
    level = outcome.approval.levels.get(index=outcome.approval.level)
    _seat(outcome, level, resolve_approvers(policy.fallback, people=people))
    if not outcome.asked:
        outcome.events += nobody_can_answer(outcome.approval, level, at=at)


def _with_seats(event: NewEvent, seats: Sequence[Seat]) -> NewEvent:
    asked = [{"seat": seat.pk, "user": seat.user_id} for seat in seats]
    return NewEvent(type=event.type, actor=event.actor, at=event.at, data={**event.data, "seats": asked})


def _end(outcome: Outcome, status: ApprovalStatus, at: datetime) -> None:
    _END[status](outcome.approval, at=at)
    outcome.result = status
    outcome.events.append(_event(ApprovalEvent.ENDED, outcome.approval, at, result=status))


def _decided(seat: Seat, actor: User, verdict: str, note: Note | None, at: datetime) -> NewEvent:
    data = {"approval": seat.level.approval_id, "level": seat.level.key, "seat": seat.pk, "verdict": verdict}
    return NewEvent(type=ApprovalEvent.DECIDED, actor=f"user:{actor.pk}", role="approver", at=at, data=data, note=note)


def _event(kind: ApprovalEvent, approval: Approval, at: datetime, **data: Any) -> NewEvent:
    return NewEvent(type=kind, actor=SYSTEM, at=at, data={"approval": approval.pk, "step": approval.step, **data})
