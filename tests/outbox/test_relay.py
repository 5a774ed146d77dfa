from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from apps.core import clock
from apps.core.errors import Misconfigured
from apps.outbox import relay
from apps.outbox.models import Delivery, Event, FeedHead, Incident, Note, Stream
from apps.outbox.relay import MAX_ATTEMPTS, Round, deliver_due, place_events, redeliver, run_relay
from tests.outbox import listeners
from tests.outbox.conftest import open_stream, tell

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite, pytest.mark.usefixtures("listening")]
PAST = timedelta(seconds=-1)


@pytest.fixture
def stream() -> Stream:
    return open_stream()


def make_due() -> None:
    """As if every pause were over."""
    Delivery.objects.update(next_at=clock.now() + PAST)


def expire_leases() -> None:
    Delivery.objects.exclude(leased_until=None).update(leased_until=clock.now() + PAST)


def fail_for_good(subscriber: str, event: Event) -> Delivery:
    """The subscriber never takes this event; every attempt is used up. Its delivery."""
    listeners.FAILING.add((subscriber, event.pk))
    for _ in range(MAX_ATTEMPTS):
        run_relay()
        make_due()
    return Delivery.objects.get(event=event, subscriber=subscriber)


def booked() -> list[str]:
    return list(Note.objects.order_by("id").values_list("text", flat=True))


def outside() -> list[tuple[str, int, int]]:
    """Subscriber, stream and seq of what reached outside, in order."""
    return listeners.OUTSIDE


def sent() -> list[int]:
    return [seq for _, _, seq in listeners.OUTSIDE]


def test_a_turn_of_the_relay_ends_in_time_and_says_whether_something_may_be_left(stream):
    for _ in range(3):
        tell(stream, "mailed")
    assert relay.run_relay_for(0) is True
    assert len(sent()) == 1  # of a stream one delivery a round
    assert relay.run_relay_for(60) is False
    assert len(sent()) == 3


def test_each_subscriber_of_the_table_gets_a_delivery_and_takes_it_once(stream):
    tell(stream, "both", "quiet", "booked")
    assert run_relay() == Round(placed=3, delivered=3)
    assert run_relay() == Round()
    assert booked() == ["book 1", "book 3"]
    assert outside() == [("mail", stream.pk, 1)]
    done = set(Delivery.objects.values_list("event__seq", "subscriber", "status", "attempts", "leased_until"))
    assert done == {(1, "book", "done", 1, None), (1, "mail", "done", 1, None), (3, "book", "done", 1, None)}


def test_more_events_than_a_batch_are_all_placed_and_delivered(stream, monkeypatch):
    monkeypatch.setattr(relay, "BATCH", 3)
    monkeypatch.setattr(relay, "CLAIM", 2)
    tell(stream, *["mailed"] * 8)
    assert run_relay() == Round(placed=8, delivered=8)
    assert sent() == list(range(1, 9))


def test_a_run_ends_after_its_rounds(stream):
    tell(stream, *["mailed"] * 8)
    assert run_relay(rounds=2) == Round(placed=8, delivered=2)


def test_a_failure_holds_back_only_its_own_stream_and_subscriber(stream):
    other = open_stream()
    first, _ = tell(stream, "both", "both")
    tell(other, "both")
    listeners.FAILING.add(("mail", first.pk))
    assert run_relay() == Round(placed=3, delivered=4, failed=1)
    assert booked() == ["book 1", "book 1", "book 2"]
    assert outside() == [("mail", other.pk, 1)]
    listeners.FAILING.clear()
    make_due()
    run_relay()
    assert outside() == [("mail", other.pk, 1), ("mail", stream.pk, 1), ("mail", stream.pk, 2)]


def test_a_transactional_subscriber_leaves_nothing_behind_when_it_fails(stream):
    (event,) = tell(stream, "booked")
    listeners.FAILING.add(("book", event.pk))
    run_relay()
    assert booked() == []
    listeners.FAILING.clear()
    make_due()
    run_relay()
    assert booked() == ["book 1"]
    assert listeners.TRIED["book", event.pk] == 2


