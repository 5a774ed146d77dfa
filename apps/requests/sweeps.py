"""Every sweep: find ids without a lock, lock the streams that nobody holds, look again whether due, act.

A batch that fails is rolled back and repeated one stream at a time (SLA clocks: in halves); a stream that fails alone
gets an incident and is put off. Any number of sweepers may run side by side, and be killed at any moment.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery

from apps.core import clock
from apps.outbox.incidents import open_incident
from apps.outbox.models import Delivery, Stream
from apps.outbox.publish import lock_streams, publish
from apps.requests.enums import ENDED_STATES, IMPORT, RequestStatus
from apps.requests.models import Request
from apps.requests.services import attendance, lifecycle
from apps.requests.services.deadlines import STANDING_STILL
from apps.requests.services.effects import fire
from apps.requests.services.line import serve_stream, to_be_served
from apps.requests.services.writing import Write, begin_write
from apps.sla.models import SlaClock
from apps.sla.services import fall_due_together
from apps.workflows.models import KeyClaim, Timer

log = structlog.get_logger(__name__)
BATCH = 200
MANY = 1000  # streams of due clocks in one transaction
LOOKED_AT = 8 * MANY  # of the oldest due clocks: several sweepers find some that nobody has
PUT_OFF = timedelta(minutes=10)


Due = QuerySet[SlaClock, int] | QuerySet[Timer, int] | QuerySet[Request, int] | QuerySet[KeyClaim, int] | list[int]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What falls due (stream ids), what to do about one locked stream, and how to put a failing one off."""

    name: str
    due: Callable[[datetime], Due]
    act: Callable[[int, datetime], None]
    put_off: Callable[[int, datetime], object]

    def run(self, now: datetime) -> int:
        """Acts on everything that is due; returns how many streams were acted on."""
        done: set[int] = set()
        left: set[int] = set()
        while ids := {pk for pk in self.due(now)[: BATCH + len(left)] if pk not in left | done}:
            acted_on = self._batch(sorted(ids), now)
            done |= acted_on
            left |= ids - acted_on
        return len(done)

    def run_one_by_one(self, now: datetime) -> int:
        """The same for at most a batch, each stream in a transaction of its own; the rest is left to the next run."""
        return sum(self._alone(pk, now) for pk in self.due(now)[:BATCH])

    def _batch(self, ids: list[int], now: datetime) -> set[int]:
        try:
            return self._together(ids, now)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            self._say_failed(len(ids), error)
            return {pk for pk in ids if self._alone(pk, now)}

    def _say_failed(self, streams: int, error: Exception) -> None:
        log.warning("sweep_batch_failed", sweep=self.name, streams=streams, error=type(error).__name__)

    @transaction.atomic
    def _together(self, ids: list[int], now: datetime) -> set[int]:
        locked = [stream.pk for stream in lock_streams(ids, skip_locked=True)]
        for pk in locked:
            self.act(pk, now)
        return set(locked)

    def _alone(self, pk: int, now: datetime) -> bool:
        try:
            return bool(self._together([pk], now))
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            where = traceback.format_tb(error.__traceback__)[-1]  # not the message: the database puts whole rows there
            log.error("sweep_failed", sweep=self.name, stream=pk, error=type(error).__name__, where=where)
            self._give_up(pk, now, error)
            return False

    @transaction.atomic
    def _give_up(self, pk: int, now: datetime, error: Exception) -> None:
        for stream in lock_streams([pk], skip_locked=True):
            self.put_off(pk, now)
            detail = f"The sweep {self.name} failed: {type(error).__name__}"
            publish({stream: open_incident(stream, kind="sweep", key=self.name, detail=detail, at=now)})
            Request.objects.filter(pk=pk).update(revision=stream.last_seq)


@dataclass(frozen=True, kw_only=True)
class ClockSweep(Sweep):
    """Warnings, breaches and escalations of SLA clocks: a batch at a time with the same few statements, however many
    there are. One that fails is halved until the streams that fail are found: only they go the ordinary way, alone.
    """

    def run(self, now: datetime) -> int:
        done = 0
        while (acted_on := self._many(now)) is not None:
            done += acted_on
        return done

    def _many(self, now: datetime) -> int | None:
        """Acts on the streams with the oldest due clocks that no other sweeper has; how many were still due, None if
        there are none.
        """
        with transaction.atomic():
            streams = _streams_of_due_clocks(now)
            if not streams:
                return None
            try:
                with transaction.atomic():
                    return _check_together(streams, now)
            except SoftTimeLimitExceeded:
                raise
            except Exception as error:
                self._say_failed(len(streams), error)
        return self._in_halves([stream.pk for stream in streams], now)

    def _in_halves(self, ids: list[int], now: datetime) -> int:
        """Acts on streams of which some fail, each half in a transaction of its own."""
        if len(ids) == 1:
            return int(self._alone(ids[0], now))
        middle = len(ids) // 2
        return sum(self._half(half, now) for half in (ids[:middle], ids[middle:]))

    def _half(self, ids: list[int], now: datetime) -> int:
        try:
            with transaction.atomic():
                return _check_together(lock_streams(ids, skip_locked=True), now)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            self._say_failed(len(ids), error)
            return self._in_halves(ids, now)


