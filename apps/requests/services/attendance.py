"""Seats of open approvals follow their people: absences begin and end, people leave or lose what they were asked as."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db.models import CharField, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat

from apps.accounts.models import Delegation
from apps.accounts.stand_ins import Scope, live, stand_ins
from apps.approvals import services as approvals
from apps.approvals.enums import ApprovalStatus
from apps.approvals.models import Approval, ApprovalLevel, Seat
from apps.approvals.selectors import with_standing
from apps.approvals.services.outcome import NOBODY
from apps.outbox.models import Incident
from apps.requests.enums import IMPORT
from apps.requests.services.approving import take_over, terms_of
from apps.requests.services.effects import go_on
from apps.requests.services.work_items import scope_of
from apps.requests.services.writing import Write


def to_be_attended(now: datetime) -> list[int]:
    """The stream ids of approvals whose seats are not as they should be: a seat that its person cannot answer (or can
    again), a level without anybody, a seat that is not with the deputy it belongs to. What an operator was told of
    waits for them.
    """
    return sorted({*_unable(now), *_deserted(), *_misplaced(now)})


def attend(write: Write) -> None:
    """Moves seats to deputies and back, and keeps every pending level of the request answerable."""
    pending = Approval.objects.filter(stream=write.request.stream, status=ApprovalStatus.PENDING)
    for approval in pending.select_related("visit", "stream").order_by("id"):
        approval.stream = write.request.stream
        policy, people = terms_of(write, approval)
        for verb in (approvals.follow_absences, approvals.keep_answerable):
            outcome = verb(approval, policy=policy, people=people)
            take_over(write, outcome, visit=approval.visit.number, run=write.passage_of(approval.visit.run_id))
    go_on(write)


def _open_levels() -> QuerySet[ApprovalLevel]:
    """The open levels of pending approvals of live requests."""
    levels = ApprovalLevel.objects.filter(approval__status=ApprovalStatus.PENDING, index=F("approval__level"))
    return levels.exclude(approval__stream__request__origin=IMPORT)


def _untold_levels() -> QuerySet[ApprovalLevel]:
    """Those of them that no operator was told of."""
    key = Concat(Value("approval:"), Cast(OuterRef("approval_id"), CharField()), Value(":"), OuterRef("key"))
    told = Incident.objects.filter(
        stream=OuterRef("approval__stream"), kind=NOBODY, status=Incident.Status.OPEN, key=key
    )
    return _open_levels().filter(~Exists(told))


def _waiting() -> QuerySet[Seat]:
    return Seat.objects.filter(left_at__isnull=True, decision__isnull=True)


def _unable(now: datetime) -> Iterable[int]:
    seats = with_standing(_waiting().filter(level__in=_untold_levels().values("pk")))
    cannot = Q(stands=False) | Q(user__is_active=False)
    is_away = Exists(Delegation.objects.filter(live(now), principal=OuterRef("user_id")))
    changed = cannot & Q(unable_at__isnull=True) | ~cannot & Q(unable_at__isnull=False) & ~Q(is_away)
    return seats.filter(changed).values_list("level__approval__stream_id", flat=True)


def _deserted() -> Iterable[int]:
    seats = _waiting().filter(level=OuterRef("pk"))
    return _untold_levels().filter(~Exists(seats)).values_list("approval__stream_id", flat=True)


def _misplaced(now: datetime) -> Iterable[int]:
    """Those whose deputies have changed, as far as the deputies may answer what is asked."""
    by_principal = Delegation.objects.filter(live(now), principal=OuterRef("principal_id"), deputy=OuterRef("user_id"))
    by_user = Delegation.objects.filter(live(now), principal=OuterRef("user_id"))
    seats = _waiting().filter(
        Q(principal__isnull=True) & Exists(by_user) | Q(principal__isnull=False) & ~Exists(by_principal),
        level__in=_open_levels().values("pk"),
    )
    by_scope: dict[Scope, list[Seat]] = defaultdict(list)
    for seat in seats.select_related("level__approval__stream__request__item", "user", "principal"):
        by_scope[scope_of(seat.level.approval.stream.request)].append(seat)
    for scope, asked in by_scope.items():
        found = stand_ins([seat.principal or seat.user for seat in asked], scope=scope, at=now)
        for seat in asked:
            stand_in = found.get(seat.named)
            deputy = stand_in.deputy if stand_in else (seat.principal or seat.user)
            is_lost = deputy is None and seat.unable_at is None
            if is_lost or (deputy is not None and deputy.pk != seat.user_id):
                yield seat.level.approval.stream_id
