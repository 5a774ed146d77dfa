from __future__ import annotations

import pytest

from apps.approvals.models import Decision, Seat
from apps.core.errors import AlreadyDecided, InvalidInput, NotPermitted, NotVisible, TransitionNotAllowed
from apps.requests.models import Request
from apps.requests.selectors import tasks_of
from apps.requests.services.rounds import add_approver, close_vote, override, reassign, withdraw_round
from apps.requests.sweeps import run_sweeps
from tests.factories import make_person, refusal
from tests.factories.approvals import (
    ALL,
    approval_of,
    ask,
    decide,
    delegate,
    leave,
    level,
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
WHY = "because I say so"
NOT_ME = {"separation": ["not_requester"]}
TIES = {"rule": {"kind": "majority"}, "reject": {"kind": "majority"}, "chair": {"person": "carl"}}


@pytest.fixture
def three(world):
    return make_people("anna", "ben", "carl")


def seats_in_all() -> int:
    return Seat.objects.count()


# ------------------------------------------------------------------------------------------ adding


def test_an_approver_is_added_and_everybody_is_waited_for(world, three):
    anna, ben, _ = three
    request = ask(world.requester, level("one", anna, rule=ALL))
    add_approver(approval_of(request), ben, reason=WHY, actor=world.administrator)
    decide(request, anna)
    assert (status_of(request), sitting(request)) == (("pending", 0), ["anna", "ben"])
    decide(request, ben)
    assert status_of(request) == ("approved", 0)
    assert told(request, "approval.asked")[0]["why"] == "added"


def test_who_is_added_counts_in_every_sign_off_group(world, three):
    anna, ben, carl = three
    request = ask(world.requester, level("one", rule=per_group(law=[anna], money=[ben])))
    add_approver(approval_of(request), carl, reason=WHY, actor=world.administrator)
    decide(request, carl)
    assert status_of(request) == ("approved", 0)


def test_adding_somebody_ends_the_call_for_an_operator(world, three):
    ben = three[1]
    request = ask(world.requester, level("one", {"cel": "'anna'"}, rule=quorum(2)), fallback=[{"role": "nobody"}])
    assert open_incidents(request) == ["approval_without_approver"]
    add_approver(approval_of(request), ben, reason=WHY, actor=world.administrator)
    assert open_incidents(request) == []


def test_a_level_with_too_few_people_is_not_rejected_but_waits_for_one_more(world, three):
    anna, ben, _ = three
    request = ask(world.requester, level("one", {"cel": "'anna'"}, rule=quorum(2)), fallback=[{"role": "nobody"}])
    decide(request, anna)
    assert status_of(request) == ("pending", 0)
    add_approver(approval_of(request), ben, reason=WHY, actor=world.administrator)
    decide(request, ben)
    assert status_of(request) == ("approved", 0)


def test_who_is_added_where_somebody_left_comes_in_their_place(world, three):
    anna, ben, carl = three
    request = ask(world.requester, level("one", anna, ben, rule=ALL), fallback=[{"role": "nobody"}])
    leave(ben)
    run_sweeps()
    assert open_incidents(request) == ["approval_without_approver"]
    add_approver(approval_of(request), carl, reason=WHY, actor=world.administrator)
    assert (sitting(request), open_incidents(request)) == (["anna", "carl"], [])


def test_the_lead_of_the_team_that_has_the_request_may_add_and_others_may_not(world, three):
    anna, ben, _ = three
    request = ask(world.requester, level("one", anna))
    for person in (world.requester, world.stranger, anna, world.worker, world.lead):
        with refusal(NotPermitted):
            add_approver(approval_of(request), ben, reason=WHY, actor=person)
    Request.objects.filter(pk=request.pk).update(team=world.lead.leads.get())
    add_approver(approval_of(request), ben, reason=WHY, actor=world.lead)
    assert sitting(request) == ["anna", "ben"]


def test_nobody_is_added_who_sits_or_left_or_whose_duties_are_kept_apart_nor_without_a_reason(world, three):
    anna, ben, _ = three
    request = ask(world.requester, level("one", anna), **NOT_ME)
    leave(ben)
    gone = type(ben).objects.get(pk=ben.pk)
    for user, reason, error in (
        (anna, WHY, InvalidInput),
        (gone, WHY, InvalidInput),
        (world.requester, WHY, NotPermitted),
        (world.stranger, " ", InvalidInput),
    ):
        with refusal(error):
            add_approver(approval_of(request), user, reason=reason, actor=world.administrator)
    assert (sitting(request), seats_in_all()) == (["anna"], 1)


def test_nobody_is_added_after_the_end(world, three):
    request = ask(world.requester, level("one", three[0]))
    decide(request, three[0])
    with refusal(AlreadyDecided):
        add_approver(approval_of(request), three[1], reason=WHY, actor=world.administrator)


# ------------------------------------------------------------------------------------------ reassigning


def test_a_person_gives_their_own_seat_to_another_and_has_none_any_more(world, three):
    anna, ben, _ = three
    request = ask(world.requester, level("one", anna))
    old = seat_of(request, anna)
    reassign(approval_of(request), old.pk, ben, reason=WHY, actor=anna)
    assert sitting(request) == ["ben"]
    with refusal(AlreadyDecided, "given to somebody else"):
        decide(request, anna)
    decide(request, ben)
    assert status_of(request) == ("approved", 0)
    assert not Decision.objects.filter(seat=old).exists()


def test_an_administrator_reassigns_anybodys_seat_and_a_stranger_does_not(world, three):
    anna, ben, _ = three
    request = ask(world.requester, level("one", anna))
    seat = seat_of(request, anna)
    for person in (world.requester, world.stranger, ben):
        with refusal(NotPermitted):
            reassign(approval_of(request), seat.pk, ben, reason=WHY, actor=person)
    reassign(approval_of(request), seat.pk, ben, reason=WHY, actor=world.administrator)
    assert sitting(request) == ["ben"]


def test_the_seat_of_a_deputy_stays_one_for_the_same_principal_whatever_the_sweep_does(world, three):
    anna, ben, carl = three
    delegate(anna, ben)
    request = ask(world.requester, level("one", anna))
    reassign(approval_of(request), seat_of(request, ben).pk, carl, reason=WHY, actor=ben)
    assert sitting(request) == ["carl for anna"]
    run_sweeps()
    assert sitting(request) == ["carl for anna"]
    decide(request, carl)
    assert told(request, "approval.decided")[0]["for"] == anna.pk


def test_a_seat_is_not_given_to_who_may_not_have_it(world, three):
    anna, ben, carl = three
    delegate(anna, ben)
    request = ask(world.requester, level("one", anna, carl, rule=ALL), **NOT_ME)
    seat = seat_of(request, ben)
    for user, error in ((carl, InvalidInput), (anna, InvalidInput), (world.requester, NotPermitted)):
        with refusal(error):
            reassign(approval_of(request), seat.pk, user, reason=WHY, actor=ben)
    assert (sitting(request), seats_in_all()) == (["ben for anna", "carl"], 2)


def test_a_seat_with_its_answer_one_given_up_and_one_of_elsewhere_are_not_reassigned(world, three):
    anna, ben, carl = three
    request = ask(world.requester, level("one", anna, ben, rule=ALL))
    answered, given = seat_of(request, anna), seat_of(request, ben)
    decide(request, anna)
    reassign(approval_of(request), given.pk, carl, reason=WHY, actor=ben)
    for seat, error in ((answered.pk, AlreadyDecided), (given.pk, AlreadyDecided), (10**9, NotVisible)):
        with refusal(error):
            reassign(approval_of(request), seat, world.stranger, reason=WHY, actor=world.administrator)


def test_reassigning_from_somebody_who_left_ends_the_call_for_an_operator(world, three):
    anna, ben, _ = three
    request = ask(world.requester, level("one", anna), fallback=[{"role": "nobody"}])
    leave(anna)
    run_sweeps()
    assert open_incidents(request) == ["approval_without_approver"]
    reassign(approval_of(request), seat_of(request, anna).pk, ben, reason=WHY, actor=world.administrator)
    assert (sitting(request), open_incidents(request)) == (["ben"], [])


# ------------------------------------------------------------------------------------------ closing the vote


def test_the_chair_closes_the_vote_with_the_answers_given(world, three):
    anna, ben, carl = three
    request = ask(world.requester, level("one", anna, ben, world.manager, **TIES))
    decide(request, anna)
    close_vote(approval_of(request), actor=carl)
    assert status_of(request) == ("approved", 0)
    with refusal(AlreadyDecided):
        decide(request, ben, "reject")


def test_a_vote_closed_at_a_tie_is_the_chairs_to_decide(world, three):
    anna, ben, carl = three
    request = ask(world.requester, level("one", anna, ben, world.manager, **TIES))
    decide(request, anna)
    decide(request, ben, "reject")
    close_vote(approval_of(request), actor=carl)
    assert (status_of(request), sitting(request)) == (("pending", 0), ["anna", "ben", "carl"])
    with refusal(TransitionNotAllowed):
        close_vote(approval_of(request), actor=carl)
    decide(request, carl, "reject")
    assert status_of(request) == ("rejected", 0)


def test_nobody_else_closes_the_vote_nor_the_chair_before_the_first_answer(world, three):
    anna, ben, carl = three
    request = ask(world.requester, level("one", anna, ben, **TIES))
    for person in (anna, world.requester, world.administrator, make_person("root", is_superuser=True)):
        with refusal(NotPermitted):
            close_vote(approval_of(request), actor=person)
    with refusal(TransitionNotAllowed):
        close_vote(approval_of(request), actor=carl)
    assert status_of(request) == ("pending", 0)


@pytest.mark.parametrize("chair", [{}, {"chair": {"cel": "request.data.nothing"}}])
def test_a_level_without_a_chair_has_no_vote_to_close(world, three, chair):
    request = ask(world.requester, level("one", three[0], three[1], rule=ALL, **chair))
    decide(request, three[0])
    with refusal(NotPermitted):
        close_vote(approval_of(request), actor=three[0])


# ------------------------------------------------------------------------------------------ overriding


@pytest.mark.parametrize(("verdict", "status"), [("approve", "approved"), ("reject", "rejected")])
def test_an_administrator_overrides_without_a_seat_and_it_is_told_as_that(world, three, verdict, status):
    request = ask(world.requester, level("one", *three, rule=ALL), level("two", three[0]))
    override(approval_of(request), verdict=verdict, reason=WHY, actor=world.administrator)
    assert (status_of(request), Decision.objects.count()) == ((status, 0), 0)
    assert [(one["result"]) for one in told(request, "approval.overridden")] == [status]
    with refusal(AlreadyDecided):
        decide(request, three[0])


def test_only_administrators_override_and_only_with_a_reason(world, three):
    request = ask(world.requester, level("one", three[0]))
    for person in (world.requester, three[0], world.lead, make_person("iris", roles=["auditor"])):
        with refusal(NotPermitted):
            override(approval_of(request), verdict="approve", reason=WHY, actor=person)
    for verdict, reason in (("approve", " "), ("return", WHY), (None, WHY)):
        with refusal(InvalidInput):
            override(approval_of(request), verdict=verdict, reason=reason, actor=world.administrator)
    assert status_of(request) == ("pending", 0)


@pytest.mark.parametrize("fields", [{"roles": ["administrator"]}, {"is_superuser": True}])
def test_nobody_overrides_their_own_request_where_duties_are_kept_apart(world, three, fields):
    root = make_person("root", **fields)
    request = ask(root, level("one", three[0]), **NOT_ME)
    with refusal(NotPermitted, "Separation of duties"):
        override(approval_of(request), verdict="approve", reason=WHY, actor=root)
    assert status_of(request) == ("pending", 0)


# ------------------------------------------------------------------------------------------ withdrawing


def test_the_requester_takes_the_round_back_and_mends(world, three):
    request = ask(world.requester, level("one", three[0]))
    withdraw_round(approval_of(request), reason="forgot something", actor=world.requester)
    assert status_of(request) == ("withdrawn", 0)
    assert [task.name for task in tasks_of(request)] == ["Mend"]
    with refusal(AlreadyDecided):
        decide(request, three[0])
    with refusal(AlreadyDecided):
        withdraw_round(approval_of(request), actor=world.requester)


def test_nobody_else_takes_a_round_back(world, three):
    request = ask(world.requester, level("one", three[0]))
    for person in (three[0], world.administrator, world.stranger):
        with refusal(NotPermitted):
            withdraw_round(approval_of(request), actor=person)
    assert status_of(request) == ("pending", 0)


def test_a_round_that_is_never_returned_is_not_taken_back(world, three):
    request = ask(world.requester, level("one", three[0]), returns="never")
    with refusal(TransitionNotAllowed):
        withdraw_round(approval_of(request), actor=world.requester)
    assert status_of(request) == ("pending", 0)
