"""Who is told of what: told by the relay, of what the services did."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.db import transaction

from apps.approvals.models import Approval
from apps.core import clock
from apps.notifications.audience import PERSON_KINDS
from apps.notifications.models import Notification
from apps.notifications.render import SUBJECTS, render, subject_of
from apps.notifications.selectors import notifications_of, unread_count
from apps.notifications.services import mark_read
from apps.outbox.models import Delivery, Event
from apps.outbox.relay import run_relay
from apps.requests.models import Request
from apps.requests.selectors import tasks_of
from apps.requests.services.comments import add_comment
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import Wish, cancel_request, create, hold_request, reopen_request
from apps.requests.services.work import claim_task, complete_task
from apps.requests.sweeps import run_sweeps
from tests.factories import line_document, make_item, make_person, make_request, make_workflow

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def told(kind: str) -> list[str]:
    """Who was told of this, by name, after the relay has run; a name twice is a person told twice."""
    run_relay()
    return sorted(Notification.objects.filter(kind=kind).values_list("user__username", flat=True))


def decide(verdict: str, world) -> None:
    record_decision(Approval.objects.latest("id"), verdict=verdict, comment="because", actor=world.manager)


def at_work(world, **wish) -> Request:
    """A request that the worker has claimed; everything told so far is forgotten."""
    request = make_request(world.item, world.requester, **wish)
    decide("approve", world)
    claim_task(tasks_of(request).get(), actor=world.worker)
    run_relay()
    Notification.objects.all().delete()
    mail.outbox.clear()
    return Request.objects.get(pk=request.pk)


def test_a_submitted_request_is_confirmed_to_whoever_asked_and_whom_it_is_for(world):
    friend = make_person("friend")
    make_request(world.item, world.requester, requested_for=friend)
    assert told("submitted") == ["friend", "requester"]


def test_who_asks_for_themselves_is_told_once(world):
    make_request(world.item, world.requester)
    assert told("submitted") == ["requester"]


def test_those_who_can_decide_are_asked(world):
    make_request(world.item, world.requester)
    assert told("approval") == ["manager"]


def test_the_team_is_told_of_new_work_but_not_who_brought_it_about(world):
    make_request(world.item, world.requester)
    decide("approve", world)
    assert told("task") == ["lead", "senior", "worker"]


def test_work_for_one_person_is_told_to_that_person(world):
    make_request(world.item, world.requester)
    decide("return", world)
    assert told("task") == ["requester"]


def test_a_rejection_is_told_to_the_requester(world):
    make_request(world.item, world.requester)
    decide("reject", world)
    assert told("rejected") == ["requester"]


def test_a_completion_is_told_to_the_requester_and_a_reopening_to_those_at_work(world):
    request = at_work(world)
    complete_task(tasks_of(request).get(), outcome="done", actor=world.worker)
    assert told("completed") == ["requester"]
    reopen_request(Request.objects.get(pk=request.pk), reason="still broken", actor=world.requester)
    assert told("reopened") == (["worker"] if Request.objects.get(pk=request.pk).assignee else [])


def test_a_hold_is_told_to_the_requester_only(world):
    hold_request(at_work(world), reason="part missing", actor=world.lead)
    assert told("held") == ["requester"]


def test_a_cancellation_is_told_to_whom_it_was_for_but_not_to_whoever_cancelled(world):
    cancel_request(at_work(world, requested_for=make_person("friend")), reason="changed", actor=world.requester)
    assert told("cancelled") == ["friend"]


def test_a_comment_is_told_to_the_others_on_the_request(world):
    request = at_work(world)
    add_comment(request, text="any news?", actor=world.requester)
    assert told("commented") == ["worker"]
    add_comment(request, text="tomorrow", actor=world.worker)
    assert told("commented") == ["requester", "worker"]


def test_an_internal_comment_is_told_to_who_works_on_it_only(world):
    add_comment(at_work(world), text="a difficult one", internal=True, actor=world.lead)
    assert told("commented") == ["worker"]
    assert [message.to for message in mail.outbox] == [["worker@example.org"]]


def test_a_notice_is_told_to_those_it_names_each_once(world):
    to = [{"requester": True}, {"requester": True}, {"manager_of": "requester", "up": 1}]
    step = {"id": "say", "kind": "action", "name": "Say", "action": "notify", "with": {"to": to, "text": "Ready."}}
    make_request(make_item("loud", workflow=make_workflow(line_document("loud", step))), world.requester)
    assert told("notice") == ["manager", "requester"]


def test_a_warning_and_a_breach_are_told_to_the_assignee_and_the_lead(world):
    request = at_work(world)
    run_sweeps(request.submitted_at + timedelta(days=1))
    assert told("sla_breached") == ["lead", "worker"]
    request_named = f"{request.number} is overdue for the solution: Please"
    assert {subject_of(one) for one in Notification.objects.filter(kind="sla_breached")} == {request_named}


def test_a_warning_that_concerns_nobody_yet_is_told_to_the_administrators(world):
    request = make_request(world.item, world.requester)
    run_sweeps(request.submitted_at + timedelta(minutes=31))
    assert told("sla_warned") == ["administrator"]
    (one,) = Notification.objects.filter(kind="sla_warned")
    assert subject_of(one) == f"{request.number} is running out of time for the first response: Please"


def test_an_incident_is_told_to_the_administrators(world):
    second = make_person("second", roles=["administrator"])
    world.administrator.is_active = False
    world.administrator.save()
    second.is_active = False
    second.save()
    make_request(world.item, world.manager)  # the manager has no manager, and the fallback nobody
    second.is_active = True
    second.save()
    assert told("incident") == ["second"]


def test_imported_history_tells_nobody(world):
    with transaction.atomic():
        wish = Wish(title="Past", data={"reason": "It was needed"})
        at = clock.now()
        create(world.item, wish, actor=world.requester, submit=True, origin="import", quiet=True, at=at).finish()
    decide("approve", world)
    run_relay()
    assert (Notification.objects.count(), len(mail.outbox)) == (0, 0)
    assert Delivery.objects.exclude(status="done").count() == 0


def test_each_person_is_told_once_however_often_the_relay_delivers(world):
    make_request(world.item, world.requester)
    run_relay()
    before = Notification.objects.count()
    Delivery.objects.filter(subscriber="notifications").update(status="pending")
    run_relay()
    assert Notification.objects.count() == before
    assert len(mail.outbox) == before


def test_a_person_who_left_is_not_told(world):
    make_request(world.item, world.requester)
    world.manager.is_active = False
    world.manager.save()
    assert told("approval") == []


def test_every_kind_has_words_that_name_the_request(world):
    request = make_request(world.item, world.requester, title="{oops} %s")
    event = Event.objects.filter(stream_id=request.pk, type="sla.started").first()
    for kind in set(SUBJECTS) - set(PERSON_KINDS.values()):
        words = render(Notification(user=world.requester, event=event, kind=kind, at=event.at))
        assert words.subject.endswith(": {oops} %s")
        assert request.number in words.subject
        assert words.url == f"http://127.0.0.1:8000/requests/{request.number}/"


def test_a_person_reads_their_own_notifications_newest_first(world, django_assert_num_queries):
    for _ in range(3):
        make_request(world.item, world.requester)
    run_relay()
    own = [row.kind for row in notifications_of(world.requester)]
    assert (own, unread_count(world.requester)) == (["submitted"] * 3, 3)
    with django_assert_num_queries(1):
        for row in notifications_of(world.requester):
            assert row.event.stream.request.item == world.item
    foreign = notifications_of(world.manager)[0]
    assert mark_read(world.requester, ids=[foreign.pk, notifications_of(world.requester)[0].pk]) == 1
    assert mark_read(world.requester) == 2
    assert (unread_count(world.requester), unread_count(world.manager)) == (0, 3)
