from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from django.db import transaction
from pytest_django import Settings

from apps.core import clock
from apps.outbox.models import Event, Stream
from apps.outbox.publish import NewEvent, lock_streams, new_stream, publish
from apps.outbox.subscribers import table
from tests.event_fields import Watch
from tests.outbox import listeners


@pytest.fixture(autouse=True)
def _what_these_events_carry_is_made_up(watch_on_events: Watch) -> Iterator[None]:
    yield
    watch_on_events.told()


@pytest.fixture
def listening(settings: Settings) -> Iterator[None]:
    """The relay works for the subscribers of `listeners.py`, who have heard nothing yet."""
    settings.SERVICEFLOW_SUBSCRIBERS = "tests.outbox.listeners.TABLE"
    for memory in (listeners.OUTSIDE, listeners.FAILING, listeners.TRIED):
        memory.clear()
    table.cache_clear()
    yield
    table.cache_clear()


class Undone(Exception):
    """A write that is given up."""


@contextmanager
def undone() -> Iterator[None]:
    """A transaction that does what is in the block and is rolled back."""
    with suppress(Undone), transaction.atomic():
        yield
        raise Undone


def open_stream() -> Stream:
    with transaction.atomic():
        return new_stream(Stream.Kind.REQUEST)


def tell(stream: Stream, *types: str, **data: object) -> list[Event]:
    """Events of these types, in one transaction."""
    with transaction.atomic():
        (locked,) = lock_streams([stream.pk])
        return publish({locked: [NewEvent(type=one, actor="user:1", at=clock.now(), data=data) for one in types]})
