"""Answers that are signed with a password."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache
from django.test import override_settings

from apps.api.models import IdempotencyKey
from apps.requests.models import Request
from tests.api.approval_calls import SIGNED, of, path_of, state
from tests.api.conftest import World
from tests.factories import PASSWORD
from tests.factories.approvals import ask, level

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sla")]


@pytest.fixture
def signed_request(world: World) -> Request:
    """It waits for Mia's signed answer."""
    return ask(world.rita, level("sign", world.mia, reauthenticate=SIGNED))


def test_a_signed_answer_keeps_what_it_means_and_the_name(world: World, signed_request: Request) -> None:
    body = {"decision": "approve", "password": PASSWORD}
    answer = of(world.mia).api("post", path_of(signed_request, "decide/"), body)
    assert (answer.status_code, answer.json()["status"]) == (200, "approved")
    decision = answer.json()["levels"][0]["seats"][0]["decision"]
    assert (decision["meaning"], decision["signed_as"]) == ("I have read the contract.", "Mia (mia)")


@pytest.mark.parametrize(
    ("password", "told"),
    [
        (None, "Please enter your password: this answer is signed."),
        ("", "Please enter your password: this answer is signed."),
        ("wrong", "This is not your password."),
        (f"{PASSWORD} ", "This is not your password."),
        (7, "This must be text."),
    ],
)
def test_without_the_right_password_nothing_is_signed(
    world: World, signed_request: Request, password: Any, told: str
) -> None:
    before = state(signed_request)
    body = {"decision": "approve"} | ({} if password is None else {"password": password})
    answer = of(world.mia).api("post", path_of(signed_request, "decide/"), body, **{"Idempotency-Key": "sign"})
    assert (answer.status_code, answer.json()["errors"]) == (400, {"password": [told]})
    assert state(signed_request) == before


def test_a_wrong_password_is_refused_where_none_is_needed_too(world: World) -> None:
    request = ask(world.rita, level("one", world.mia))
    before = state(request)
    answer = of(world.mia).api("post", path_of(request, "decide/"), {"decision": "approve", "password": "wrong"})
    assert (answer.status_code, list(answer.json()["errors"]), state(request)) == (400, ["password"], before)


def test_a_password_is_stored_nowhere(world: World, signed_request: Request, caplog: pytest.LogCaptureFixture) -> None:
    body = {"decision": "approve", "password": PASSWORD}
    with caplog.at_level("DEBUG"):
        of(world.mia).api("post", path_of(signed_request, "decide/"), body, **{"Idempotency-Key": "sign"})
    for model in apps.get_models():
        assert PASSWORD not in repr(list(model._default_manager.values())), model
    assert PASSWORD not in caplog.text
    assert IdempotencyKey.objects.get().status == 200


@pytest.fixture
def few_tries(time_stands_still: None) -> Any:
    """Three tries a minute."""
    cache.clear()
    with override_settings(RATELIMIT_ENABLE=True, LOGIN_RATE_PER_ACCOUNT="3/m"):
        yield
    cache.clear()


@pytest.mark.usefixtures("few_tries")
def test_tries_of_a_password_are_limited(world: World, signed_request: Request) -> None:
    before = state(signed_request)
    path, mia = path_of(signed_request, "decide/"), of(world.mia)
    tried = [mia.api("post", path, {"decision": "approve", "password": f"guess {n}"}).status_code for n in range(3)]
    answer = mia.api("post", path, {"decision": "approve", "password": PASSWORD})
    assert (tried, answer.status_code, answer.json()["code"]) == ([400, 400, 400], 429, "throttled")
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert state(signed_request) == before


@pytest.mark.usefixtures("few_tries")
def test_a_repeat_under_a_key_counts_as_a_try_for_its_refusal_would_tell_the_password(
    world: World, signed_request: Request
) -> None:
    path, mia, key = path_of(signed_request, "decide/"), of(world.mia), {"Idempotency-Key": "sign"}
    bodies = [{"decision": "approve", "password": password} for password in (PASSWORD, "a", "b", "c")]
    assert [mia.api("post", path, body, **key).status_code for body in bodies] == [200, 422, 422, 429]


@pytest.mark.usefixtures("few_tries")
def test_answers_without_a_password_are_not_limited(world: World) -> None:
    request = ask(world.rita, level("one", world.mia, abstain=True))
    mia, path = of(world.mia), path_of(request, "decide/")
    assert [mia.api("post", path, {"decision": "no"}).status_code for _ in range(5)] == [400] * 5
