from __future__ import annotations

import pytest

from apps.core.errors import InvalidInput, NotPermitted, TransitionNotAllowed
from apps.outbox.models import Event, Incident
from apps.requests.models import Request
from apps.requests.services.operations import retry_incident
from tests.factories import choice_document, make_item, make_request, make_workflow, refusal

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
DOCUMENT = choice_document("request.data.size > 1")


@pytest.fixture
def stuck(world) -> Request:
    return make_request(make_item("fails", workflow=make_workflow(DOCUMENT)), world.requester)


def test_a_retry_goes_on_once_the_data_is_mended(world, stuck):
    Request.objects.filter(pk=stuck.pk).update(data={"size": 2})
    retry_incident(Incident.objects.get(), reason="The size was missing.", actor=world.administrator)
    assert Request.objects.get(pk=stuck.pk).status == "completed"
    assert Incident.objects.get().status == "resolved"


def test_a_retry_that_fails_again_opens_a_new_incident(world, stuck):
    retry_incident(Incident.objects.get(), reason="once more", actor=world.administrator)
    assert list(Incident.objects.order_by("id").values_list("status", flat=True)) == ["resolved", "open"]
    assert Request.objects.get(pk=stuck.pk).status == "submitted"
    types = Event.objects.filter(stream_id=stuck.pk, type__startswith="incident.").order_by("seq")
    assert list(types.values_list("type", flat=True)) == ["incident.opened", "incident.resolved", "incident.opened"]


def test_only_administrators_repair_and_say_why(world, stuck):
    incident = Incident.objects.get()
    for person in (world.requester, world.lead, world.stranger):
        with refusal(NotPermitted):
            retry_incident(incident, reason="let me", actor=person)
    with refusal(InvalidInput):
        retry_incident(incident, reason=" ", actor=world.administrator)
    retry_incident(incident, reason="once", actor=world.administrator)
    with refusal(TransitionNotAllowed):
        retry_incident(incident, reason="twice", actor=world.administrator)
