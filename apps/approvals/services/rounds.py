"""A round of an approval: opened at its first level that applies, decided level by level, ended or taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError

from apps.accounts.models import User
from apps.approvals import policies
from apps.approvals.enums import SKIPPED_BY_GUARD, ApprovalEvent, ApprovalStatus, Verdict, Why
from apps.approvals.models import Approval, ApprovalLevel, Decision, Seat
from apps.approvals.quorum import Level, Policy, tally
from apps.approvals.selectors import Concerned, places_of, votes_of
from apps.approvals.services.outcome import Outcome, ask_more, seat_people, told
from apps.approvals.services.seating import (
    NOT_LAST_EDITOR,
    NOT_REQUESTER,
    Apart,
    Slate,
    deciders_of,
    is_short,
    rounds_of,
    slate_of,
)
from apps.core.errors import AlreadyDecided, InvalidInput, NotPermitted, TransitionNotAllowed
from apps.outbox.models import Note
from apps.outbox.publish import SYSTEM, NewEvent
from apps.workflows.engine.guards import GuardFailed
from apps.workflows.models import StepVisit

_END = {
    ApprovalStatus.APPROVED: Approval.approve,
    ApprovalStatus.REJECTED: Approval.reject,
    ApprovalStatus.RETURNED: Approval.give_back,
    ApprovalStatus.EXPIRED: Approval.expire,
    ApprovalStatus.WITHDRAWN: Approval.withdraw,
}
MOVED = ["level", "status", "ended_at"]


@dataclass(frozen=True, kw_only=True)
class Signature:
    """That the person gave their password again for this answer, and their name as it is printed."""

    name: str


def open_approval(
    visit: StepVisit, *, instance: int | None = None, name: str, policy: Policy, people: Concerned, matters: str = ""
) -> Outcome:
    """Opens a round at its first level that applies.

    With `"return": "resume"` it goes on at the level that sent the last round back, if `matters` (the digest of the
    fields that must be unchanged) is the same. If no level applies, the round ends approved at once. A level that could
    not be approved by those it names asks the fallback; if that does not help, an incident opens: no approval waits
    for nobody unseen.
    """
    before = _sent_back(visit, instance, matters) if policy.returns == "resume" else None
    approval = Approval(
        stream_id=visit.run.stream_id,
        visit=visit,
        instance=instance,
        step=visit.step,
        name=name,
        resumed=before,
        matters=matters,
        opened_at=people.at,
    )
    approval.save(force_insert=True)
    outcome = Outcome(approval=approval, policy=policy, people=people)
    goes_on: dict[str, Any] = {"resumed": before.pk} if before else {}
    outcome.tell(ApprovalEvent.OPENED, **goes_on)
    if before:
        _skip_approved(outcome, before)
    open_level_from(before.level if before else 0, outcome)
    if approval.level or outcome.result:
        approval.save(update_fields=MOVED)
    return outcome


def _sent_back(visit: StepVisit, instance: int | None, matters: str) -> Approval | None:
    """The last round at this step of the run, if it was sent back and nothing that matters has changed since."""
    rounds = Approval.objects.filter(visit__run=visit.run_id, step=visit.step, instance=instance)
    last = rounds.select_related("resumed").order_by("-id").first()
    return last if last and last.status == ApprovalStatus.RETURNED and last.matters == matters else None


def record_decision(
    approval_id: int,
    seats: Sequence[Seat],
    *,
    actor: User,
    verdict: str,
    note: Note | None,
    policy: Policy,
    people: Concerned,
    signature: Signature | None = None,
    seat_id: int | None = None,
) -> Outcome:
    """Records the one answer of the actor's seat, and ends the level or the round if that decides it.

    `seats` are the open level's (`selectors.open_seats`), read under the stream's lock. `seat_id` is the seat that the
    actor meant; None: whichever is theirs.

    Raises NotPermitted for somebody who was not asked, is no longer in what they were asked as, or whose duties must
    be kept apart; AlreadyDecided when the seat has its answer or the round has ended; InvalidInput where the level asks
    for a comment or a password and none came. A late answer is recorded nowhere.
    """
    seat = policies.seat_of(actor, seats, approval_id=approval_id)
    if seat_id is not None and seat.pk != seat_id:
        raise AlreadyDecided
    approval = seat.level.approval
    level = policy.levels[approval.level]
    _refuse_impossible(seat, verdict, level, policy)
    _refuse_duties(seat, policy, people)
    _refuse_incomplete(verdict, note, level, signature)
    decision = Decision(seat=seat, verdict=verdict, by=actor, note=note, at=people.at)
    if level.meaning and signature:
        decision.meaning, decision.signed_as = level.meaning, signature.name
    _save_decision(seat, decision)
    outcome = Outcome(approval=approval, policy=policy, people=people)
    _tell_decided(outcome, seat, actor, verdict, note)
    conclude(outcome, seat.level, seats)
    return outcome


def conclude(outcome: Outcome, row: ApprovalLevel, seats: Sequence[Seat], *, closed: bool = False) -> None:
    """Ends the level if its answers decide it, the round if that was the last level; seats the chair for a tie.

    A level with too few seats to be approved is not rejected for it: it waits for an operator, who was told. A veto or
    a return ends it all the same.
    """
    waits = is_short(outcome.level, seats)
    reached = tally(outcome.level, places_of(seats), votes_of(seats), closed=closed, waits=waits)
    if reached.status == "pending":
        if reached.reason == "tie" and outcome.level.chair:
            _seat_chair(outcome, row, seats)
        _look_again(seats)
        return
    end_level(outcome, ApprovalStatus(reached.status))


def _look_again(seats: Sequence[Seat]) -> None:
    """Lets the sweep judge the seats anew that nobody can answer: the level could do without them until this answer."""
    unable = [seat.pk for seat in seats if seat.unable_at and not policies.has_answer(seat)]
    if unable:
        Seat.objects.filter(pk__in=unable).update(unable_at=None)


def end_level(outcome: Outcome, status: ApprovalStatus) -> None:
    """Goes on to the next level, or ends the round, and writes the approval."""
    if status == ApprovalStatus.APPROVED:
        open_level_from(outcome.approval.level + 1, outcome)
    else:
        end_round(outcome, status)
    outcome.approval.save(update_fields=MOVED)


def end_round(outcome: Outcome, status: ApprovalStatus, *, actor: User | None = None, note: Note | None = None) -> None:
    """Ends the round in memory and says so; a withdrawn one leaves its step by `returned`."""
    _END[status](outcome.approval, at=outcome.at)
    outcome.result = ApprovalStatus.RETURNED if status == ApprovalStatus.WITHDRAWN else status
    outcome.tell(ApprovalEvent.ENDED, actor=actor, note=note, result=status)


def withdraw_approval(visit: StepVisit, *, instance: int | None = None, at: datetime) -> list[NewEvent]:
    """Takes the visit's pending rounds back (all of them, or that of an instance); seats can no longer be decided."""
    pending = Approval.objects.filter(visit=visit, status=ApprovalStatus.PENDING).order_by("id")
    events: list[NewEvent] = []
    for approval in pending if instance is None else pending.filter(instance=instance):
        approval.withdraw(at=at)
        approval.save(update_fields=["status", "ended_at"])
        data = {"approval": approval.pk, "step": approval.step, "result": approval.status}
        events.append(NewEvent(type=ApprovalEvent.ENDED, actor=SYSTEM, at=at, data=data))
    return events


