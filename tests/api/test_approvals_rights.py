"""Who may do what to an approval, by exact answers."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group

from apps.accounts.models import User
from apps.approvals.models import Seat
from apps.requests.models import Request
from tests.api.approval_calls import WHY, of, path_of, state
from tests.api.conftest import Client, World
from tests.factories import make_person
from tests.factories.approvals import ask, decide, delegate, level, make_people, quorum, seat_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sla")]


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