def test_after_a_failure_there_is_a_pause_that_grows(stream):
    (event,) = tell(stream, "mailed")
    listeners.FAILING.add(("mail", event.pk))
    for n in (1, 2, 3):
        before = clock.now() - timedelta(milliseconds=1)  # SQLite counts no finer
        run_relay()
        kept = Delivery.objects.get()
        shortest, longest = timedelta(seconds=2**n / 2), timedelta(seconds=2**n)
        assert before + shortest <= kept.next_at <= clock.now() + longest
        assert (kept.status, kept.leased_until, kept.last_error) == ("pending", None, "DoesNotAnswer")
        Delivery.objects.update(next_at=kept.next_at + timedelta(hours=1))
        assert run_relay() == Round()
        make_due()


def test_what_a_dead_worker_held_is_taken_over_when_its_lease_ends(stream):
    tell(stream, "both")
    place_events()
    assert len(relay._claim()) == 2
    assert deliver_due() == Round()
    expire_leases()
    assert deliver_due() == Round(delivered=2)
    assert set(Delivery.objects.values_list("status", "attempts", "fence")) == {("done", 1, 2)}


def test_a_late_worker_can_neither_act_nor_mark(stream):
    tell(stream, "both")
    place_events()
    late = relay._claim()
    expire_leases()
    current = relay._claim()
    assert [relay._deliver(delivery) for delivery in late] == [None, None]
    assert (booked(), sent()) == ([], [])
    assert set(Delivery.objects.values_list("status", "fence")) == {("pending", 2)}
    assert [relay._deliver(delivery) for delivery in current] == [True, True]
    assert [relay._deliver(delivery) for delivery in late] == [None, None]
    assert (booked(), sent()) == (["book 1"], [1])


def test_a_late_worker_that_fails_does_not_put_off_what_another_one_delivers(stream):
    tell(stream, "booked")
    place_events()
    (late,) = relay._claim()
    expire_leases()
    relay._claim()
    relay._put_off(late, listeners.DoesNotAnswer())
    kept = Delivery.objects.get()
    assert (kept.status, kept.fence, kept.last_error) == ("pending", 2, "")
    assert kept.leased_until is not None


def test_a_subscriber_outside_may_get_an_event_again_after_a_crash(stream):
    """Sent, and the worker died before it could mark it: at least once."""
    tell(stream, "mailed")
    place_events()
    (delivery,) = relay._claim()
    listeners.send(delivery)
    expire_leases()
    run_relay()
    assert sent() == [1, 1]


def test_attempts_end_in_a_dead_letter_with_an_incident_and_the_next_in_line_goes_on(stream):
    first, _ = tell(stream, "mailed", "mailed")
    dead = fail_for_good("mail", first)
    assert (dead.status, dead.attempts, dead.last_error) == ("dead", MAX_ATTEMPTS, "DoesNotAnswer")
    run_relay()
    assert sent() == [2, 3]  # the third event is the incident's own
    incident = Incident.objects.get()
    assert (incident.stream, incident.kind, incident.key) == (stream, "dead_letter", f"delivery:{dead.pk}")
    assert incident.detail == f"mail did not take event {first.pk}: DoesNotAnswer"
    opened = Event.objects.get(type="incident.opened")
    assert opened.data == {"incident": incident.pk, "kind": "dead_letter", "key": f"delivery:{dead.pk}"}


def test_a_subscriber_nobody_would_miss_gives_up_without_an_incident(stream):
    (event,) = tell(stream, "pushed")
    assert fail_for_good("push", event).status == "dead"
    assert Incident.objects.count() == 0


def test_bad_news_of_an_incident_does_not_beget_another_incident(stream):
    tell(stream, "mailed")
    listeners.FAILING.add(("mail", listeners.EVERY_EVENT))
    for _ in range(3 * MAX_ATTEMPTS):
        run_relay()
        make_due()
    assert list(Event.objects.order_by("seq").values_list("type", flat=True)) == ["mailed", "incident.opened"]
    assert set(Delivery.objects.values_list("status", flat=True)) == {"dead"}
    assert Incident.objects.count() == 1


def test_a_delivery_that_takes_every_worker_down_dies_too(stream):
    (event,) = tell(stream, "mailed")
    place_events()
    for _ in range(MAX_ATTEMPTS):
        (doomed,) = relay._claim()
        relay._begin_attempt(doomed)
        expire_leases()
    run_relay()
    dead = Delivery.objects.get(event=event)
    assert (dead.status, dead.last_error, Incident.objects.count()) == ("dead", "WorkerLost", 1)
    assert ("mail", event.pk) not in listeners.TRIED


