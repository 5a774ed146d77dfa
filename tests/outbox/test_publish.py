from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from apps.core import clock
from apps.core.crypto import audit_ring
from apps.core.errors import Misconfigured
from apps.outbox.chain import first_broken
from apps.outbox.models import Event, Stream
from apps.outbox.publish import NewEvent, lock_streams, new_stream, publish, write_note
from tests.outbox.conftest import open_stream, tell, undone

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
KNOWN = "request.submitted"
CHANGES: dict[str, Any] = {
    "stream_id": 999_999,
    "seq": 7,
    "type": "request.held",
    "version": 2,
    "actor": "user:2",
    "role": "administrator",
    "at": NOON + timedelta(microseconds=1),
    "data": {"n": 2},
    "prev_hash": b"x" * 32,
    "hash": b"x" * 32,
    "key_id": "another",
}


def event_of(**fields: Any) -> NewEvent:
    return NewEvent(**{"type": KNOWN, "actor": "user:1", "at": NOON, **fields})


def chain_of(stream: Stream) -> list[Event]:
    return list(Event.objects.filter(stream=stream).order_by("seq"))


def broken(events: list[Event]) -> int | None:
    found = first_broken(events, ring=audit_ring())
    return found and found.seq


def refused(act: Callable[[], object]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        act()


@pytest.fixture
def stream() -> Stream:
    return open_stream()


def test_events_are_counted_per_stream_without_gap(stream):
    other = open_stream()
    tell(stream, KNOWN, KNOWN)
    tell(other, KNOWN)
    tell(stream, KNOWN)
    assert [event.seq for event in chain_of(stream)] == [1, 2, 3]
    assert [event.seq for event in chain_of(other)] == [1]
    assert Stream.objects.get(pk=stream.pk).last_seq == 3


def test_a_refused_write_leaves_no_gap(stream):
    with undone():
        tell(stream, KNOWN)
    assert [event.seq for event in tell(stream, KNOWN)] == [1]


def test_the_chain_verifies_as_it_was_read_back(stream):
    tell(stream, KNOWN, KNOWN, users=[1, 2], reason="late", share=0.1)
    tell(stream, KNOWN)
    events = chain_of(stream)
    assert broken(events) is None
    assert bytes(events[0].prev_hash) == b""
    assert [bytes(event.prev_hash) for event in events[1:]] == [bytes(event.hash) for event in events[:-1]]
    assert bytes(Stream.objects.get(pk=stream.pk).last_hash) == bytes(events[-1].hash)


@pytest.mark.parametrize("column", CHANGES)
def test_each_changed_column_breaks_the_chain(stream, column):
    tell(stream, KNOWN, KNOWN, KNOWN)
    events = chain_of(stream)
    setattr(events[1], column, CHANGES[column])
    assert first_broken(events, ring=audit_ring()) is events[1]


def test_no_column_was_forgotten():
    assert {field.attname for field in Event._meta.concrete_fields} - CHANGES.keys() == {"id", "position"}


@pytest.mark.parametrize(("kept", "where"), [((1, 2), 2), ((0, 2), 3), ((1, 0, 2), 2), ((0, 1, 1, 2), 2)])
def test_a_missing_repeated_or_moved_event_breaks_the_chain(stream, kept, where):
    tell(stream, KNOWN, KNOWN, KNOWN)
    events = chain_of(stream)
    assert broken([events[place] for place in kept]) == where


def test_an_event_of_another_stream_does_not_fit_in(stream):
    other = open_stream()
    tell(stream, KNOWN)
    tell(other, KNOWN)
    (foreign,) = chain_of(other)
    foreign.stream_id = stream.pk
    assert broken([foreign]) == 1


def test_a_position_does_not_touch_the_chain(stream):
    tell(stream, KNOWN)
    Event.objects.update(position=41)
    assert broken(chain_of(stream)) is None


def test_old_events_verify_after_the_key_was_replaced_and_new_ones_use_the_new_key(stream, settings):
    old, new = (f"{name}:{base64.b64encode(name.encode() * 16).decode()}" for name in ("k1", "k2"))
    settings.AUDIT_KEYS = old
    tell(stream, KNOWN)
    settings.AUDIT_KEYS = f"{old},{new}"
    tell(stream, KNOWN)
    events = chain_of(stream)
    assert [event.key_id for event in events] == ["k1", "k2"]
    assert broken(events) is None
    settings.AUDIT_KEYS = new
    assert broken(events) == 1


class AnyData(TestCase):
    @given(
        st.dictionaries(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers(-(2**63), 2**63)
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
                max_leaves=6,
            ),
            max_size=4,
        )
    )
    def test_whatever_an_event_holds_it_verifies_when_it_was_read_back(self, data: dict[str, Any]) -> None:
        stream = open_stream()
        with transaction.atomic():
            publish({lock_streams([stream.pk])[0]: [event_of(data=data)]})
        assert broken(chain_of(stream)) is None


