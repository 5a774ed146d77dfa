"""Who hears of which event. The table is `serviceflow/wiring.py`, named by a setting: nothing above is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.utils.module_loading import import_string

from apps.core.errors import Misconfigured
from apps.outbox.models import Delivery


@dataclass(frozen=True, kw_only=True)
class Subscriber:
    """A handler of deliveries.

    `transactional`: the handler only writes to the database and runs in the transaction that marks the delivery done,
    so it happens exactly once. Otherwise it reaches outside (mail, push) and runs before the mark: at least once.
    `handler` is a dotted path to `handle(delivery)`; `delivery.event` is loaded. One that is not `essential` (a push
    that pages catch up with anyway) gives up without an incident.
    """

    name: str
    handler: str
    transactional: bool
    essential: bool = True

    def handle(self, delivery: Delivery) -> None:
        handle: Callable[[Delivery], None] = import_string(self.handler)
        handle(delivery)


@dataclass(frozen=True, kw_only=True)
class SubscriberTable:
    """`by_type`: event type -> names of the subscribers that get a delivery of it (possibly none)."""

    subscribers: Mapping[str, Subscriber]
    by_type: Mapping[str, tuple[str, ...]]

    def named(self, name: str) -> Subscriber:
        """The subscriber of a delivery: `email:7` is the subscriber `email`, for person 7."""
        return self.subscribers[subscriber_name(name)]


def subscriber_name(of_delivery: str) -> str:
    """`email` of `email:7`."""
    return of_delivery.partition(":")[0]


@lru_cache(maxsize=1)
def table() -> SubscriberTable:
    """The one table of the running project."""
    found: SubscriberTable = import_string(settings.SERVICEFLOW_SUBSCRIBERS)
    return found


def require_known_types(types: Iterable[str]) -> None:
    """Raises Misconfigured for an event type without an entry: it would reach nobody without anybody having said so."""
    for unknown in set(types) - table().by_type.keys():
        raise Misconfigured(f"the event type {unknown} has no entry in serviceflow/wiring.py")
