"""History that is imported has its place in the feed and is told to nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.outbox import publish as publishing
from apps.outbox import relay
from apps.outbox.models import Delivery, Event, Stream
from apps.outbox.publish import QUIET, NewEvent, end_quiet, lock_streams, new_stream, publish
from apps.outbox.relay import Round, place_events, run_relay
from tests.outbox import listeners
from tests.outbox.conftest import open_stream, tell

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite, pytest.mark.usefixtures("listening")]
Act = Callable[[Stream], object]


def quiet_stream() -> Stream:
    with transaction.atomic():
        return new_stream(Stream.Kind.REQUEST, quiet=True)


def finish(stream: Stream) -> None:
    """The quiet time ends, as at the end of an import."""
    with transaction.atomic():
        end_quiet(lock_streams([stream.pk])[0])


def place(stream: Stream) -> None:
    place_events()


def quiet_until(stream: Stream) -> int:
    return Stream.objects.get(pk=stream.pk).quiet_until


def placed(stream: Stream) -> list[tuple[int, int | None]]:
    return list(stream.events.order_by("seq").values_list("seq", "position"))


def told() -> list[tuple[int, int, str]]:
    """Stream, seq and subscriber of every delivery there is."""
    return list(Delivery.objects.order_by("id").values_list("stream_id", "event__seq", "subscriber"))


def outside() -> list[tuple[str, int, int]]:
    """Subscriber, stream and seq of what reached outside, in order."""
    return listeners.OUTSIDE


def new_event() -> NewEvent:
    return NewEvent(type="both", actor="user:1", at=clock.now())


@pytest.fixture
def wakes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each time the relay is to be woken."""
    asked: list[str] = []
    monkeypatch.setattr(publishing, "wake_after_commit", lambda: asked.append("wake"))
    return asked


def test_a_stream_is_told_of_unless_it_begins_quiet():
    assert (quiet_until(open_stream()), quiet_until(quiet_stream())) == (0, QUIET)


def test_quiet_events_have_positions_and_no_deliveries():
    loud, quiet = open_stream(), quiet_stream()
    tell(quiet, "both", "both")
    tell(loud, "both")
    tell(quiet, "mailed")
    assert run_relay() == Round(placed=4, delivered=2)
    assert placed(quiet) == [(1, 1), (2, 2), (3, 4)]
    assert placed(loud) == [(1, 3)]
    assert told() == [(loud.pk, 1, "book"), (loud.pk, 1, "mail")]
    assert outside() == [("mail", loud.pk, 1)]


@pytest.mark.parametrize("order", [(place, finish), (finish, place)], ids=["placed first", "ended first"])
def test_after_the_quiet_time_the_new_is_told_and_the_old_never_is(order: tuple[Act, ...]):
    stream = quiet_stream()
    tell(stream, "both", "both")
    for act in order:
        act(stream)
    assert (told(), quiet_until(stream)) == ([], 2)
    tell(stream, "both")
    assert run_relay() == Round(placed=1, delivered=2)
    assert placed(stream) == [(1, 1), (2, 2), (3, 3)]
    assert told() == [(stream.pk, 3, "book"), (stream.pk, 3, "mail")]


def test_old_and_new_of_one_stream_are_told_apart_within_one_batch():
    stream = quiet_stream()
    tell(stream, "both", "both")
    finish(stream)
    tell(stream, "mailed", "booked")
    assert run_relay() == Round(placed=4, delivered=2)
    assert placed(stream) == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert told() == [(stream.pk, 3, "mail"), (stream.pk, 4, "book")]


def test_the_quiet_time_ends_in_the_transaction_that_tells_of_it():
    stream = quiet_stream()
    tell(stream, "both")
    with transaction.atomic():
        (locked,) = lock_streams([stream.pk])
        end_quiet(locked)
        publish({locked: [new_event()]})
    run_relay()
    assert told() == [(stream.pk, 2, "book"), (stream.pk, 2, "mail")]


def test_ending_it_once_more_silences_nothing():
    stream = quiet_stream()
    tell(stream, "both")
    finish(stream)
    tell(stream, "mailed")
    finish(stream)
    run_relay()
    assert (told(), quiet_until(stream)) == ([(stream.pk, 2, "mail")], 1)


def test_ending_what_was_never_quiet_silences_nothing():
    stream = open_stream()
    tell(stream, "mailed")
    finish(stream)
    run_relay()
    assert (told(), quiet_until(stream)) == ([(stream.pk, 1, "mail")], 0)


def test_a_quiet_stream_without_events_tells_of_its_first():
    stream = quiet_stream()
    finish(stream)
    tell(stream, "mailed")
    run_relay()
    assert (told(), quiet_until(stream)) == ([(stream.pk, 1, "mail")], 0)


@pytest.mark.parametrize("count", [1, 3])
def test_publishing_leaves_the_quiet_time_as_it_is(count: int):
    streams = [quiet_stream() for _ in range(count)]
    for one in streams:
        one.quiet_until = 7
    with transaction.atomic():
        publish({one: [new_event()] for one in streams})
    assert set(Stream.objects.values_list("quiet_until", "last_seq")) == {(QUIET, 1)}


def test_what_is_quiet_wakes_nobody(wakes: list[str]):
    with transaction.atomic():
        publish({quiet_stream(): [new_event()], quiet_stream(): [new_event()]})
    assert wakes == []


def test_one_stream_to_be_told_of_wakes_the_relay_for_all(wakes: list[str]):
    with transaction.atomic():
        publish({quiet_stream(): [new_event()], open_stream(): [new_event()], quiet_stream(): [new_event()]})
    assert wakes == ["wake"]


def test_the_first_event_after_the_quiet_time_wakes_the_relay(wakes: list[str]):
    stream = quiet_stream()
    tell(stream, "both")
    finish(stream)
    assert wakes == []
    tell(stream, "both")
    assert wakes == ["wake"]


def statements_of_placing() -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        place_events()
    return [sql.split()[0] for query in captured if "advisory" not in (sql := query["sql"])]


@pytest.mark.parametrize("count", [1, 3, 500])
def test_a_batch_is_placed_by_the_same_few_statements_however_large(count: int):
    tell(open_stream(), "both")
    place_events()
    tell(quiet_stream(), *["both"] * count)
    assert statements_of_placing() == ["SAVEPOINT", "SELECT", "SELECT", "WITH", "UPDATE", "RELEASE"]
    tell(open_stream(), *["mailed"] * min(count, 3))
    assert statements_of_placing() == ["SAVEPOINT", "SELECT", "SELECT", "WITH", "UPDATE", "INSERT", "RELEASE"]


def test_positions_follow_the_ids_without_gap_across_batches_and_streams(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(relay, "BATCH", 4)
    streams = [quiet_stream(), open_stream(), quiet_stream()]
    for _ in range(3):
        for one in streams:
            tell(one, "mailed")
    assert [place_events() for _ in range(4)] == [4, 4, 1, 0]
    assert list(Event.objects.order_by("id").values_list("position", flat=True)) == list(range(1, 10))
    assert Delivery.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_no_quiet_time_ends():
    stream = quiet_stream()
    with pytest.raises(TransactionManagementError):
        end_quiet(stream)
    assert quiet_until(stream) == QUIET
