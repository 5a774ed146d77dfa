"""Subscribers for the relay's tests: one that writes rows, one that reaches outside, one nobody would miss."""

from __future__ import annotations

from collections import Counter

from apps.outbox.models import Delivery, Note
from apps.outbox.subscribers import Subscriber, SubscriberTable

EVERY_EVENT = 0
OUTSIDE: list[tuple[str, int, int]] = []
FAILING: set[tuple[str, int]] = set()
TRIED: Counter[tuple[str, int]] = Counter()


class DoesNotAnswer(Exception):
    """The other side is out of reach."""


def write(delivery: Delivery) -> None:
    """Leaves a row, then perhaps fails: a transactional subscriber's row must go with the failure."""
    Note.objects.create(stream_id=delivery.stream_id, salt=b"", text=f"{delivery.subscriber} {delivery.event.seq}")
    _attempt(delivery)


def send(delivery: Delivery) -> None:
    _attempt(delivery)
    OUTSIDE.append((delivery.subscriber, delivery.stream_id, delivery.event.seq))


def _attempt(delivery: Delivery) -> None:
    TRIED[delivery.subscriber, delivery.event_id] += 1
    if FAILING & {(delivery.subscriber, delivery.event_id), (delivery.subscriber, EVERY_EVENT)}:
        raise DoesNotAnswer(f"event {delivery.event_id}")


def _subscriber(name: str, *, transactional: bool, essential: bool = True) -> Subscriber:
    handler = f"{__name__}.{'write' if transactional else 'send'}"
    return Subscriber(name=name, handler=handler, transactional=transactional, essential=essential)


TABLE = SubscriberTable(
    subscribers={
        "book": _subscriber("book", transactional=True),
        "mail": _subscriber("mail", transactional=False),
        "push": _subscriber("push", transactional=False, essential=False),
    },
    by_type={
        "quiet": (),
        "booked": ("book",),
        "mailed": ("mail",),
        "pushed": ("push",),
        "both": ("book", "mail"),
        "orphan": ("gone",),
        "incident.opened": ("mail",),
        "incident.resolved": (),
    },
)
