"""From committed events to deliveries to subscribers.

The sequencer gives committed events their place in the global feed and fans them out; workers claim deliveries under
a lease. Celery and Redis only decide how soon this runs: everything it needs to know is in the database.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import timedelta

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import connection, transaction
from django.db.models import DateTimeField, Exists, ExpressionWrapper, F, OuterRef, Q, Value
from django.db.models.functions import Now

from apps.core import clock
from apps.core.locks import lock_rows, try_advisory_lock
from apps.outbox.enums import IncidentEvent
from apps.outbox.incidents import open_incident, resolve_incidents
from apps.outbox.models import Delivery, Event, FeedHead
from apps.outbox.publish import SYSTEM, lock_streams, publish
from apps.outbox.subscribers import Subscriber, subscriber_name, table

log = structlog.get_logger(__name__)

BATCH = 500
CLAIM = 50
MAX_ATTEMPTS = 8
LONGEST_PAUSE_S = 600
PENDING, DONE, DEAD = Delivery.Status.PENDING, Delivery.Status.DONE, Delivery.Status.DEAD


class WorkerLost(Exception):
    """Every attempt ended without a word: the worker died each time."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one run of the relay did: events placed in the feed, deliveries made, attempts that failed."""

    placed: int = 0
    delivered: int = 0
    failed: int = 0

    def __add__(self, other: Round) -> Round:
        return Round(
            placed=self.placed + other.placed,
            delivered=self.delivered + other.delivered,
            failed=self.failed + other.failed,
        )


def run_relay(*, rounds: int = 200) -> Round:
    """Places and delivers until nothing is due or `rounds` are used up. Any number may run side by side."""
    total = Round()
    for _ in range(rounds):
        step = Round(placed=place_events()) + deliver_due()
        total += step
        if step == Round():
            break
    return total


def run_relay_for(seconds: float) -> bool:
    """Places and delivers for so long, always once; whether something may be left."""
    end = time.monotonic() + seconds
    while run_relay(rounds=1) != Round():
        if time.monotonic() >= end:
            return True
    return False


@transaction.atomic
def place_events() -> int:
    """Gives up to 500 committed events their positions, without gap, and one delivery per subscriber; the sequencer.

    Only one transaction at a time places (advisory lock; another call returns 0 at once). An event that commits late
    gets a later position, so a reader who polls by position sees it. Within a stream the order is that of `seq`.
    Events of a quiet time (`Stream.quiet_until`) get a position and no delivery.
    """
    if not try_advisory_lock("outbox.sequencer"):
        return 0
    events = list(Event.objects.filter(position__isnull=True).select_related("stream").order_by("id")[:BATCH])
    if not events:
        return 0
    head = _feed_head()
    for event in events:
        head.position += 1
        event.position = head.position
    _save_positions(events)
    head.save(update_fields=["position"])
    Delivery.objects.bulk_create([_delivery(event, name) for event in events for name in _subscribers_of(event)])
    return len(events)


def _save_positions(events: list[Event]) -> None:
    """One statement that PostgreSQL and SQLite both know; the CASE of a `bulk_update` takes far longer to build."""
    rows = ", ".join(["(%s, %s)"] * len(events))
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH placed (id, position) AS (VALUES {rows}) UPDATE outbox_event SET position = placed.position"  # noqa: S608 - placeholders only
            " FROM placed WHERE outbox_event.id = placed.id",
            [value for event in events for value in (event.pk, event.position)],
        )


def _subscribers_of(event: Event) -> tuple[str, ...]:
    return table().by_type.get(event.type, ()) if event.seq > event.stream.quiet_until else ()


def _feed_head() -> FeedHead:
    rows = lock_rows(FeedHead.objects.all())
    return rows[0] if rows else FeedHead.objects.create()


def _delivery(event: Event, subscriber: str) -> Delivery:
    return Delivery(event=event, subscriber=subscriber, stream_id=event.stream_id, position=event.position or 0)


def fan_out(delivery: Delivery, names: list[str]) -> None:
    """Further deliveries of the same event (one per mailbox, one per endpoint), each with its own retries; once."""
    Delivery.objects.bulk_create([_delivery(delivery.event, name) for name in names], ignore_conflicts=True)


def deliver_due() -> Round:
    """Claims what is due and hands each delivery to its subscriber."""
    outcomes = [_deliver(delivery) for delivery in _claim()]
    return Round(delivered=outcomes.count(True), failed=outcomes.count(False))


