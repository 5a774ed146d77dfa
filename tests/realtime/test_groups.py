from __future__ import annotations

import pytest

from apps.outbox.models import Delivery, Event
from apps.outbox.relay import run_relay
from apps.realtime.groups import inbox_principals, listing_principals, push
from apps.requests.models import Request
from tests.factories import make_request

pytestmark = pytest.mark.sqlite


@pytest.mark.parametrize(
    ("actor", "data", "principals"),
    [
        ("system", {}, []),
        ("user:3", {}, ["user:3"]),
        ("system", {"seats": [{"user": 2}, {"user": 1}]}, ["user:1", "user:2"]),
        ("user:1", {"assignee": 1, "group": 9}, ["group:9", "user:1"]),
        ("system", {"assignee": None, "group": None, "users": [4, 5]}, ["user:4", "user:5"]),
    ],
)
def test_the_inboxes_of_an_event_are_those_it_asks_and_who_acted(actor, data, principals):
    assert inbox_principals(Event(actor=actor, data=data)) == principals


@pytest.mark.django_db
def test_a_changed_clock_touches_the_lists_of_all_who_take_part_and_a_comment_only_the_page(world):
    request = make_request(world.item, world.requester)
    taking_part = sorted({f"user:{person.pk}" for person in (world.requester, world.manager)})
    told = {kind: listing_principals(Event(stream_id=request.pk, type=kind)) for kind in ("sla.paused", "request.held")}
    silent = {
        kind: listing_principals(Event(stream_id=request.pk, type=kind))
        for kind in ("sla.breached", "request.commented")
    }
    assert told == {"sla.paused": taking_part, "request.held": taking_part}
    assert silent == {"sla.breached": [], "request.commented": []}


def test_where_nobody_listens_a_push_is_void():
    push("request.SR-1", {"type": "topic.touched"})


@pytest.mark.django_db
def test_every_push_of_a_request_is_delivered_without_an_open_page(world):
    make_request(world.item, world.requester)
    run_relay()
    pushed = Delivery.objects.filter(subscriber="realtime")
    assert set(pushed.values_list("status", "attempts")) == {("done", 1)}
    assert set(pushed.values_list("stream_id", flat=True)) == {Request.objects.get().pk}
