"""Many answers in one call: each row is judged by itself, the good ones count, a repeat goes on where it stopped."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.test import override_settings

from apps.api.models import IdempotencyKey
from apps.approvals.models import Approval, Decision
from apps.requests.models import Request
from tests.api.conftest import Client, World
from tests.factories import PASSWORD, make_person, make_request, make_sla, row_counts
from tests.factories.approvals import approval_of, level, make_approval_item

pytestmark = pytest.mark.django_db
PATH = "/approvals/decide/"
KEY = {"Idempotency-Key": "monday"}
SIGNED = {"meaning": "I have read it."}


@pytest.fixture
def three(world: World) -> list[int]:
    """Three approvals that wait for Mia."""
    make_sla()
    item = make_approval_item(level("one", world.mia, comment="on_reject"))
    return [approval_of(make_request(item, world.rita)).pk for _ in range(3)]


@pytest.fixture
def signed(world: World, three: list[int]) -> list[int]:
    """Two that wait for her signed answer."""
    item = make_approval_item(level("one", world.mia, reauthenticate=SIGNED), key="signed")
    return [approval_of(make_request(item, world.rita)).pk for _ in range(2)]


def approve(approval: Any, **more: Any) -> dict[str, Any]:
    return {"approval": approval, "decision": "approve", **more}


def send(client: Client, *rows: Any, **headers: str) -> Any:
    answer = client.api("post", PATH, {"decisions": list(rows)}, **headers)
    assert answer.status_code == 200, answer.content
    return answer.json()


def results(answer: Any, *keys: str) -> list[tuple[Any, ...]]:
    return [tuple(row[key] for key in keys) for row in answer["results"]]


def decided() -> set[int]:
    return set(Decision.objects.values_list("seat__level__approval", flat=True))


def state() -> tuple[Any, ...]:
    return row_counts(), list(Approval.objects.order_by("id").values_list("status")), Decision.objects.count()


def test_every_row_gets_its_answer(world: World, three: list[int]) -> None:
    rows = [approve(three[0]), {"approval": three[1], "decision": "reject", "comment": "Too dear"}]
    assert send(world.client("mia"), *rows) == {
        "decided": 2,
        "refused": 0,
        "results": [
            {
                "row": n,
                "approval": three[n],
                "status": 200,
                "code": "decided",
                "detail": "",
                "errors": {},
                "result": end,
            }
            for n, end in enumerate(["approved", "rejected"])
        ],
    }
    assert decided() == set(three[:2])


def test_a_refused_row_says_why_and_the_others_count(world: World, three: list[int]) -> None:
    stranger = make_person("zoe")
    item = make_approval_item(level("one", stranger), key="hers")
    foreign = approval_of(make_request(item, world.stan)).pk
    before = Request.objects.get(stream__approvals=foreign).revision
    answer = send(
        world.client("mia"),
        approve(foreign),
        {"approval": three[0], "decision": "reject"},
        approve(three[1]),
        approve(three[1]),
        approve(10**9),
        approve(three[2], decision="maybe"),
    )
    assert (answer["decided"], answer["refused"]) == (1, 5)
    assert results(answer, "row", "approval", "status", "code", "result") == [
        (0, foreign, 404, "not_found", None),
        (1, three[0], 400, "invalid", None),
        (2, three[1], 200, "decided", "approved"),
        (3, three[1], 400, "invalid", None),
        (4, 10**9, 404, "not_found", None),
        (5, three[2], 400, "invalid", None),
    ]
    assert [row["errors"] for row in answer["results"]] == [
        {},
        {"comment": ["Please say why."]},
        {},
        {"approval": ["Row 2 answers this approval already."]},
        {},
        {"decision": ["This must be one of approve, reject, return, abstain."]},
    ]
    assert decided() == {three[1]}
    assert Request.objects.get(stream__approvals=foreign).revision == before


MALFORMED: list[tuple[Any, int | None, dict[str, list[str]]]] = [
    (7, None, {"row": ["This must be an object."]}),
    (None, None, {"row": ["This must be an object."]}),
    (["approve"], None, {"row": ["This must be an object."]}),
    ({}, None, {"approval": ["This field is required."], "decision": ["This field is required."]}),
    ({"approval": "1", "decision": 7}, None,
     {"approval": ["This must be a whole number."], "decision": ["This must be text."]}),
    ({"approval": True, "decision": "approve"}, None, {"approval": ["This must be a whole number."]}),
    ({"approval": 1.0, "decision": "approve"}, None, {"approval": ["This must be a whole number."]}),
    ({"approval": -1, "decision": "approve", "vote": 1}, -1, {"vote": ["There is no such field."]}),
    ({"approval": 1, "decision": "approve", "password": 7, "comment": []}, 1,
     {"password": ["This must be text."], "comment": ["This must be text."]}),
]  # fmt: skip


@pytest.mark.parametrize(("row", "named", "errors"), MALFORMED, ids=[str(case[0])[:40] for case in MALFORMED])
def test_a_malformed_row_is_refused_and_the_next_counts(
    world: World, three: list[int], row: Any, named: int | None, errors: dict[str, list[str]]
) -> None:
    answer = send(world.client("mia"), row, approve(three[0]))
    first = answer["results"][0]
    assert (first["approval"], first["status"], first["code"], first["errors"]) == (named, 400, "invalid", errors)
    assert (answer["decided"], answer["refused"], decided()) == (1, 1, {three[0]})


def test_an_answer_that_is_too_late_is_told_in_its_row(world: World, three: list[int]) -> None:
    mia = world.client("mia")
    send(mia, approve(three[0]))
    before = state()
    assert results(send(mia, approve(three[0])), "status", "code") == [(409, "already_decided")]
    assert state() == before


@pytest.mark.parametrize("rows", [[], [{}] * 101], ids=["none", "too many"])
def test_a_call_has_one_to_a_hundred_rows(world: World, three: list[int], rows: list[Any]) -> None:
    before = state()
    answer = world.client("mia").api("post", PATH, {"decisions": rows})
    told = {"decisions": ["Give 1 to 100 answers in a call."]}
    assert (answer.status_code, answer.json()["errors"], state()) == (400, told, before)


@pytest.mark.parametrize("body", [{}, {"decisions": {}}, {"decisions": None}, {"decisions": [], "all": True}])
def test_a_body_of_another_shape_is_refused(world: World, three: list[int], body: Any) -> None:
    before = state()
    answer = world.client("mia").api("post", PATH, body)
    assert (answer.status_code, answer.json()["code"], state()) == (400, "invalid", before)


def test_a_hundred_rows_are_judged(world: World, three: list[int]) -> None:
    answer = send(world.client("mia"), *[approve(10**9 + n) for n in range(97)], *map(approve, three))
    assert (answer["decided"], answer["refused"], decided()) == (3, 97, set(three))


# one effect


def test_a_repeat_gives_the_same_answers_and_has_no_effect(world: World, three: list[int]) -> None:
    mia = world.client("mia")
    first = send(mia, *map(approve, three), **KEY)
    before = state()
    assert send(mia, *map(approve, three), **KEY) == first
    assert state() == before
    assert sorted(IdempotencyKey.objects.values_list("key", flat=True)) == ["monday/0", "monday/1", "monday/2"]


def test_a_repeat_goes_on_where_the_first_call_stopped(world: World, three: list[int]) -> None:
    mia = world.client("mia")
    send(mia, approve(three[0]), **KEY)  # as far as it came
    whole = send(mia, *map(approve, three), **KEY)
    assert results(whole, "status", "result") == [(200, "approved")] * 3
    assert (Decision.objects.count(), decided()) == (3, set(three))


def test_a_refused_row_is_judged_anew(world: World, three: list[int]) -> None:
    mia = world.client("mia")
    rows = [{"approval": three[0], "decision": "reject"}, approve(three[1])]
    assert results(send(mia, *rows, **KEY), "status") == [(400,), (200,)]
    rows[0]["comment"] = "Too dear"
    assert results(send(mia, *rows, **KEY), "status") == [(200,), (200,)]


def test_another_answer_under_the_key_of_a_row_is_422_in_that_row(world: World, three: list[int]) -> None:
    mia = world.client("mia")
    send(mia, approve(three[0]), **KEY)
    before = state()
    answer = send(mia, {"approval": three[0], "decision": "reject", "comment": "No"}, **KEY)
    assert (results(answer, "status", "code"), state()) == ([(422, "idempotency_key_reused")], before)


@pytest.mark.parametrize(("length", "status"), [(197, 200), (198, 400)])
def test_a_key_leaves_room_for_the_number_of_the_row(world: World, three: list[int], length: int, status: int) -> None:
    key = {"Idempotency-Key": "k" * length}
    answer = world.client("mia").api("post", PATH, {"decisions": [approve(three[0])]}, **key)
    assert (answer.status_code, len(decided())) == (status, 1 if status == 200 else 0)


# signed answers


def test_signed_rows_need_the_password_and_the_others_count(world: World, three: list[int], signed: list[int]) -> None:
    rows = [approve(signed[0], password=PASSWORD), approve(signed[1], password="wrong"), approve(three[0])]
    answer = send(world.client("mia"), *rows)
    assert results(answer, "status", "errors") == [
        (200, {}),
        (400, {"password": ["This is not your password."]}),
        (200, {}),
    ]
    assert decided() == {signed[0], three[0]}
    assert Decision.objects.get(seat__level__approval=signed[0]).signed_as == "Mia (mia)"


def test_a_signed_row_without_password_is_refused(world: World, signed: list[int]) -> None:
    before = state()
    answer = send(world.client("mia"), approve(signed[0]), approve(signed[1], password=""))
    told = {"password": ["Please enter your password: this answer is signed."]}
    assert (results(answer, "status", "errors"), state()) == ([(400, told), (400, told)], before)


@pytest.fixture
def two_tries(time_stands_still: None) -> Any:
    cache.clear()
    with override_settings(RATELIMIT_ENABLE=True, LOGIN_RATE_PER_ACCOUNT="2/m"):
        yield
    cache.clear()


@pytest.mark.usefixtures("two_tries")
def test_one_password_is_one_try_however_many_rows_have_it(world: World, three: list[int]) -> None:
    mia = world.client("mia")
    rows = [approve(one, password=PASSWORD) for one in three]
    assert send(mia, *rows)["decided"] == 3


@pytest.mark.usefixtures("two_tries")
def test_too_many_passwords_are_refused_before_any_row_is_judged(world: World, three: list[int]) -> None:
    before = state()
    rows = [approve(one, password=f"guess {one}") for one in three]
    answer = world.client("mia").api("post", PATH, {"decisions": rows})
    assert (answer.status_code, answer.json()["code"], state()) == (429, "throttled", before)
    assert 1 <= int(answer["Retry-After"]) <= 60


# rights


def test_whose_answer_is_not_asked_for_decides_nothing(world: World, three: list[int]) -> None:
    olga, aude = make_person("olga", roles=["administrator"]), make_person("aude", roles=["auditor"])
    before = state()
    people = {name: world.client(name) for name in ("rita", "stan", "ivo")}
    people |= {"olga": Client().of(olga), "aude": Client().of(aude)}
    statuses = {name: results(send(client, approve(three[0])), "status") for name, client in people.items()}
    assert statuses == {
        "rita": [(403,)], "stan": [(404,)], "ivo": [(404,)], "olga": [(403,)], "aude": [(403,)],
    }  # fmt: skip
    assert Client().api("post", PATH, {"decisions": [approve(three[0])]}).status_code == 401
    assert state() == before
