import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from django.test import Client

from apps.core import clock
from apps.outbox.admin import chain_problem, event_problem
from apps.outbox.models import Delivery, Event, Note, Stream
from apps.outbox.publish import NewEvent, new_stream, publish, write_note
from apps.outbox.relay import place_events
from tests.core.admin_pages import address, admin_client, said

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return admin_client()[0]


@pytest.fixture
def stream() -> Stream:
    """A stream with three events, the last one with a text."""
    with transaction.atomic():
        made = new_stream(Stream.Kind.REQUEST)
        note = write_note(made, "something private")
        told = [NewEvent(type="request.submitted", actor="user:1", at=clock.now(), data={"n": n}) for n in (1, 2)]
        publish({made: [*told, NewEvent(type="comment.added", actor="system", at=clock.now(), note=note)]})
    return made


def dead_delivery(event: Event, subscriber: str = "email:7") -> Delivery:
    return Delivery.objects.create(
        event=event, subscriber=subscriber, stream_id=event.stream_id, position=1, status="dead", attempts=9
    )


def test_an_event_that_was_not_touched_verifies(client: Client, stream: Stream) -> None:
    for event in stream.events.all():
        assert event_problem(event) == ""
        assert "The hash covers what is stored here" in client.get(address(Event, "change", event.pk)).content.decode()


def test_an_event_that_was_changed_does_not_verify(stream: Stream) -> None:
    event = stream.events.get(seq=2)
    event.data = {"n": 3}
    assert event_problem(event) == "The hash does not fit what is stored here: the event was changed."
    event.key_id = "lost"
    assert event_problem(event) == "The key 'lost' of the audit chain is not set: this cannot be verified."


def test_a_chain_says_what_is_missing(client: Client, stream: Stream) -> None:
    first, second, third = stream.events.order_by("seq")
    assert chain_problem(stream, [first, second, third]) == ""
    assert chain_problem(stream, [first, second]) == "The newest events are missing: the stream counts 3."
    assert chain_problem(stream, [first, third]) == "Event 3 (comment.added) does not verify."
    assert chain_problem(stream, []) == "The newest events are missing: the stream counts 3."
    assert "All 3 events verify" in client.get(address(Stream, "change", stream.pk)).content.decode()


def test_a_text_is_not_shown(client: Client, stream: Stream) -> None:
    note = stream.notes.get()
    pages = [address(Note, "changelist"), address(Note, "change", note.pk), address(Stream, "change", stream.pk)]
    assert not any("something private" in client.get(page).content.decode() for page in pages)


def test_a_dead_delivery_is_put_back_in_line_and_others_are_left_alone(client: Client, stream: Stream) -> None:
    place_events()
    event = stream.events.get(seq=1)
    dead = dead_delivery(event)
    done = Delivery.objects.create(event=event, subscriber="email:8", stream_id=stream.pk, position=1, status="done")
    sent = {"action": "deliver_again", "_selected_action": [dead.pk, done.pk]}
    answer = client.post(address(Delivery, "changelist"), sent, follow=True)
    assert said(answer) == ["1 put back in line, with fresh attempts."]
    found = Delivery.objects.in_bulk([dead.pk, done.pk])
    assert (found[dead.pk].status, found[dead.pk].attempts, found[done.pk].status) == ("pending", 0, "done")
    assert said(client.post(address(Delivery, "changelist"), sent, follow=True)) == [
        "None of these is dead: nothing was changed."
    ]


def test_who_may_only_look_cannot_deliver_again(stream: Stream) -> None:
    client, person = admin_client(is_superuser=False)
    person.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    dead = dead_delivery(stream.events.get(seq=1))
    sent = {"action": "deliver_again", "_selected_action": [dead.pk]}
    client.post(address(Delivery, "changelist"), sent)
    assert Delivery.objects.get(pk=dead.pk).status == "dead"
