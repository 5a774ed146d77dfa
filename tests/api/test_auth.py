"""Logging in, staying in, logging out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.conf import settings
from django.core.cache import cache

from apps.accounts.services import redeem_ticket
from apps.core import clock
from tests.api.conftest import Client, World
from tests.factories import PASSWORD


def _log_in(**credentials: Any) -> Any:
    return Client().api("post", "/auth/token/", {"username": "rita", "password": PASSWORD, **credentials})


def _refresh(token: str) -> Any:
    return Client().api("post", "/auth/token/refresh/", {"refresh": token})


def _me(access: str) -> Any:
    return Client().api("get", "/me/", Authorization=f"Bearer {access}")


def test_a_pair_opens_the_api(world: World) -> None:
    pair = _log_in().json()
    claims = jwt.decode(pair["access"], settings.SECRET_KEY, algorithms=["HS256"], audience="serviceflow")
    assert (claims["aud"], claims["token_type"], claims["user_id"]) == ("serviceflow", "access", str(world.rita.pk))
    assert _me(pair["access"]).json()["username"] == "rita"


def test_who_i_am_names_roles_teams_and_manager(world: World) -> None:
    assert world.client("ivo").api("get", "/me/").json()["teams"] == [{"key": "it", "name": "It"}]
    assert world.client("rita").api("get", "/me/").json()["manager"] == "mia"


def test_unknown_wrong_and_inactive_get_the_same_answer(world: World) -> None:
    world.stan.is_active = False
    world.stan.save()
    answers = [_log_in(username="nobody"), _log_in(password="wrong"), _log_in(username="stan")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0]["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"username": "rita"}, "password"),
        ({"username": 5, "password": "x"}, "username"),
        ({"username": "rita", "password": "x" * 1_000_000}, "password"),
        ({"username": "ri\0ta", "password": "x"}, "username"),
        ({"username": "rita", "password": "x", "otp": "1"}, "otp"),
    ],
)
def test_credentials_are_refused_by_field(db: None, body: dict[str, Any], field: str) -> None:
    answer = Client().api("post", "/auth/token/", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer", "Basic cml0YTp4", "Bearer a b", "Bearer \xff"])
def test_no_or_a_bad_token_is_401(db: None, header: str) -> None:
    answer = Client().api("get", "/me/", Authorization=header)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_an_unsigned_token_is_refused(world: World) -> None:
    forged = jwt.encode(
        {"user_id": str(world.rita.pk), "aud": "serviceflow", "token_type": "access"}, "", algorithm="none"
    )
    assert _me(forged).status_code == 401


def test_a_refresh_token_opens_nothing_but_the_next_pair(world: World) -> None:
    pair = _log_in().json()
    assert _me(pair["refresh"]).status_code == 401
    assert _refresh(pair["access"]).status_code == 401
    assert _me(_refresh(pair["refresh"]).json()["access"]).status_code == 200


def test_a_replaced_token_that_comes_back_ends_its_family(world: World) -> None:
    other = _log_in().json()
    first = _log_in().json()
    second = _refresh(first["refresh"]).json()

    assert _refresh(first["refresh"]).status_code == 401

    assert _refresh(second["refresh"]).status_code == 401
    assert _refresh(other["refresh"]).status_code == 200


def test_logging_out_ends_the_family_and_may_be_repeated(world: World) -> None:
    first = _log_in().json()
    second = _refresh(first["refresh"]).json()
    for _ in range(2):
        assert Client().api("post", "/auth/logout/", {"refresh": second["refresh"]}).status_code == 200
    assert _refresh(second["refresh"]).status_code == 401


def test_a_new_password_ends_every_token(world: World) -> None:
    pair = _log_in().json()
    world.rita.set_password("another good password")
    world.rita.save()
    assert (_me(pair["access"]).status_code, _refresh(pair["refresh"]).status_code) == (401, 401)
    assert Client().api("post", "/auth/token/verify/", {"token": pair["access"]}).status_code == 401


def test_somebody_who_left_has_no_way_in(world: World) -> None:
    pair = _log_in().json()
    world.rita.is_active = False
    world.rita.save()
    assert (_me(pair["access"]).status_code, _refresh(pair["refresh"]).status_code) == (401, 401)


def test_an_access_token_is_short(world: World) -> None:
    pair = _log_in().json()
    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        assert _me(pair["access"]).status_code == 401
        assert _refresh(pair["refresh"]).status_code == 200


def test_a_good_token_is_verified(world: World) -> None:
    answer = Client().api("post", "/auth/token/verify/", {"token": _log_in().json()["access"]})
    assert (answer.status_code, answer.json()) == (200, {})


def test_a_ticket_is_redeemed_once(world: World) -> None:
    answer = world.client("rita").api("post", "/auth/ws-ticket/")
    assert (answer.status_code, answer.json()["expires_in"]) == (201, 60)
    assert redeem_ticket(answer.json()["ticket"]) == world.rita


@pytest.fixture
def _throttled(settings: Any) -> None:
    cache.clear()
    settings.RATELIMIT_ENABLE = True
    settings.LOGIN_RATE_PER_ACCOUNT, settings.LOGIN_RATE_PER_ADDRESS = "2/m", "4/m"


@pytest.mark.usefixtures("_throttled")
def test_log_ins_are_throttled_per_account(world: World) -> None:
    with time_machine.travel("2026-11-23T10:00:00Z", tick=False):
        statuses = [_log_in(password="wrong", username=name).status_code for name in ("rita", "RITA", "rita")]
        answer = _log_in()
    assert statuses == [401, 401, 429]
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert 1 <= int(answer["Retry-After"]) <= 60


@pytest.mark.usefixtures("_throttled")
def test_log_ins_are_throttled_per_address(world: World) -> None:
    with time_machine.travel("2026-11-23T10:00:00Z", tick=False):
        statuses = [_log_in(username=f"somebody{n}").status_code for n in range(5)]
    assert statuses == [401, 401, 401, 401, 429]


@pytest.mark.usefixtures("_throttled")
def test_without_its_counters_nobody_logs_in(world: World, settings: Any) -> None:
    settings.CACHES = {
        **settings.CACHES,
        "gone": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1"},
    }
    settings.RATELIMIT_USE_CACHE = "gone"
    answer = _log_in()
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")
