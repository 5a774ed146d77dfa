from __future__ import annotations

import pytest
from django.urls import reverse

from apps.outbox.models import Incident
from apps.requests.models import Request
from tests.factories import make_item, make_person, make_request, make_workflow
from tests.portal.conftest import as_, text_of
from tests.requests.test_operations import DOCUMENT

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_an_administrator_tries_again_what_an_incident_stopped():
    administrator, requester = make_person("ada", roles=["administrator"]), make_person("rosa")
    stuck = make_request(make_item("fails", workflow=make_workflow(DOCUMENT)), requester)
    retry = reverse("portal:retry", args=[stuck.number, Incident.objects.get().pk])
    page = reverse("portal:request", args=[stuck.number])
    assert "Try again" not in text_of(as_(requester).get(page))
    assert as_(requester).post(retry, {"reason": "please"}).status_code == 403
    assert "Try again" in text_of(as_(administrator).get(page))
    assert as_(administrator).post(retry, {"reason": ""}).status_code == 400
    Request.objects.filter(pk=stuck.pk).update(data={"size": 2})
    assert as_(administrator).post(retry, {"reason": "The size was missing."}).status_code == 302
    assert Request.objects.get(pk=stuck.pk).status == "completed"