def _check_together(locked: list[Stream], now: datetime) -> int:
    """Warnings, breaches and escalations of locked streams, all in the same statements; how many streams had some."""
    streams = {stream.pk: stream for stream in locked}
    told = fall_due_together(sorted(streams), now)
    publish({streams[pk]: events for pk, events in told.items()})
    head = Stream.objects.filter(pk=OuterRef("pk")).values("last_seq")
    Request.objects.filter(pk__in=told).update(revision=Subquery(head), updated_at=now)
    return len(told)


def _streams_of_due_clocks(now: datetime) -> list[Stream]:
    """Locked, in id order; what another sweeper has is passed over."""
    oldest = _clocks_due(now)[:LOOKED_AT]
    return list(Stream.objects.filter(pk__in=oldest).order_by("pk").select_for_update(skip_locked=True)[:MANY])


def _timers_due(now: datetime) -> QuerySet[Timer, int]:
    due = _running().filter(check_at__lte=now, stream__request__ended_at=None)
    return due.exclude(stream__request__origin=IMPORT).order_by("check_at").values_list("stream_id", flat=True)


def _running() -> QuerySet[Timer]:
    """Open timers that run: a held request's deadlines stand still, its waits go on."""
    return Timer.objects.filter(closed_at=None).exclude(
        kind__in=STANDING_STILL, stream__request__status=RequestStatus.ON_HOLD
    )


def _fire_timers(pk: int, now: datetime) -> None:
    """Fires every timer of the stream that is due, in order, each at most once."""
    write = begin_write(pk, actor=None, at=now)
    timers = list(_running().filter(stream_id=pk, check_at__lte=now).order_by("due_at", "id"))
    for timer in timers:
        if not Timer.objects.filter(pk=timer.pk, closed_at=None).exists():  # one that fired before may have closed it
            continue
        fire(write, timer)
    if timers:
        write.finish()


def _put_timers_off(pk: int, now: datetime) -> object:
    return Timer.objects.filter(stream_id=pk, closed_at=None, check_at__lte=now).update(check_at=now + PUT_OFF)


def _clocks_due(now: datetime) -> QuerySet[SlaClock, int]:
    due = SlaClock.objects.filter(next_check_at__lte=now).exclude(stream__request__origin=IMPORT)
    return due.order_by("next_check_at").values_list("stream_id", flat=True)


def _check_clocks(pk: int, now: datetime) -> None:
    """Warnings and breaches that fell due, each once, as events of their own instant."""
    write = begin_write(pk, actor=None, at=now)
    write.events += write.clocks.fall_due(now)
    if write.clocks.changed:
        write.finish()


def _put_clocks_off(pk: int, now: datetime) -> object:
    return SlaClock.objects.filter(stream_id=pk, next_check_at__lte=now).update(next_check_at=now + PUT_OFF)


def _archive_due(now: datetime) -> QuerySet[Request, int]:
    due = Request.objects.filter(status__in=ENDED_STATES, archive_at__lte=now).exclude(origin=IMPORT)
    return due.order_by("archive_at").values_list("stream_id", flat=True)


def _archive(pk: int, now: datetime) -> None:
    write: Write = begin_write(pk, actor=None, at=now)
    request = write.request
    if request.status in ENDED_STATES and request.archive_at and request.archive_at <= now:
        lifecycle.archive(write)


def _put_archiving_off(pk: int, now: datetime) -> object:
    return Request.objects.filter(pk=pk).update(archive_at=now + PUT_OFF)


def _keys_due(now: datetime) -> QuerySet[KeyClaim, int]:
    due = to_be_served().filter(check_at__lte=now).exclude(stream__request__origin=IMPORT)
    return due.values_list("stream_id", flat=True)


def _serve_keys(pk: int, now: datetime) -> None:
    write = begin_write(pk, actor=None, at=now)
    serve_stream(write)
    if write.events:
        write.finish()


def _put_keys_off(pk: int, now: datetime) -> object:
    return KeyClaim.objects.filter(stream_id=pk, ended_at=None, check_at__lte=now).update(check_at=now + PUT_OFF)


def _attend(pk: int, now: datetime) -> None:
    write = begin_write(pk, actor=None, at=now)
    attendance.attend(write)
    if write.events:
        write.finish()


def _put_attending_off(pk: int, now: datetime) -> object:
    """Nothing to put off: what is missed is found again by the next sweep, and the incident says so."""


ATTENDANCE = Sweep(name="attendance", due=attendance.to_be_attended, act=_attend, put_off=_put_attending_off)


def attend_told(delivery: Delivery) -> None:
    """Takes the event that somebody named a deputy or ended that: seats that are due for it move at once.

    What somebody else is writing to at the moment is left to the sweep.
    """
    ATTENDANCE.run_one_by_one(clock.now())


SWEEPS = (
    ATTENDANCE,
    Sweep(name="keys", due=_keys_due, act=_serve_keys, put_off=_put_keys_off),
    Sweep(name="timers", due=_timers_due, act=_fire_timers, put_off=_put_timers_off),
    ClockSweep(name="sla", due=_clocks_due, act=_check_clocks, put_off=_put_clocks_off),
    Sweep(name="archiving", due=_archive_due, act=_archive, put_off=_put_archiving_off),
)


def run_sweeps(now: datetime | None = None) -> dict[str, int]:
    """Runs every sweep once; returns how many streams each acted on."""
    return {sweep.name: sweep.run(now or clock.now()) for sweep in SWEEPS}
