"""No approval waits for nobody: whoever leaves, one run of the sweeps later others are asked or an operator is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.accounts.services import set_members
from apps.approvals.models import Seat
from apps.core import clock
from apps.outbox.models import Event
from apps.requests.models import Request
from apps.requests.services.rounds import override, reassign
from apps.requests.sweeps import run_sweeps
from tests.factories import Json, make_person, make_request, make_team
from tests.factories.approvals import (
    ALL,
    approval_of,
    ask,
    come_back,
    decide,
    delegate,
    leave,
    level,
    lose_role,
    make_approval_item,
    make_people,
    open_incidents,
    per_group,
    quorum,
    seat_of,
    sitting,
    status_of,
    told,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
ALONE = {"fallback": [{"role": "nobody"}]}
NOBODY = ["approval_without_approver"]


@pytest.fixture
def anna(world):
    return make_person("anna")


@pytest.fixture
def ben(world):
    return make_person("ben")


def everything(request: Request) -> tuple[object, ...]:
    """What must not change where nothing is to be done."""
    seats = Seat.objects.order_by("id").values_list("id", "user", "left_at")
    return status_of(request), list(seats), Event.objects.count(), open_incidents(request)


def statements_of_a_sweep() -> int:
    with CaptureQueriesContext(connection) as captured:
        run_sweeps()
    return len(captured)


# ------------------------------------------------------------------------------------------ ways to lose the last one

Way = Callable[[User, User], None]


def _empty_team(anna: User, ben: User) -> None:
    set_members(anna.groups.get(team__key="law").team, members=[], actor=ben)


def _make_circle(anna: User, ben: User) -> None:
    delegate(anna, ben)
    delegate(ben, anna)


def _delete_group(anna: User, ben: User) -> None:
    Group.objects.get(name="jurist").delete()


LAST: dict[str, tuple[Json, Way]] = {
    "their team is emptied": ({"team": "law"}, _empty_team),
    "they are deactivated": ({"person": "anna"}, lambda anna, ben: leave(anna)),
    "their deputies run in a circle": ({"person": "anna"}, _make_circle),
    "their role is taken from them": ({"role": "jurist"}, lambda anna, ben: lose_role(anna, "jurist")),
    "their role is deleted": ({"role": "jurist"}, _delete_group),
    "they are deactivated as lead of a team": ({"manager_of_team": "law"}, lambda anna, ben: leave(anna)),
    "they are deactivated as who a field names": ({"field": "owner"}, lambda anna, ben: leave(anna)),
    "they are deactivated as who an expression names": ({"cel": "'anna'"}, lambda anna, ben: leave(anna)),
}
WAYS = pytest.mark.parametrize(("rule", "way"), LAST.values(), ids=LAST.keys())


@pytest.fixture
def jurist(anna, ben):
    anna.groups.add(Group.objects.create(name="jurist"))
    make_team("law", anna, lead=anna)
    return anna


@WAYS
def test_when_the_last_person_is_lost_the_fallback_is_asked_within_a_sweep(world, jurist, ben, rule, way):
    request = ask(world.requester, level("one", rule), data={"owner": "anna"})
    assert sitting(request) == ["anna"]
    way(jurist, ben)
    run_sweeps()
    assert (sitting(request), open_incidents(request)) == (["administrator"], [])
    assert told(request, "approval.asked")[0]["why"] == "fallback"
    before = everything(request)
    run_sweeps()
    assert everything(request) == before
    decide(request, world.administrator)
    assert status_of(request) == ("approved", 0)


@WAYS
def test_when_the_last_person_is_lost_without_fallback_an_operator_is_told_once(world, jurist, ben, rule, way):
    request = ask(world.requester, level("one", rule), data={"owner": "anna"}, **ALONE)
    way(jurist, ben)
    run_sweeps()
    assert (status_of(request), open_incidents(request)) == (("pending", 0), NOBODY)
    before = everything(request)
    run_sweeps()
    assert everything(request) == before


def test_when_the_principal_of_a_deputy_is_deactivated_others_are_asked(world, anna, ben):
    delegate(anna, ben)
    request = ask(world.requester, level("one", anna))
    assert sitting(request) == ["ben for anna"]
    leave(anna)
    run_sweeps()
    assert sitting(request) == ["administrator"]


def test_when_the_deputy_is_deactivated_the_seat_returns_to_its_principal(world, anna, ben):
    delegate(anna, ben)
    request = ask(world.requester, level("one", anna))
    leave(ben)
    run_sweeps()
    assert (sitting(request), open_incidents(request)) == (["anna"], [])


def test_when_who_got_a_seat_by_reassigning_leaves_whom_the_rule_names_is_asked_again(world, anna, ben):
    request = ask(world.requester, level("one", anna))
    reassign(approval_of(request), seat_of(request, anna).pk, ben, reason="mine no more", actor=anna)
    leave(ben)
    run_sweeps()
    assert sitting(request) == ["anna"]


def test_when_the_chair_who_decides_leaves_the_fallback_decides(world, anna, ben):
    tie = {"rule": {"kind": "majority"}, "reject": {"kind": "majority"}, "chair": {"person": "stranger"}}
    request = ask(world.requester, level("one", anna, ben, **tie))
    decide(request, anna)
    decide(request, ben, "reject")
    leave(world.stranger)
    run_sweeps()
    assert sitting(request) == ["administrator", "anna", "ben"]
    decide(request, world.administrator)
    assert status_of(request) == ("approved", 0)


def test_a_chair_whose_deputies_run_in_a_circle_is_not_asked_again_and_again(world, anna, ben):
    tie = {"rule": {"kind": "majority"}, "reject": {"kind": "majority"}, "chair": {"person": "stranger"}}
    request = ask(world.requester, level("one", anna, ben, **tie), **ALONE)
    decide(request, anna)
    decide(request, ben, "reject")
    delegate(world.stranger, world.lead)
    delegate(world.lead, world.stranger)
    run_sweeps()
    assert open_incidents(request) == NOBODY
    before = everything(request)
    run_sweeps()
    assert everything(request) == before


def test_separation_that_empties_the_next_level_tells_an_operator_as_it_opens(world, anna):
    rules = {"separation": ["distinct_levels"], "separation_empties": "skip", **ALONE}
    request = ask(world.requester, level("one", anna), level("two", anna), **rules)
    decide(request, anna)
    assert (status_of(request), open_incidents(request)) == (("pending", 1), NOBODY)


# ------------------------------------------------------------------------------------------ the last one needed


@pytest.mark.parametrize(
    "rule",
    [quorum(2), ALL, {"kind": "percent", "p": 100}, {"kind": "all_then_any"}, {"kind": "majority"}],
    ids=lambda rule: rule["kind"],
)
def test_the_loss_of_somebody_who_is_needed_asks_the_fallback(world, anna, ben, rule):
    request = ask(world.requester, level("one", anna, ben, rule=rule))
    leave(ben)
    run_sweeps()
    assert sitting(request) == ["administrator", "anna"]
    decide(request, anna)
    if status_of(request)[0] == "pending":
        decide(request, world.administrator)
    assert status_of(request) == ("approved", 0)


def test_the_loss_of_a_whole_sign_off_group_asks_the_fallback(world, anna, ben):
    request = ask(world.requester, level("one", rule=per_group(law=[anna], money=[ben])))
    leave(ben)
    run_sweeps()
    decide(request, anna)
    assert (status_of(request), sitting(request)) == (("pending", 0), ["administrator", "anna"])
    decide(request, world.administrator)
    assert status_of(request) == ("approved", 0)


def test_who_came_to_the_role_since_is_asked_before_the_fallback(world):
    old = make_person("old", roles=["law"])
    request = ask(world.requester, level("one", {"role": "law"}))
    make_person("new", roles=["law"])
    leave(old)
    run_sweeps()
    assert sitting(request) == ["new"]
    assert told(request, "approval.asked")[0]["why"] == "replaced"


def test_who_answered_and_is_named_again_by_another_rule_does_not_sit_twice(world, ben):
    both = make_person("both", roles=["law", "administrator"])
    request = ask(world.requester, level("one", {"role": "law"}, ben, rule=quorum(2)))
    decide(request, both)
    lose_role(both, "law")
    leave(ben, world.administrator)
    run_sweeps()
    assert (status_of(request), open_incidents(request)) == (("pending", 0), NOBODY)


def test_an_answer_that_stands_stands_although_who_gave_it_left(world, anna, ben):
    request = ask(world.requester, level("one", anna, ben, rule=ALL), **ALONE)
    decide(request, anna)
    leave(anna)
    run_sweeps()
    assert open_incidents(request) == []
    decide(request, ben)
    assert status_of(request) == ("approved", 0)


def test_an_abstention_after_a_harmless_departure_makes_the_absent_needed(world, anna, ben):
    others = level("one", anna, ben, world.stranger, rule=quorum(2), reject=quorum(2), abstain=True)
    request = ask(world.requester, others, **ALONE)
    leave(anna)
    run_sweeps()
    assert open_incidents(request) == []
    decide(request, ben, "abstain")
    run_sweeps()
    assert (status_of(request), open_incidents(request)) == (("pending", 0), NOBODY)


def test_who_abstained_is_not_counted_among_those_who_could_still_approve(world):
    first, second, third = (make_person(name, roles=["law"]) for name in ("first", "second", "third"))
    levels = level("one", {"role": "law"}, rule=quorum(2), reject=quorum(2), abstain=True)
    request = ask(world.requester, levels)
    decide(request, first, "abstain")
    leave(second)
    run_sweeps()
    assert sitting(request) == ["administrator", "first", "third"]
    decide(request, third)
    decide(request, world.administrator)
    assert status_of(request) == ("approved", 0)


# ------------------------------------------------------------------------------------------ the end of a call


def test_the_call_for_an_operator_ends_when_somebody_comes_back(world, anna):
    request = ask(world.requester, level("one", anna), **ALONE)
    leave(anna)
    run_sweeps()
    assert open_incidents(request) == NOBODY
    come_back(anna)
    run_sweeps()
    assert (sitting(request), open_incidents(request)) == (["anna"], [])


def test_the_call_ends_when_somebody_has_the_role_again(world):
    first = make_person("first", roles=["law"])
    request = ask(world.requester, level("one", {"role": "law"}), **ALONE)
    lose_role(first, "law")
    run_sweeps()
    first.groups.add(Group.objects.get(name="law"))
    run_sweeps()
    assert (sitting(request), open_incidents(request)) == (["first"], [])


def test_the_call_ends_when_somebody_new_is_named_by_the_level_or_the_fallback(world, anna):
    request = ask(world.requester, level("one", {"role": "law"}), fallback=[{"role": "helper"}])
    assert open_incidents(request) == NOBODY
    make_person("new", roles=["helper"])
    run_sweeps()
    assert (sitting(request), open_incidents(request)) == (["new"], [])


def test_the_call_ends_when_the_round_ends_otherwise(world, anna):
    request = ask(world.requester, level("one", anna), **ALONE)
    leave(anna)
    run_sweeps()
    override(approval_of(request), verdict="approve", reason="nobody is left", actor=world.administrator)
    run_sweeps()
    assert (status_of(request), open_incidents(request)) == (("approved", 0), [])


# ------------------------------------------------------------------------------------------ harmless departures


def test_a_harmless_departure_changes_nothing_and_is_looked_at_once(world, anna, ben):
    make_team("law", anna, ben)
    request = ask(world.requester, level("one", {"team": "law"}))
    quiet = statements_of_a_sweep()
    leave(ben)
    before = everything(request)
    first = statements_of_a_sweep()
    assert everything(request) == before
    assert first > quiet
    assert statements_of_a_sweep() == quiet
    decide(request, anna)
    assert status_of(request) == ("approved", 0)


def test_a_deputy_who_sits_already_is_looked_at_as_little(world, anna, ben):
    request = ask(world.requester, level("one", anna, ben, rule=ALL))
    delegate(anna, ben)
    run_sweeps()
    before, again = everything(request), statements_of_a_sweep()
    assert (statements_of_a_sweep(), everything(request)) == (again, before)
    assert sitting(request) == ["anna", "ben"]


def test_open_approvals_without_trouble_cost_a_sweep_nothing(world, anna):
    item = make_approval_item(level("one", anna, deadline={"business_seconds": 3600, "then": "expire"}))
    for _ in range(10):
        make_request(item, world.requester)
    ten = statements_of_a_sweep()
    for _ in range(90):
        make_request(item, world.requester)
    assert statements_of_a_sweep() == ten


def test_many_who_leave_at_once_are_all_seen_in_one_run(world):
    people = make_people(*(f"person{n}" for n in range(12)))
    item = make_approval_item(level("one", {"field": "owner"}))
    asked = [make_request(item, world.requester, data={"reason": "x", "owner": person.username}) for person in people]
    leave(*people)
    run_sweeps(clock.now() + timedelta(minutes=1))
    assert {name for request in asked for name in sitting(request)} == {"administrator"}