def open_level_from(index: int, outcome: Outcome) -> None:
    """Opens the next level that applies, saying which were skipped; past the last one the round is approved."""
    for place in range(index, len(outcome.policy.levels)):
        level = outcome.policy.levels[place]
        if not _applies(outcome, level):
            _skip(outcome, place, level, f"{SKIPPED_BY_GUARD}{level.when}"[:200], why="guard")
            continue
        if _open_level(outcome, place, level):
            return
        if outcome.result:
            return
    end_round(outcome, ApprovalStatus.APPROVED)


def _applies(outcome: Outcome, level: Level) -> bool:
    """Whether the level's guard holds. One that cannot be evaluated is never a silent no: the level is asked, and an
    operator is told.
    """
    try:
        return not level.when or outcome.people.names.holds(level.when)
    except GuardFailed as failure:
        detail = f"Level {level.id} of step {outcome.approval.step} is asked although its guard failed: {failure}"
        outcome.call_operator(f"{level.id}:when", detail, kind="guard")
        return True


def _skip(outcome: Outcome, index: int, level: Level, because: str, *, why: str) -> None:
    row = ApprovalLevel(
        approval=outcome.approval,
        index=index,
        key=level.id,
        name=level.name,
        skipped=because,
        opened_at=outcome.at,
    )
    row.save(force_insert=True)
    outcome.tell(ApprovalEvent.LEVEL_SKIPPED, level=level.id, row=row.pk, why=why)


