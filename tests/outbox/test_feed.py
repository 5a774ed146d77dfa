"""The feed under real concurrency: positions follow commits, so that a reader who polls by position skips nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest
from django.db import transaction

from apps.accounts.models import User
from apps.core import clock
from apps.outbox import relay
from apps.outbox.models import Delivery, Event, FeedHead, Stream
from apps.outbox.publish import NewEvent, lock_streams, publish
from apps.outbox.relay import place_events, run_relay
from apps.outbox.selectors import feed_position
from apps.requests.selectors import feed_for
from tests.api.conftest import Client
from tests.factories import make_person
from tests.outbox import listeners
from tests.outbox.conftest import open_stream, tell, undone
from tests.races import PATIENCE_S, at_once, beside

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]
TYPE = "request.submitted"
Poll = Callable[[User, int], list[tuple[int, int]]]


class SlowWriter:
    """Publishes in a transaction of its own, takes its event's id, and commits only when told."""

    def __init__(self, stream: Stream) -> None:
        self.written, self.may_commit = threading.Event(), threading.Event()
        self.event_id = 0
        self.thread = beside(lambda: self.write(stream))
        assert self.written.wait(PATIENCE_S)

    def write(self, stream: Stream) -> None:
        with transaction.atomic():
            new = NewEvent(type=TYPE, actor="user:1", at=clock.now())
            self.event_id = publish({lock_streams([stream.pk])[0]: [new]})[0].pk
            self.written.set()
            assert self.may_commit.wait(PATIENCE_S)

    def commit(self) -> None:
        self.may_commit.set()
        self.thread.join(PATIENCE_S)


def by_selector(reader: User, after: int) -> list[tuple[int, int]]:
    return [(event.position, event.pk) for event in feed_for(reader, after=after)]


def by_api(reader: User, after: int) -> list[tuple[int, int]]:
    answer = Client().of(reader).api("get", f"/events/?after={after}")
    assert answer.status_code == 200
    return [(event["position"], event["id"]) for event in answer.json()["results"]]


@pytest.mark.parametrize("poll", [by_selector, by_api])
def test_a_reader_sees_both_events_of_two_writers_who_commit_in_reverse(poll: Poll) -> None:
    reader = make_person("reader", roles=["auditor"])
    late, early = SlowWriter(open_stream()), SlowWriter(open_stream())
    assert late.event_id < early.event_id
    early.commit()
    assert place_events() == 1
    seen = poll(reader, 0)
    assert seen == [(1, early.event_id)]
    late.commit()
    assert place_events() == 1
    seen += poll(reader, seen[-1][0])
    assert seen == [(1, early.event_id), (2, late.event_id)]
    assert poll(reader, 2) == []
    assert poll(reader, 0) == seen


def test_positions_have_no_gap_and_follow_each_stream_while_sequencers_race_with_writers() -> None:
    streams = [open_stream() for _ in range(4)]
    per_stream, over = 25, threading.Event()

    def write(stream: Stream) -> None:
        for _ in range(per_stream):
            tell(stream, TYPE)

    def place() -> None:
        while not over.is_set():
            place_events()

    placers = [beside(place) for _ in range(3)]
    assert at_once(*(lambda one=one: write(one) for one in streams)) == []
    over.set()
    for placer in placers:
        placer.join(PATIENCE_S)
    while place_events():
        pass
    total = per_stream * len(streams)
    placed = list(Event.objects.order_by("position"))
    assert [event.position for event in placed] == list(range(1, total + 1))
    for stream in streams:
        seqs = [event.seq for event in placed if event.stream_id == stream.pk]
        assert seqs == list(range(1, per_stream + 1))
    assert FeedHead.objects.count() == 1
    assert feed_position() == total
    assert set(Counter(Delivery.objects.values_list("event_id", flat=True)).values()) == {2}


def test_only_one_sequencer_places_at_a_time() -> None:
    tell(open_stream(), TYPE)
    placed: list[int] = []
    with transaction.atomic():
        assert place_events() == 1
        beside(lambda: placed.append(place_events())).join(PATIENCE_S)
    assert placed == [0]
    assert [event.position for event in Event.objects.all()] == [1]


def test_what_a_worker_is_just_claiming_another_one_leaves_alone(listening: None) -> None:
    tell(open_stream(), "both")
    place_events()
    others: list[int] = []
    with transaction.atomic():
        assert len(relay._claim()) == 2
        beside(lambda: others.append(len(relay._claim()))).join(PATIENCE_S)
        assert others == [0]


def test_relays_that_race_deliver_each_event_once_and_in_order(listening: None) -> None:
    streams = [open_stream() for _ in range(3)]
    for _ in range(8):
        for stream in streams:
            tell(stream, "both")
    assert at_once(*[run_relay] * 3) == []
    run_relay()
    assert set(Delivery.objects.values_list("status", "attempts", "fence")) == {("done", 1, 1)}
    for stream in streams:
        notes = stream.notes.order_by("id").values_list("text", flat=True)
        assert list(notes) == [f"book {seq}" for seq in range(1, 9)]
        sent = [seq for name, pk, seq in listeners.OUTSIDE if pk == stream.pk]
        assert all(one < following for one, following in pairwise(sent))
        assert len(sent) == 8


def test_a_batch_that_fails_in_the_middle_gives_out_no_position(listening: None) -> None:
    stream = open_stream()
    tell(stream, "both", "both")
    with undone():
        assert place_events() == 2
    assert (feed_position(), Delivery.objects.count()) == (0, 0)
    assert place_events() == 2
    assert list(Event.objects.order_by("position").values_list("position", "seq")) == [(1, 1), (2, 2)]
