"""Approvals over the API: what is shown, signed answers, seats that change hands, and who may do what."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import override_settings

from apps.accounts.models import User
from apps.api.models import IdempotencyKey
from apps.approvals.models import Approval, Decision, Seat
from apps.outbox.models import Event, Note
from apps.requests.models import Request
from apps.workflows.models import Timer, WorkflowRun
from tests.api.conftest import Client, World
from tests.factories import PASSWORD, make_calendar, make_person, make_sla, row_counts
from tests.factories.approvals import (
    ALL,
    approval_of,
    ask,
    decide,
    delegate,
    leave,
    level,
    make_people,
    per_group,
    quorum,
    seat_of,
    sitting,
)

pytestmark = pytest.mark.django_db
WHY = {"reason": "Because"}
SIGNED = {"meaning": "I have read the contract."}


@pytest.fixture(autouse=True)
def _sla(world: World) -> None:
    make_sla()


def of(user: User) -> Client:
    return Client().of(user)


def path_of(request: Request, move: str = "") -> str:
    return f"/approvals/{approval_of(request).pk}/{move}"


def shown(user: User, request: Request) -> dict[str, Any]:
    found: dict[str, Any] = of(user).api("get", path_of(request)).json()
    return found


def state(request: Request) -> tuple[Any, ...]:
    """Everything that a change of a round could move."""
    seats = list(Seat.objects.order_by("id").values_list("user_id", "principal_id", "left_at"))
    rounds = list(Approval.objects.order_by("id").values_list("status", "level"))
    counts = (row_counts(), Decision.objects.count(), Note.objects.count(), IdempotencyKey.objects.count())
    run = WorkflowRun.objects.get(pk=request.run_id).marking
    return counts, seats, rounds, run, Request.objects.get(pk=request.pk).revision


# what is shown


def test_a_level_says_what_it_asks_and_whom_it_waits_for(world: World) -> None:
    ann, ben, _ = make_people("ann", "ben", "cleo")
    make_calendar("office")
    one = level(
        "board",
        rule=per_group(legal=[ann], money=[ben]),
        reject=quorum(2),
        chair={"person": "cleo"},
        abstain=True,
        comment="on_any",
        reauthenticate=SIGNED,
        deadline={"business_seconds": 3600, "then": "escalate", "to": [{"person": "cleo"}]},
    )
    request = ask(world.rita, one, returns="never")
    due = Timer.objects.get().due_at.isoformat().replace("+00:00", "Z")
    (board,) = shown(ann, request)["levels"]
    nothing: dict[str, Any] = {"n": None, "p": None, "groups": []}
    assert board.pop("seats") != []
    assert board.pop("opened_at") is not None
    assert board == {
        "index": 0,
        "key": "board",
        "name": "Board",
        "skipped": "",
        "rule": {**nothing, "kind": "per_group", "groups": [{"id": "legal", "n": 1}, {"id": "money", "n": 1}]},
        "reject": {**nothing, "kind": "quorum", "n": 2},
        "chair": {"person": "cleo"},
        "can_abstain": True,
        "can_return": False,
        "comment": "on_any",
        "meaning": "I have read the contract.",
        "due_at": due,
        "then": "escalate",
        "missing": ["ann", "ben"],
    }  # fmt: skip


def test_a_level_that_hears_everybody_has_no_rule_that_rejects(world: World) -> None:
    ann, ben = make_people("ann", "ben")
    request = ask(world.rita, level("all", ann, ben, rule={"kind": "all_then_any"}))
    decide(request, ann)
    (one,) = shown(ben, request)["levels"]
    assert (one["reject"], one["missing"], one["due_at"], one["then"]) == (None, ["ben"], None, None)


def test_a_seat_says_for_whom_it_is_and_one_that_was_given_up_says_why(world: World) -> None:
    ann, ben, cleo = make_people("ann", "ben", "cleo")
    delegate(ann, ben)
    request = ask(world.rita, level("one", ann), level("two", cleo))
    of(ben).api("post", path_of(request, "reassign/"), {"seat": seat_of(request, ben).pk, "user": "cleo", **WHY})
    of(cleo).api("post", path_of(request, "decide/"), {"decision": "approve", "comment": "Fine"})
    one, two = shown(cleo, request)["levels"]
    keys = ("user", "for", "because", "groups", "decides", "left_because")
    assert [{key: seat[key] for key in keys} for seat in one["seats"]] == [
        {"user": "ben", "for": "ann", "because": {"person": "ann"}, "groups": [], "decides": False,
         "left_because": "reassigned"},
        {"user": "cleo", "for": "ann", "because": {"person": "ann"}, "groups": [], "decides": False,
         "left_because": None},
    ]  # fmt: skip
    assert [seat["left_at"] is None for seat in one["seats"]] == [False, True]
    given = one["seats"][1]["decision"]
    assert given.pop("at") is not None
    assert given == {
        "verdict": "approve", "by": "cleo", "for": "ann", "comment": "Fine", "counted": False, "meaning": "",
        "signed_as": "",
    }  # fmt: skip
    assert (one["missing"], two["missing"]) == ([], ["cleo"])


def test_an_earlier_answer_that_counts_again_says_so(world: World) -> None:
    ann, ben = make_people("ann", "ben")
    levels = (level("one", ann), level("two", ann, ben, rule=ALL))
    request = ask(world.rita, *levels, separation=[], earlier_answers="count")
    decide(request, ann)
    _, two = shown(ben, request)["levels"]
    assert [seat["decision"] and seat["decision"]["counted"] for seat in two["seats"]] == [True, None]


def test_an_approval_has_the_entity_tag_of_its_request(world: World) -> None:
    (ann,) = make_people("ann")
    request = ask(world.rita, level("one", ann))
    tag = of(ann).api("get", path_of(request))["ETag"]
    assert tag == f'"{request.revision}"'
    before = state(request)
    answer = of(ann).api("post", path_of(request, "decide/"), {"decision": "approve"}, **{"If-Match": '"1"'})
    assert (answer.status_code, state(request)) == (412, before)
    assert (
        of(ann).api("post", path_of(request, "decide/"), {"decision": "approve"}, **{"If-Match": tag}).status_code
        == 200
    )


def test_an_answer_for_a_seat_that_was_shown_decides_no_later_level(world: World) -> None:
    (ann,) = make_people("ann")
    request = ask(world.rita, level("one", ann), level("two", ann))
    body = {"decision": "approve", "seat": seat_of(request, ann).pk}
    assert of(ann).api("post", path_of(request, "decide/"), body).json()["level"] == 1
    before = state(request)
    answer = of(ann).api("post", path_of(request, "decide/"), body)
    assert (answer.status_code, answer.json()["code"], state(request)) == (409, "already_decided", before)


# signed answers


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


# seats that change hands


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


# rights, exact answers

EVERYBODY = ("rita", "ann", "ben", "dora", "cleo", "wim", "ivo", "stan", "olga", "aude", "nobody")
SEEN = dict.fromkeys(EVERYBODY, 403) | {"stan": 404, "nobody": 401}
ALLOWED = {
    "decide": {"ann", "dora"},
    "reassign": {"dora", "ivo", "olga"},
    "add": {"ivo", "olga"},
    "close": {"cleo"},
    "override": {"olga"},
    "withdraw": {"rita"},
}
LATE = {"decide": {"ben"}}  # who had a seat and gave it up is told so


@pytest.fixture
def voted_request(world: World) -> tuple[Request, dict[str, Client]]:
    """A vote of three: Ann and Eva, and Dora who answers for Paul; Eva has answered. Ben gave his seat to Eva.

    Rita asks, Cleo has the chair, Wim works in the team that Ivo leads, Olga administers, Aude audits, Stan is nobody.
    """
    ann, ben, cleo, dora, eva, paul, wim = make_people("ann", "ben", "cleo", "dora", "eva", "paul", "wim")
    make_person("fred")
    olga, aude = make_person("olga", roles=["administrator"]), make_person("aude", roles=["auditor"])
    delegate(paul, dora)
    wim.groups.add(Group.objects.get(team__key="it"))
    request = ask(
        world.rita, level("vote", ann, ben, paul, rule={"kind": "majority"}, chair={"person": "cleo"}, reject=quorum(3))
    )
    Request.objects.filter(pk=request.pk).update(team=wim.groups.get().team)
    _let_the_team_see(request, wim)
    of(ben).api("post", path_of(request, "reassign/"), {"seat": seat_of(request, ben).pk, "user": "eva", **WHY})
    decide(request, eva)
    people = {"ann": ann, "ben": ben, "cleo": cleo, "dora": dora, "wim": wim, "olga": olga, "aude": aude}
    people |= {"rita": world.rita, "ivo": world.ivo, "stan": world.stan}
    return request, {name: of(user) for name, user in people.items()} | {"nobody": Client()}


def _let_the_team_see(request: Request, member: User) -> None:
    principal = next(one for one in member.principals if not one.startswith("user:"))
    request.participants.create(principal=principal, relation="team", sort_key=request.pk)


def send(request: Request, client: Client, move: str, **headers: str) -> Any:
    dora = Seat.objects.get(user__username="dora").pk
    bodies: dict[str, Any] = {
        "decide": {"decision": "abstain"},
        "reassign": {"seat": dora, "user": "fred", **WHY},
        "add": {"user": "fred", **WHY},
        "close": WHY,
        "override": {"decision": "approve", **WHY},
        "withdraw": WHY,
    }
    if move == "decide":
        bodies["decide"] = {"decision": "approve"}
    return client.api("post", path_of(request, f"{move}/"), bodies[move], **headers)


@pytest.mark.parametrize("move", ALLOWED)
def test_who_may_not_moves_nothing(voted_request: tuple[Request, dict[str, Client]], move: str) -> None:
    request, people = voted_request
    before = state(request)
    refused = {name: SEEN[name] for name in EVERYBODY if name not in ALLOWED[move]}
    refused |= dict.fromkeys(LATE.get(move, ()), 409)
    assert {name: send(request, people[name], move).status_code for name in refused} == refused
    assert state(request) == before


@pytest.mark.parametrize(("move", "name"), [(move, name) for move, names in ALLOWED.items() for name in sorted(names)])
def test_who_may_does(voted_request: tuple[Request, dict[str, Client]], move: str, name: str) -> None:
    request, people = voted_request
    before = state(request)
    assert send(request, people[name], move, **{"If-Match": '"1"'}).status_code == 412
    assert state(request) == before
    answer = send(request, people[name], move, **{"Idempotency-Key": "once"})
    moved = state(request)
    again = send(request, people[name], move, **{"Idempotency-Key": "once"})
    assert (answer.status_code, again.status_code, again.json()) == (200, 200, answer.json())
    assert before != moved == state(request)


@pytest.mark.parametrize("move", ALLOWED)
def test_after_its_end_nothing_can_be_changed(voted_request: tuple[Request, dict[str, Client]], move: str) -> None:
    request, people = voted_request
    path, (actor, *_) = path_of(request), sorted(ALLOWED[move])
    send(request, people["olga"], "override")
    before = state(request)
    answer = send(request, people[actor], move)
    assert (answer.status_code, answer.json()["code"], state(request)) == (409, "already_decided", before)
    assert people[actor].api("get", path).json()["status"] == "approved"