def _skip_approved(outcome: Outcome, before: Approval) -> None:
    """Skips the levels that are behind the round that goes on; those that did not apply then still say so."""
    skipped = {row.index: row.skipped for row in before.levels.all()}
    for place, level in enumerate(outcome.policy.levels[: before.level]):
        if skipped[place].startswith(SKIPPED_BY_GUARD):
            _skip(outcome, place, level, skipped[place], why="guard")
        else:
            _skip(outcome, place, level, "approved before the request was sent back", why="resumed")


def _open_level(outcome: Outcome, index: int, level: Level) -> bool:
    """Opens the level; whether it waits for an answer (earlier answers that count may have decided it)."""
    approval = outcome.approval
    approval.level = index
    slate = slate_of(approval, level, outcome.policy, outcome.people)
    row = ApprovalLevel(approval=approval, index=index, key=level.id, name=level.name, opened_at=outcome.at)
    row.save(force_insert=True)
    seats = seat_people(outcome, row, slate.people) if slate.people else []
    falls_back: dict[str, Any] = {"why": Why.FALLBACK} if slate.falls_back and seats else {}
    outcome.tell(ApprovalEvent.LEVEL_OPENED, level=level.id, row=row.pk, seats=told(seats), **falls_back)
    call_for(outcome, level, slate)
    if outcome.policy.earlier_answers == "count" and seats:
        _count_earlier(outcome, seats)
        reached = tally(level, places_of(seats), votes_of(seats))
        if reached.status == "approved":
            return False
    outcome.opened = level
    return True


def call_for(outcome: Outcome, level: Level, slate: Slate) -> None:
    """Opens the incidents of a slate: rules that failed, duties that left a seat empty, nobody who could approve."""
    step = outcome.approval.step
    for failure in slate.failed:
        detail = f"A rule of level {level.id} of step {step} names nobody, for it failed: {failure}"
        outcome.call_operator(f"{level.id}:approvers", detail, kind="guard")
    if slate.emptied:
        detail = f"Level {level.id} of step {step} lacks people whose duties are kept apart: {'; '.join(slate.emptied)}"
        outcome.call_operator(f"{level.id}:separation", detail, kind="separation_of_duties")
    if not slate.is_answerable:
        few = "Too few people can" if slate.people else "Nobody can"
        detail = f"{few} answer at level {level.id} of step {step}, nor its fallback."
        outcome.call_operator(level.id, detail)


