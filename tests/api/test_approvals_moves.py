"""Seats that change hands, votes that are closed, rounds that are overridden or taken back."""

from __future__ import annotations

from typing import Any

import pytest

from apps.approvals.models import Decision
from apps.outbox.models import Event
from tests.api.approval_calls import WHY, of, path_of, state
from tests.api.conftest import World
from tests.factories import make_person
from tests.factories.approvals import ALL, ask, decide, leave, level, make_people, seat_of, sitting

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sla")]


def test_a_seat_is_given_to_somebody_else_with_a_reason(world: World) -> None:
    ann, ben = make_people("ann", "ben")
    request = ask(world.rita, level("one", ann))
    body = {"seat": seat_of(request, ann).pk, "user": "ben", "reason": "Ben knows more"}
    answer = of(ann).api("post", path_of(request, "reassign/"), body)
    assert (answer.status_code, answer.json()["levels"][0]["missing"], sitting(request)) == (200, ["ben"], ["ben"])
    late = of(ann).api("post", path_of(request, "decide/"), {"decision": "approve"})
    assert (late.status_code, late.json()["code"]) == (409, "already_decided")
    assert of(ben).api("post", path_of(request, "decide/"), {"decision": "approve"}).json()["status"] == "approved"


def test_nobody_gives_away_a_seat_of_another_approval(world: World) -> None:
    ann, _ = make_people("ann", "ben")
    request = ask(world.rita, level("one", ann))
    other = ask(world.rita, level("one", ann), key="other")
    before = state(request)
    body = {"seat": seat_of(other, ann).pk, "user": "ben", **WHY}
    answer = of(ann).api("post", path_of(request, "reassign/"), body)
    assert (answer.status_code, answer.json()["code"], state(request)) == (404, "not_found", before)


def test_one_more_is_asked(world: World) -> None:
    ann, olga = make_person("ann"), make_person("olga", roles=["administrator"])
    make_person("ben")
    request = ask(world.rita, level("one", ann, rule=ALL))
    answer = of(olga).api("post", path_of(request, "add/"), {"user": "ben", **WHY})
    assert (answer.status_code, answer.json()["levels"][0]["missing"]) == (200, ["ann", "ben"])


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"user": "nobody", **WHY}, {"user": ["There is no active person with this user name."]}),
        ({"user": "gone", **WHY}, {"user": ["There is no active person with this user name."]}),
        ({"user": "ann", **WHY}, {"user": ["Ann is asked already."]}),
        ({"user": "ben", "reason": " "}, {"reason": ["Please say why."]}),
        ({"user": "ben"}, {"reason": ["This field is required."]}),
        ({"user": 7, "reason": 7, "more": 1},
         {"more": ["There is no such field."], "user": ["This must be text."], "reason": ["This must be text."]}),
    ],
    ids=["unknown", "inactive", "asked already", "blank reason", "no reason", "odd"],
)  # fmt: skip
@pytest.mark.parametrize("move", ["add", "reassign"])
def test_who_cannot_be_asked_is_named_by_the_field(world: World, body: Any, errors: Any, move: str) -> None:
    ann, _, gone = make_people("ann", "ben", "gone")
    leave(gone)
    olga = make_person("olga", roles=["administrator"])
    request = ask(world.rita, level("one", ann))
    before = state(request)
    if move == "reassign":
        body = {**body, "seat": seat_of(request, ann).pk}
    answer = of(olga).api("post", path_of(request, f"{move}/"), body)
    assert (answer.status_code, answer.json()["errors"]) == (400, errors)
    assert state(request) == before


def test_the_chair_ends_the_vote(world: World) -> None:
    ann, ben, cleo = make_people("ann", "ben", "cleo")
    request = ask(world.rita, level("one", ann, ben, rule={"kind": "majority"}, chair={"person": "cleo"}))
    early = of(cleo).api("post", path_of(request, "close/"))
    assert (early.status_code, early.json()["code"]) == (409, "transition_not_allowed")
    decide(request, ann)
    answer = of(cleo).api("post", path_of(request, "close/"), {"reason": "Enough"})
    assert (answer.status_code, answer.json()["status"]) == (200, "approved")


@pytest.mark.parametrize(("decision", "status"), [("approve", "approved"), ("reject", "rejected")])
def test_an_administrator_overrides_and_it_is_no_answer(world: World, decision: str, status: str) -> None:
    ann, olga = make_person("ann"), make_person("olga", roles=["administrator"])
    request = ask(world.rita, level("one", ann))
    answer = of(olga).api("post", path_of(request, "override/"), {"decision": decision, **WHY})
    assert (answer.status_code, answer.json()["status"], Decision.objects.count()) == (200, status, 0)
    assert Event.objects.filter(type="approval.overridden").count() == 1


@pytest.mark.parametrize("decision", ["abstain", "return", ""])
def test_an_override_approves_or_rejects(world: World, decision: str) -> None:
    ann, olga = make_person("ann"), make_person("olga", roles=["administrator"])
    request = ask(world.rita, level("one", ann))
    before = state(request)
    answer = of(olga).api("post", path_of(request, "override/"), {"decision": decision, **WHY})
    told = {"decision": ["This must be one of approve, reject."]}
    assert (answer.status_code, answer.json()["errors"], state(request)) == (400, told, before)


def test_the_requester_takes_a_round_back(world: World) -> None:
    (ann,) = make_people("ann")
    request = ask(world.rita, level("one", ann))
    answer = of(world.rita).api("post", path_of(request, "withdraw/"))
    assert (answer.status_code, answer.json()["status"]) == (200, "withdrawn")
    late = of(ann).api("post", path_of(request, "decide/"), {"decision": "approve"})
    assert (late.status_code, late.json()["code"]) == (409, "already_decided")


def test_a_round_that_is_never_returned_is_not_taken_back(world: World) -> None:
    (ann,) = make_people("ann")
    request = ask(world.rita, level("one", ann), returns="never")
    before = state(request)
    answer = of(world.rita).api("post", path_of(request, "withdraw/"))
    assert (answer.status_code, answer.json()["code"]) == (409, "transition_not_allowed")
    assert state(request) == before
