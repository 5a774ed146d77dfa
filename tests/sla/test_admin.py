import json

import pytest
from django.test import Client

from apps.sla.models import SlaClock, SlaPolicyVersion
from tests.core.admin_pages import address, admin_client, errors_of
from tests.factories import make_item, make_person, make_request, make_sla, make_team

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return admin_client()[0]


def test_a_policy_whose_targets_lack_a_priority_is_refused_by_its_place(client: Client) -> None:
    document = make_sla("good").document
    del document["targets"][0]["durations"]["low"]
    sent = {"key": "bad", "document": json.dumps(document)}
    errors = errors_of(client.post(address(SlaPolicyVersion, "add"), sent))
    assert list(errors) == ["document"]
    assert "targets.0.durations" in errors["document"][0]
    assert list(SlaPolicyVersion.objects.values_list("key", flat=True)) == ["good"]


def test_a_policy_is_added(client: Client) -> None:
    document = make_sla("good").document
    sent = {"key": "better", "document": json.dumps(document)}
    assert client.post(address(SlaPolicyVersion, "add"), sent).status_code == 302
    assert SlaPolicyVersion.objects.get(key="better").document == document


def test_a_clock_leads_to_its_request_and_its_policy(client: Client) -> None:
    make_sla("standard")
    make_team("it", make_person("bob"))
    request = make_request(make_item(sla_key="standard"), make_person("ann", manager=make_person("boss")))
    clock = SlaClock.objects.filter(metric="response").get()
    text = client.get(address(SlaClock, "change", clock.pk)).content.decode()
    assert f">{request.number} Please</a>" in text
    assert ">standard v1</a>" in text