def _count_earlier(outcome: Outcome, seats: Sequence[Seat]) -> None:
    """Gives the seats of those who approved at an earlier level of this round the answer they gave there."""
    given = Decision.objects.filter(
        seat__level__approval__in=rounds_of(outcome.approval),
        seat__level__index__lt=outcome.approval.level,
        verdict=Verdict.APPROVE,
    ).select_related("seat", "by")
    earlier = {(one.by_id, one.seat.principal_id): one for one in given}
    for seat in seats:
        answer = earlier.get((seat.user_id, seat.principal_id))
        if answer is not None:
            first = answer.counted or answer
            _save_decision(
                seat, Decision(seat=seat, verdict=Verdict.APPROVE, by=answer.by, at=outcome.at, counted=first)
            )
            _tell_decided(outcome, seat, answer.by, Verdict.APPROVE, None, counted=True)


def _seat_chair(outcome: Outcome, row: ApprovalLevel, seats: Sequence[Seat]) -> None:
    """Gives the chair the one seat that decides; without a chair who is there the fallback, else an incident."""
    level = outcome.level
    assert level.chair is not None
    apart, slate = Apart.of(outcome.approval, outcome.policy, outcome.people), Slate()
    found = deciders_of(slate, [level.chair], outcome.policy, level, apart, outcome.people)
    silent = [seat for seat in seats if not policies.has_answer(seat)]
    if not found:
        slate.is_answerable = False
        call_for(outcome, level, slate)
        return
    ask_more(outcome, row, found, why=Why.CHAIR, left=silent)
    call_for(outcome, level, slate)


def _refuse_impossible(seat: Seat, verdict: str, level: Level, policy: Policy) -> None:
    if seat.level.approval.status != ApprovalStatus.PENDING:
        raise AlreadyDecided("This approval has already ended.")
    if policies.has_answer(seat):
        raise AlreadyDecided("You have already given your answer.")
    if verdict == Verdict.RETURN and policy.returns == "never":
        raise TransitionNotAllowed("This approval cannot be sent back.")
    if verdict == Verdict.ABSTAIN and (not level.abstain or seat.decides):
        raise TransitionNotAllowed("This approval does not take abstentions.")


def _refuse_duties(seat: Seat, policy: Policy, people: Concerned) -> None:
    """What may have changed since the seat was taken: the role or team, and who wrote the request."""
    if people.cast is None and not seat.user.is_active:  # the people of a history are not active any more
        raise NotPermitted("Your account is not active any more.")
    if not seat.stands:  # type: ignore[attr-defined]  # annotated by selectors.open_seats
        raise NotPermitted("You are no longer in the role or team that was asked.")
    rules = tuple(rule for rule in policy.separation if rule in (NOT_REQUESTER, NOT_LAST_EDITOR))
    apart = Apart(rules=rules, empties="incident", people=people)
    for person in filter(None, (seat.user, seat.principal)):
        if breach := apart.why_not(person):
            raise NotPermitted(f"Separation of duties: {person} may not answer here, for {breach}.")


def _refuse_incomplete(verdict: str, note: Note | None, level: Level, signature: Signature | None) -> None:
    wanted = {"on_reject": {Verdict.REJECT, Verdict.RETURN}, "on_any": set(Verdict)}.get(level.comment, set())
    errors = {}
    if verdict in wanted and note is None:
        errors["comment"] = ["Please say why."]
    if level.meaning and signature is None:
        errors["password"] = ["Please enter your password: this answer is signed."]
    if errors:
        raise InvalidInput(errors)


def _save_decision(seat: Seat, decision: Decision) -> None:
    try:
        decision.save(force_insert=True)
    except IntegrityError as error:
        raise AlreadyDecided from error
    seat.decision = decision


def _tell_decided(
    outcome: Outcome, seat: Seat, actor: User, verdict: str, note: Note | None, *, counted: bool = False
) -> None:
    more: dict[str, Any] = {"for": seat.principal_id} if seat.principal_id else {}
    if counted:
        more["counted"] = True
    outcome.tell(
        ApprovalEvent.DECIDED,
        actor=actor,
        role="approver",
        note=note,
        level=seat.level.key,
        seat=seat.pk,
        verdict=verdict,
        **more,
    )