@pytest.mark.parametrize("column", CHANGES)
def test_the_database_lets_no_column_of_an_event_change(stream, column):
    tell(stream, KNOWN)
    before = Event.objects.values().get()
    value = open_stream().pk if column == "stream_id" else CHANGES[column]
    refused(lambda: Event.objects.update(**{column: value}))
    refused(lambda: Event.objects.update(**{column: value}, position=1))
    assert Event.objects.values().get() == before


def test_the_database_lets_no_event_be_deleted(stream):
    tell(stream, KNOWN)
    refused(lambda: Event.objects.all()._raw_delete("default"))
    assert Event.objects.count() == 1


def test_a_position_is_given_once(stream):
    tell(stream, KNOWN)
    refused(lambda: Event.objects.update(position=None))
    assert Event.objects.update(position=5) == 1
    for position in (5, 6, None):
        refused(lambda position=position: Event.objects.update(position=position))
    assert Event.objects.get().position == 5


def test_a_text_lies_beside_the_chain_and_its_salted_hash_in_it(stream):
    with transaction.atomic():
        (locked,) = lock_streams([stream.pk])
        notes = [write_note(locked, "zu spät") for _ in range(2)]
        publish({locked: [event_of(note=note, data={"internal": True}) for note in notes]})
    first, second = chain_of(stream)
    salt, key = bytes(notes[0].salt), audit_ring().keys[first.key_id]
    expected = hmac.new(key, salt + "zu spät".encode(), hashlib.sha256).hexdigest()
    assert first.data == {"internal": True, "note": notes[0].pk, "note_mac": expected}
    assert len(salt) == 16
    assert second.data["note_mac"] != expected
    notes[0].delete()
    assert broken(chain_of(stream)) is None


def test_time_never_runs_backwards_in_a_stream(stream):
    other = open_stream()
    for at in (NOON, NOON - timedelta(days=1), NOON + timedelta(seconds=1)):
        with transaction.atomic():
            publish({one: [event_of(at=at), event_of(at=at - timedelta(hours=1))] for one in lock_streams([stream.pk])})
    with transaction.atomic():
        publish({lock_streams([other.pk])[0]: [event_of(at=NOON - timedelta(days=1))]})
    later = NOON + timedelta(seconds=1)
    assert [event.at for event in chain_of(stream)] == [NOON, NOON, NOON, NOON, later, later]
    assert [event.at for event in chain_of(other)] == [NOON - timedelta(days=1)]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("each", [1, 20])
def test_one_insert_and_one_write_of_the_heads_whatever_is_published(count, each):
    streams = [open_stream() for _ in range(count)]
    with transaction.atomic():
        batches = {one: [event_of() for _ in range(each)] for one in lock_streams([one.pk for one in streams])}
        with CaptureQueriesContext(connection) as captured:
            published = publish(batches)
    assert [query["sql"].split()[0] for query in captured] == ["INSERT", "UPDATE"]
    assert [event.seq for event in published] == list(range(1, each + 1)) * count
    assert all(broken(chain_of(one)) is None for one in streams)


def test_nothing_to_tell_is_no_statement(stream):
    with transaction.atomic(), CaptureQueriesContext(connection) as captured:
        assert publish({stream: []}) == []
    assert len(captured) == 0


def test_an_event_type_nobody_has_heard_of_is_refused_and_nothing_moves(stream):
    with pytest.raises(Misconfigured, match=r"request\.exploded has no entry in serviceflow/wiring\.py"):
        tell(stream, KNOWN, "request.exploded")
    assert Event.objects.count() == 0
    assert Stream.objects.get(pk=stream.pk).last_seq == 0


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_published_or_locked():
    stream = open_stream()
    for act in (
        lambda: publish({stream: [event_of()]}),
        lambda: lock_streams([stream.pk]),
        lambda: new_stream(Stream.Kind.PERSON),
    ):
        with pytest.raises(TransactionManagementError):
            act()
    assert (Event.objects.count(), Stream.objects.count()) == (0, 1)


def test_the_system_clock_is_in_utc():
    assert clock.now().tzinfo is UTC
