import re

import pytest
from django.test import Client

from apps.requests.models import Request
from tests.portal.conftest import World, as_, page_of
from tests.races import at_once

SENT = {"data.reason": "Mine is broken", "form_token": "one", "action": "submit"}


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_form_that_is_sent_twice_at_the_same_instant_makes_one_request(world: World) -> None:
    session = as_(world.rita).cookies["sessionid"].value
    answers: list[str] = []

    def send() -> None:
        client = Client()
        client.cookies["sessionid"] = session
        answers.append(client.post("/catalog/laptop/", SENT).headers["Location"])

    assert at_once(*[send] * 3) == []
    assert answers == [page_of(Request.objects.get())] * 3


@pytest.mark.django_db
def test_two_people_with_the_same_token_do_not_meet(world: World) -> None:
    answers = [as_(user).post("/catalog/laptop/", SENT) for user in (world.rita, world.stan)]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert sorted(request.requester.username for request in Request.objects.all()) == ["rita", "stan"]


@pytest.mark.django_db
def test_each_showing_of_a_form_has_a_token_of_its_own(world: World) -> None:
    client = as_(world.rita)
    pages = [client.get("/catalog/laptop/").content.decode() for _ in range(2)]
    tokens = [re.findall(r'name="form_token" value="([\w-]{20,})"', page) for page in pages]
    assert [len(found) for found in tokens] == [1, 1]
    assert tokens[0] != tokens[1]