def test_a_delivery_for_a_subscriber_that_is_gone_stops_nobody_and_ends_visibly(stream):
    orphan, _ = tell(stream, "orphan", "mailed")
    assert run_relay() == Round(placed=2, delivered=1, failed=1)
    assert sent() == [2]
    assert fail_for_good("gone", orphan).last_error == "KeyError"
    assert Incident.objects.count() == 1


def test_a_dead_delivery_is_put_back_with_fresh_attempts_and_its_incident_resolved(stream):
    (event,) = tell(stream, "mailed")
    dead = fail_for_good("mail", event)
    listeners.FAILING.clear()
    assert redeliver(dead.pk, actor="user:7") is True
    assert redeliver(dead.pk) is False
    dead.refresh_from_db()
    assert (dead.status, dead.attempts) == ("pending", 0)
    assert Incident.objects.get().status == "resolved"
    assert Event.objects.get(type="incident.resolved").actor == "user:7"
    run_relay()
    assert 1 in sent()


def test_only_what_is_dead_is_put_back(stream):
    tell(stream, "mailed")
    run_relay()
    assert redeliver(Delivery.objects.get().pk) is False
    assert redeliver(0) is False


def test_a_further_delivery_is_made_once_and_keeps_the_order_of_its_own_line(stream):
    tell(stream, "booked", "booked")
    place_events()
    first, second = Delivery.objects.order_by("position")
    for delivery in (first, second, first):
        relay.fan_out(delivery, ["mail:7", "mail:8"])
    run_relay()
    for mailbox in ("mail:7", "mail:8"):
        assert [seq for name, _, seq in listeners.OUTSIDE if name == mailbox] == [1, 2]
    assert len(sent()) == 4


def test_an_event_is_delivered_to_a_subscriber_once_whatever_a_program_tries(stream):
    tell(stream, "booked")
    place_events()
    copy = Delivery.objects.get()
    copy.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        copy.save(force_insert=True)


def test_a_position_is_never_given_twice_even_if_the_feed_lost_its_events(stream):
    tell(stream, "quiet")
    place_events()
    FeedHead.objects.update(position=41)
    tell(stream, "quiet")
    place_events()
    assert list(Event.objects.order_by("seq").values_list("position", flat=True)) == [1, 42]


def test_an_unknown_event_type_is_refused_by_the_running_table(stream):
    with pytest.raises(Misconfigured):
        tell(stream, "request.submitted")


def _publish(streams: list[Stream], which: int) -> None:
    tell(streams[which], "both")


def _trip(streams: list[Stream], which: int) -> None:
    """The newest event of this stream will fail once."""
    newest = Event.objects.filter(stream=streams[which]).order_by("-seq").first()
    if newest:
        listeners.FAILING.update({("book", newest.pk), ("mail", newest.pk)})


def _deliver(streams: list[Stream], which: int) -> None:
    deliver_due()
    listeners.FAILING.clear()
    make_due()


def _die(streams: list[Stream], which: int) -> None:
    """A worker claims everything and dies."""
    relay._claim()
    expire_leases()


STEPS: dict[str, Callable[[list[Stream], int], object]] = {
    "publish": _publish,
    "place": lambda streams, which: place_events(),
    "trip": _trip,
    "deliver": _deliver,
    "die": _die,
}


class AnyOrder(TestCase):
    @given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 1)), max_size=14))
    def test_whatever_happens_in_whatever_order_each_stream_arrives_in_order(
        self, steps: list[tuple[str, int]]
    ) -> None:
        for memory in (listeners.OUTSIDE, listeners.FAILING, listeners.TRIED):
            memory.clear()
        streams = [open_stream(), open_stream()]
        for step, which in steps:
            STEPS[step](streams, which)
        listeners.FAILING.clear()
        make_due()
        run_relay()
        for stream in streams:
            seqs = list(range(1, Event.objects.filter(stream=stream).count() + 1))
            notes = stream.notes.order_by("id").values_list("text", flat=True)
            assert list(notes) == [f"book {seq}" for seq in seqs]
            assert [seq for _, pk, seq in listeners.OUTSIDE if pk == stream.pk] == seqs
        assert not Delivery.objects.exclude(status="done").exists() or len(steps) > MAX_ATTEMPTS
