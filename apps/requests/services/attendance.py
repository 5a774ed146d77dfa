"""Seats of open approvals follow their people: absences begin and end, people leave or lose what they were asked as."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import CharField, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat

from apps.accounts.models import Delegation, User
from apps.accounts.stand_ins import Absences, live
from apps.approvals import services as approvals
from apps.approvals.enums import ApprovalStatus
from apps.approvals.models import Approval, ApprovalLevel, Seat
from apps.approvals.selectors import with_standing
from apps.approvals.services.outcome import NOBODY
from apps.outbox.incidents import resolve_incidents
from apps.outbox.models import Incident
from apps.outbox.publish import SYSTEM
from apps.requests.enums import IMPORT
from apps.requests.services.approving import take_over, terms_of
from apps.requests.services.effects import go_on
from apps.requests.services.work_items import scope_of
from apps.requests.services.writing import Write

TOLD_AT_ONCE, SECONDS_A_TURN = 50, 5


def to_be_attended(now: datetime) -> list[int]:
    """The stream ids of approvals whose seats are not as they should be: a seat that its person cannot answer (or can
    again), a level without anybody, a seat that is not with the deputy it belongs to. What an operator was told of
    waits for them, or for somebody who can answer again.
    """
    return sorted({*_unable(now), *_deserted(), *_misplaced(now), *_told(now)})


def attend(write: Write) -> None:
    """Moves seats to deputies and back, keeps every pending level of the request answerable, and ends the calls for an
    operator about levels that wait no more.
    """
    open_keys: set[str] = set()
    pending = Approval.objects.filter(stream=write.request.stream, status=ApprovalStatus.PENDING)
    for approval in pending.select_related("visit", "stream").order_by("id"):
        approval.stream = write.request.stream
        policy, people = terms_of(write, approval)
        for verb in (approvals.follow_absences, approvals.keep_answerable):
            outcome = verb(approval, policy=policy, people=people)
            take_over(write, outcome, visit=approval.visit.number, run=write.passage_of(approval.visit.run_id))
        open_keys.add(f"approval:{approval.pk}:{policy.levels[approval.level].id}")
    for incident in _calls().filter(stream=write.request.stream).exclude(key__in=open_keys):
        write.events += resolve_incidents(
            write.request.stream, kind=NOBODY, key=incident.key, actor=SYSTEM, at=write.at
        )
    go_on(write)


def _open_levels() -> QuerySet[ApprovalLevel]:
    """The open levels of pending approvals of live requests."""
    levels = ApprovalLevel.objects.filter(approval__status=ApprovalStatus.PENDING, index=F("approval__level"))
    return levels.exclude(approval__stream__request__origin=IMPORT)


def _calls() -> QuerySet[Incident]:
    """The open calls for an operator because too few people could answer."""
    return Incident.objects.filter(kind=NOBODY, status=Incident.Status.OPEN)


def _told(now: datetime) -> list[int]:
    """Those an operator was told of, some at a time: their level may be over, or name somebody new by now."""
    streams = list(_calls().exclude(stream__request__origin=IMPORT).order_by("id").values_list("stream_id", flat=True))
    turns = max(1, -(-len(streams) // TOLD_AT_ONCE))
    turn = int(now.timestamp()) // SECONDS_A_TURN % turns
    return streams[turn * TOLD_AT_ONCE : (turn + 1) * TOLD_AT_ONCE]


def _untold_levels() -> QuerySet[ApprovalLevel]:
    """Those of them that no operator was told of."""
    key = Concat(Value("approval:"), Cast(OuterRef("approval_id"), CharField()), Value(":"), OuterRef("key"))
    told = Incident.objects.filter(
        stream=OuterRef("approval__stream"), kind=NOBODY, status=Incident.Status.OPEN, key=key
    )
    return _open_levels().filter(~Exists(told))


def _waiting() -> QuerySet[Seat]:
    return Seat.objects.filter(left_at__isnull=True, decision__isnull=True)


def _asked() -> QuerySet[Seat]:
    """The seats of open levels that wait for an answer. Joined, not nested: planned well without statistics too."""
    seats = _waiting().filter(level__approval__status=ApprovalStatus.PENDING, level__index=F("level__approval__level"))
    return seats.exclude(level__approval__stream__request__origin=IMPORT)


def _unable(now: datetime) -> Iterable[int]:
    cannot = Q(stands=False) | Q(user__is_active=False)
    is_away = Exists(Delegation.objects.filter(live(now), principal=OuterRef("user_id")))
    untold = Q(level__in=_untold_levels().values("pk"))
    changed = untold & cannot & Q(unable_at__isnull=True) | ~cannot & Q(unable_at__isnull=False) & ~Q(is_away)
    return with_standing(_asked()).filter(changed).values_list("level__approval__stream_id", flat=True)


def _deserted() -> Iterable[int]:
    seats = _waiting().filter(level=OuterRef("pk"))
    return _untold_levels().filter(~Exists(seats)).values_list("approval__stream_id", flat=True)


def _misplaced(now: datetime) -> Iterable[int]:
    """Those whose deputies have changed, as far as the deputies may answer what is asked; and those whose person was
    away with nobody there, and no longer is. The number of statements does not depend on how many seats there are.
    """
    is_away = Exists(Delegation.objects.filter(live(now), principal=OuterRef("user_id")))
    seats = list(
        with_standing(_asked().filter(Q(principal__isnull=False) | is_away)).select_related(
            "level__approval__stream__request__item", "user", "principal"
        )
    )
    if not seats:
        return
    absences = Absences.of({seat.named for seat in seats}, at=now)
    sitting = set(_sitting({seat.level_id for seat in seats}))
    untold = set(_untold_levels().filter(pk__in={seat.level_id for seat in seats}).values_list("pk", flat=True))
    for seat in seats:
        stand_in = absences.stand_in(seat.named, scope_of(seat.level.approval.stream.request))
        if stand_in is not None and stand_in.deputy is None:
            is_due = seat.unable_at is None and seat.level_id in untold
        else:
            is_due = _may_move(seat, approvals.holder_of(seat, stand_in), sitting) or _is_back(seat)
        if is_due:
            yield seat.level.approval.stream_id


def _sitting(levels: set[int]) -> Iterable[tuple[int, int, bool]]:
    """Who sits at these levels: level, person, whether their seat decides."""
    rows = Seat.objects.filter(level__in=levels, left_at__isnull=True)
    return rows.values_list("level_id", "user_id", "decides")


def _may_move(seat: Seat, holder: User | None, sitting: set[tuple[int, int, bool]]) -> bool:
    if holder is None or holder.pk in (seat.user_id, seat.kept_from_id):
        return False
    return (seat.level_id, holder.pk, seat.decides) not in sitting


def _is_back(seat: Seat) -> bool:
    """Whether it was noted that its person cannot answer, and they can again."""
    return bool(seat.unable_at and seat.user.is_active and seat.stands)  # type: ignore[attr-defined] # an annotation
