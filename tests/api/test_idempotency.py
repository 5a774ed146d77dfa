"""The same key and body: the same answer and one effect."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from apps.api import idempotency
from apps.api.models import IdempotencyKey
from apps.core import clock
from apps.requests.models import Request
from tests.api.conftest import DATA, World
from tests.factories import row_counts
from tests.races import PATIENCE_S, beside

NEW: dict[str, Any] = {"item": "laptop", "data": DATA}
KEY = {"Idempotency-Key": "order-1"}


def test_a_repeat_gets_the_stored_answer_and_has_no_effect(world: World) -> None:
    rita = world.client("rita")
    first = rita.api("post", "/requests/", NEW, **KEY)
    before = row_counts()

    again = rita.api("post", "/requests/", dict(reversed(NEW.items())), **KEY)

    assert (again.status_code, again.json()) == (201, first.json())
    assert (again["ETag"], again["Location"]) == (first["ETag"], first["Location"])
    assert row_counts() == before


def test_another_body_under_the_key_is_422(world: World) -> None:
    rita = world.client("rita")
    rita.api("post", "/requests/", NEW, **KEY)
    before = row_counts()

    answer = rita.api("post", "/requests/", {**NEW, "title": "Another"}, **KEY)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert row_counts() == before


def test_another_path_under_the_key_is_422(world: World) -> None:
    number, rita = world.ask().number, world.client("rita")
    rita.api("post", f"/requests/{number}/cancel/", {}, **KEY)
    assert rita.api("post", f"/requests/{number}/submit/", {}, **KEY).status_code == 422


def test_keys_are_a_persons_own(world: World) -> None:
    first = world.client("rita").api("post", "/requests/", NEW, **KEY)
    second = world.client("mia").api("post", "/requests/", NEW, **KEY)
    assert first.json()["number"] != second.json()["number"]


def test_a_refusal_is_not_stored_but_judged_anew(world: World) -> None:
    rita = world.client("rita")
    assert rita.api("post", "/requests/", {**NEW, "data": {"reason": "Mine", "buddy": "zoe"}}, **KEY).status_code == 400
    assert IdempotencyKey.objects.count() == 0
    assert rita.api("post", "/requests/", NEW, **KEY).status_code == 201


def test_without_a_key_nothing_is_stored(world: World) -> None:
    world.ask()
    assert IdempotencyKey.objects.count() == 0


def test_a_key_is_forgotten_after_a_day(world: World) -> None:
    rita = world.client("rita")
    first = rita.api("post", "/requests/", NEW, **KEY)
    IdempotencyKey.objects.update(created_at=clock.now() - idempotency.KEPT_FOR - timedelta(seconds=1))

    second = rita.api("post", "/requests/", NEW, **KEY)

    assert second.json()["number"] != first.json()["number"]
    assert IdempotencyKey.objects.count() == 1


def test_the_stored_digest_is_no_plain_hash_of_the_body(world: World) -> None:
    world.client("rita").api("post", "/requests/", NEW, **KEY)
    row = IdempotencyKey.objects.get()
    assert (len(row.digest), row.status) == (64, 201)


@pytest.mark.parametrize("key", ["", "k" * 201, "two words", "tab\tbed", "ümlaut"])
def test_a_key_is_short_and_printable(world: World, key: str) -> None:
    answer = world.client("rita").api("post", "/requests/", NEW, **{"Idempotency-Key": key})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["Idempotency-Key"])


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_repeat_of_a_request_in_flight_waits_and_gets_its_answer(request: pytest.FixtureRequest) -> None:
    world: World = request.getfixturevalue("world")
    answers: list[Any] = []

    def repeat() -> None:
        answers.append(world.client("rita").api("post", "/requests/", NEW, **KEY))

    with transaction.atomic():
        first = world.client("rita").api("post", "/requests/", NEW, **KEY)
        thread = beside(repeat)
        thread.join(timeout=0.5)
        assert thread.is_alive()
    thread.join(PATIENCE_S)

    assert [answer.json()["number"] for answer in answers] == [first.json()["number"]]
    assert Request.objects.count() == 1