@transaction.atomic
def _claim() -> list[Delivery]:
    """Up to 50 deliveries under a fresh lease: of each stream and subscriber only the first that is pending."""
    earlier = Delivery.objects.filter(
        stream_id=OuterRef("stream_id"),
        subscriber=OuterRef("subscriber"),
        status=PENDING,
        position__lt=OuterRef("position"),
    )
    due = (
        Delivery.objects.filter(~Exists(earlier), status=PENDING, next_at__lte=Now())
        .filter(Q(leased_until__isnull=True) | Q(leased_until__lt=Now()))
        .order_by("position")
        .select_for_update(skip_locked=True)
    )
    claimed = list(due[:CLAIM])
    ids = [row.pk for row in claimed]
    Delivery.objects.filter(pk__in=ids).update(
        leased_until=_lease_end(),
        fence=F("fence") + 1,
    )
    return list(Delivery.objects.filter(pk__in=ids).select_related("event").order_by("position"))


def _from_now(pause: timedelta) -> ExpressionWrapper:
    return ExpressionWrapper(Now() + Value(pause), output_field=DateTimeField())


def _lease_end() -> ExpressionWrapper:
    return _from_now(timedelta(seconds=settings.RELAY_LEASE_SECONDS))


def _deliver(delivery: Delivery) -> bool | None:
    """True when delivered, False when the attempt failed, None when the lease was lost to somebody else.

    A delivery that took the worker down at every attempt is not handed over once more.
    """
    if not _begin_attempt(delivery):
        return None
    try:
        if delivery.attempts > MAX_ATTEMPTS:
            raise WorkerLost
        return _hand_over(table().named(delivery.subscriber), delivery)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        log.warning("delivery_failed", delivery=delivery.pk, subscriber=delivery.subscriber, error=type(error).__name__)
        _put_off(delivery, error)
        return False


def _begin_attempt(delivery: Delivery) -> bool:
    """Counts the attempt before it is made, and renews the lease; False if somebody else has taken the delivery."""
    mine = Delivery.objects.filter(pk=delivery.pk, fence=delivery.fence, status=PENDING)
    delivery.attempts += 1
    return bool(mine.update(leased_until=_lease_end(), attempts=delivery.attempts))


def _hand_over(subscriber: Subscriber, delivery: Delivery) -> bool | None:
    mine = Delivery.objects.filter(pk=delivery.pk, fence=delivery.fence, status=PENDING)
    if not subscriber.transactional:
        subscriber.handle(delivery)
    with transaction.atomic():
        if not mine.update(status=DONE, leased_until=None, last_error=""):
            return None
        if subscriber.transactional:
            subscriber.handle(delivery)
    return True


@transaction.atomic
def _put_off(delivery: Delivery, error: Exception) -> None:
    """Backs off with jitter; after the last attempt the delivery is dead, visibly, and the next in line goes on."""
    (stream,) = lock_streams([delivery.stream_id])
    given_up = delivery.attempts >= MAX_ATTEMPTS
    pause = min(2**delivery.attempts, LONGEST_PAUSE_S) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
    kept = Delivery.objects.filter(pk=delivery.pk, fence=delivery.fence, status=PENDING).update(
        status=DEAD if given_up else PENDING,
        leased_until=None,
        next_at=_from_now(timedelta(seconds=pause)),
        last_error=type(error).__name__,
    )
    if kept and given_up and _worth_an_incident(delivery):
        detail = f"{delivery.subscriber} did not take event {delivery.event_id}: {type(error).__name__}"
        key = f"delivery:{delivery.pk}"
        publish({stream: open_incident(stream, kind="dead_letter", key=key, detail=detail, at=clock.now())})


def _worth_an_incident(delivery: Delivery) -> bool:
    """A subscriber that is not essential gives up quietly; and bad news of an incident is no incident of its own:
    while mail is down each would beget the next."""
    subscriber = table().subscribers.get(subscriber_name(delivery.subscriber))
    return (subscriber is None or subscriber.essential) and delivery.event.type != IncidentEvent.OPENED


@transaction.atomic
def redeliver(delivery_id: int, *, actor: str = SYSTEM) -> bool:
    """Puts a dead delivery back in line with fresh attempts and resolves its incident; False if it is not dead."""
    stream_id = Delivery.objects.filter(pk=delivery_id, status=DEAD).values_list("stream_id", flat=True).first()
    if stream_id is None:
        return False
    (stream,) = lock_streams([stream_id])
    revived = Delivery.objects.filter(pk=delivery_id, status=DEAD).update(
        status=PENDING, attempts=0, next_at=Now(), leased_until=None
    )
    if revived:
        key = f"delivery:{delivery_id}"
        publish({stream: resolve_incidents(stream, kind="dead_letter", key=key, actor=actor, at=clock.now())})
    return bool(revived)
