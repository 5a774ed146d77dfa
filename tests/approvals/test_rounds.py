from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from apps.approvals.models import Approval, ApprovalLevel, Decision, Seat
from apps.core import clock
from apps.core.errors import AlreadyDecided, InvalidInput, NotPermitted, TransitionNotAllowed
from apps.requests.models import Request
from apps.requests.selectors import tasks_of
from apps.requests.services.work import complete_task
from tests.factories import PASSWORD, make_person, make_team, refusal
from tests.factories.approvals import (
    ALL,
    approval_of,
    ask,
    decide,
    delegate,
    leave,
    level,
    lose_role,
    make_people,
    open_incidents,
    per_group,
    quorum,
    sentences,
    sitting,
    status_of,
    told,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def five(world):
    return make_people("anna", "ben", "carl", "dora", "emil")


def answers(request: Request, people, verdicts: str) -> tuple[str, int]:
    """The people answer in order, a letter each: a(pprove), r(eject), x (abstain), - (nothing)."""
    said = {"a": "approve", "r": "reject", "x": "abstain"}
    for user, letter in zip(people, verdicts, strict=True):
        if letter in said:
            decide(request, user, said[letter])
    return status_of(request)


# ------------------------------------------------------------------------------------------ vote rules


@pytest.mark.parametrize(
    ("rule", "verdicts", "status"),
    [
        ({"kind": "any"}, "--a--", "approved"),
        ({"kind": "any"}, "--r--", "rejected"),
        (ALL, "aaaa-", "pending"),
        (ALL, "aaaaa", "approved"),
        (ALL, "xaaaa", "approved"),
        ({"kind": "majority"}, "aa---", "pending"),
        ({"kind": "majority"}, "aaa--", "approved"),
        ({"kind": "majority"}, "xxaa-", "approved"),
        (quorum(2), "a----", "pending"),
        (quorum(2), "a-a--", "approved"),
        ({"kind": "percent", "p": 60}, "aaa--", "approved"),
        ({"kind": "percent", "p": 61}, "aaa--", "pending"),
        ({"kind": "percent", "p": 61}, "aaaa-", "approved"),
        ({"kind": "all_then_any"}, "arrr-", "pending"),
        ({"kind": "all_then_any"}, "arrrr", "approved"),
        ({"kind": "all_then_any"}, "rrrrr", "rejected"),
        ({"kind": "all_then_any"}, "xxxxx", "rejected"),
    ],
)
def test_a_level_is_decided_by_its_rule(world, five, rule, verdicts, status):
    request = ask(world.requester, level("one", *five, rule=rule, abstain=True))
    assert answers(request, five, verdicts) == (status, 0)


@pytest.mark.parametrize(
    ("reject", "verdicts", "status"),
    [
        ({"kind": "majority"}, "rr---", "pending"),
        ({"kind": "majority"}, "rrr--", "rejected"),
        (quorum(2), "ra---", "pending"),
        (quorum(2), "rar--", "rejected"),
        ({"kind": "percent", "p": 40}, "rr---", "rejected"),
        (ALL, "a----", "pending"),
    ],
)
def test_a_level_is_rejected_by_its_reject_rule(world, five, reject, verdicts, status):
    request = ask(world.requester, level("one", *five, rule={"kind": "majority"}, reject=reject))
    assert answers(request, five, verdicts) == (status, 0)


def test_a_level_that_cannot_be_approved_any_more_ends_at_once(world, five):
    request = ask(world.requester, level("one", *five, rule=quorum(4), reject=quorum(4)))
    assert answers(request, five, "rr---") == ("rejected", 0)


def test_a_sign_off_of_each_group_is_needed(world, five):
    anna, ben, carl, *_ = five
    request = ask(world.requester, level("one", rule=per_group(law=[anna, ben], money=[carl])))
    decide(request, anna)
    decide(request, ben)
    assert status_of(request) == ("pending", 0)
    decide(request, carl)
    assert status_of(request) == ("approved", 0)


def tied(world, four, chair):
    rule = {"rule": {"kind": "majority"}, "reject": {"kind": "majority"}, "chair": {"person": chair.username}}
    request = ask(world.requester, level("one", *four, **rule))
    answers(request, four, "arar")
    return request


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_a_tie_goes_to_the_chair_whose_word_is_the_last(world, five, verdict):
    request = tied(world, five[:4], five[4])
    assert (status_of(request), sitting(request)[-1]) == (("pending", 0), "emil")
    decide(request, five[4], verdict)
    assert status_of(request)[0] == {"approve": "approved", "reject": "rejected"}[verdict]


def test_a_chair_who_has_voted_decides_the_tie_too(world, five):
    request = tied(world, five[:4], five[0])
    assert sitting(request) == ["anna", "anna", "ben", "carl", "dora"]
    decide(request, five[0])
    assert status_of(request) == ("approved", 0)
    assert Decision.objects.filter(by=five[0]).count() == 2


def test_a_chair_does_not_abstain(world, five):
    rule = {"rule": {"kind": "majority"}, "reject": {"kind": "majority"}, "chair": {"person": "emil"}, "abstain": True}
    request = ask(world.requester, level("one", *five[:2], **rule))
    answers(request, five[:2], "ar")
    with refusal(TransitionNotAllowed):
        decide(request, five[4], "abstain")


def test_a_chair_who_is_away_is_stood_in_for(world, five):
    delegate(five[4], world.manager)
    request = tied(world, five[:4], five[4])
    assert "manager for emil" in sitting(request)


def test_a_chair_who_left_is_stood_in_for_by_the_fallback(world, five):
    leave(five[4])
    request = tied(world, five[:4], five[4])
    assert "administrator" in sitting(request)
    decide(request, world.administrator)
    assert status_of(request) == ("approved", 0)


def test_a_tie_without_chair_is_rejected(world, five):
    levels = level("one", *five[:4], rule={"kind": "majority"}, reject={"kind": "majority"})
    assert answers(ask(world.requester, levels), five[:4], "arar") == ("rejected", 0)


# ------------------------------------------------------------------------------------------ levels and rounds

CHEAP = {"amount": {"amount": "100"}}


def test_levels_whose_guard_does_not_hold_are_skipped_and_the_history_says_which(world, five):
    anna, ben, *_ = five
    dear = level("two", ben, when="request.data.amount > 1000.0")
    request = ask(world.requester, level("one", anna), dear, level("three", ben), data=CHEAP)
    decide(request, anna)
    assert status_of(request) == ("pending", 2)
    assert [(row.index, row.skipped) for row in ApprovalLevel.objects.exclude(skipped="")] == [
        (1, "does not apply: request.data.amount > 1000.0")
    ]
    assert sentences(request, anna, "approval.level_skipped") == [
        "Service Flow skipped level 2 “Two”: amount is not above 1000"
    ]


def test_a_request_none_of_whose_levels_apply_is_approved_at_once(world, five):
    request = ask(world.requester, level("one", five[0], when="request.data.amount > 1000.0"), data=CHEAP)
    assert status_of(request) == ("approved", 0)
    assert [task.name for task in tasks_of(request)] == ["Work"]


def come_again(request: Request, world, **data) -> None:
    """The requester mends the request, with these fields changed, and hands it in again."""
    if data:
        current = Request.objects.get(pk=request.pk)
        Request.objects.filter(pk=request.pk).update(data={**current.data, **data})
    complete_task(tasks_of(request).get(status="open"), comment="mended", actor=world.requester)


def returned(world, five, **policy) -> Request:
    anna, ben, *_ = five
    request = ask(world.requester, level("one", anna), level("two", ben), **policy)
    decide(request, anna)
    decide(request, ben, "return")
    return request


def test_a_return_restarts_at_the_first_level(world, five):
    request = returned(world, five)
    come_again(request, world)
    assert (status_of(request), sitting(request)) == (("pending", 0), ["anna"])


def test_a_return_resumes_at_the_level_that_asked_if_nothing_that_matters_changed(world, five):
    request = returned(world, five, returns="resume", matters=["amount"])
    come_again(request, world, reason="another one")
    assert (status_of(request), sitting(request)) == (("pending", 1), ["ben"])
    assert approval_of(request).resumed == Approval.objects.earliest("id")
    assert sentences(request, world.requester, "approval.level_skipped") == [
        "Service Flow skipped level 1 “One”: it was approved before the request was sent back"
    ]
    decide(request, five[1])
    assert status_of(request) == ("approved", 1)


def test_a_return_restarts_if_something_that_matters_changed(world, five):
    request = returned(world, five, returns="resume", matters=["reason"])
    come_again(request, world, reason="another one")
    assert (status_of(request), sitting(request), approval_of(request).resumed) == (("pending", 0), ["anna"], None)


def test_a_round_that_resumes_twice_still_knows_its_first_answers(world, five):
    rules = {"returns": "resume", "separation": ["distinct_levels"], "separation_empties": "skip"}
    anna, ben, *_ = five
    request = ask(world.requester, level("one", anna), level("two", ben), level("three", anna, five[2]), **rules)
    decide(request, anna)
    for _ in range(2):
        decide(request, ben, "return")
        come_again(request, world)
    decide(request, ben)
    assert (status_of(request), sitting(request)) == (("pending", 2), ["carl"])


def test_a_policy_that_never_returns_takes_no_return(world, five):
    request = ask(world.requester, level("one", five[0]), returns="never")
    with refusal(TransitionNotAllowed, "cannot be sent back"):
        decide(request, five[0], "return")
    assert status_of(request) == ("pending", 0)


# ------------------------------------------------------------------------------------------ earlier answers


def test_an_earlier_approval_of_the_same_person_counts_again(world, five):
    anna, ben, *_ = five
    request = ask(world.requester, level("one", anna), level("two", anna, ben, rule=ALL), earlier_answers="count")
    decide(request, anna)
    assert status_of(request) == ("pending", 1)
    again = Decision.objects.get(seat__level__index=1)
    assert (again.by, again.counted) == (anna, Decision.objects.get(seat__level__index=0))
    decide(request, ben)
    assert status_of(request) == ("approved", 1)


def test_levels_that_earlier_answers_decide_pass_by_themselves(world, five):
    anna = five[0]
    levels = level("one", anna), level("two", anna), level("three", anna, five[1])
    request = ask(world.requester, *levels, earlier_answers="count")
    decide(request, anna)
    assert status_of(request) == ("approved", 2)
    assert [tasks.name for tasks in tasks_of(request)] == ["Work"]


def test_an_earlier_answer_for_somebody_does_not_count_as_ones_own(world, five):
    anna, ben, *_ = five
    delegate(anna, ben)
    request = ask(world.requester, level("one", anna), level("two", ben), earlier_answers="count")
    decide(request, ben)
    assert (status_of(request), sitting(request)) == (("pending", 1), ["ben"])


def test_earlier_answers_are_asked_for_again_by_default(world, five):
    request = ask(world.requester, level("one", five[0]), level("two", five[0]))
    decide(request, five[0])
    assert status_of(request) == ("pending", 1)


# ------------------------------------------------------------------------------------------ signed answers


def signed_level(*people):
    return level("one", *people, reauthenticate={"meaning": "I reviewed it"})


def test_a_signed_answer_keeps_its_meaning_the_printed_name_and_the_time(world):
    anna = make_person("anna", last_name="Ash")
    request = ask(world.requester, signed_level(anna))
    at = clock.now() + timedelta(hours=1)
    with time_machine.travel(at, tick=False):
        decide(request, anna, password=PASSWORD)
    signed = Decision.objects.get()
    assert (signed.meaning, signed.signed_as, signed.at) == ("I reviewed it", "Anna Ash (anna)", at)
    assert status_of(request) == ("approved", 0)


@pytest.mark.parametrize("password", [None, "", "wrong", 7, PASSWORD.upper()])
@pytest.mark.parametrize("verdict", ["approve", "reject", "return"])
def test_a_signed_answer_without_the_right_password_moves_nothing(world, five, password, verdict):
    request = ask(world.requester, signed_level(five[0]))
    with refusal(InvalidInput) as refused:
        decide(request, five[0], verdict, password=password)
    assert list(refused.value.errors) == ["password"]
    assert (status_of(request), Decision.objects.count()) == (("pending", 0), 0)


def test_an_answer_that_need_not_be_signed_is_not(world, five):
    request = ask(world.requester, level("one", five[0]))
    decide(request, five[0], password=PASSWORD)
    assert Decision.objects.values_list("meaning", "signed_as").get() == ("", "")


# ------------------------------------------------------------------------------------------ who may not


def test_who_lost_the_role_they_were_asked_in_may_not_answer(world):
    anna = make_person("anna", roles=["law"])
    request = ask(world.requester, level("one", {"role": "law"}))
    lose_role(anna, "law")
    with refusal(NotPermitted, "no longer"):
        decide(request, anna)
    assert status_of(request) == ("pending", 0)


def test_who_left_the_team_they_were_asked_in_may_not_answer_nor_their_deputy(world, five):
    anna, ben, *_ = five
    team = make_team("law", anna)
    delegate(anna, ben)
    request = ask(world.requester, level("one", {"team": "law"}))
    team.group.user_set.clear()
    with refusal(NotPermitted, "no longer"):
        decide(request, ben)


@pytest.mark.parametrize("gone", ["anna", "ben"])
def test_who_is_deactivated_may_not_answer_nor_anybody_for_them(world, five, gone):
    anna, ben, *_ = five
    delegate(anna, ben)
    request = ask(world.requester, level("one", anna))
    leave({"anna": anna, "ben": ben}[gone])
    with refusal(NotPermitted):
        decide(request, ben)
    assert Seat.objects.filter(decision=None).count() == 1


def test_a_principal_does_not_answer_on_the_seat_their_deputy_holds(world, five):
    anna, ben, *_ = five
    delegate(anna, ben)
    request = ask(world.requester, level("one", anna))
    with refusal(NotPermitted):
        decide(request, anna)
    decide(request, ben)
    assert told(request, "approval.decided")[0]["for"] == anna.pk


def test_an_answer_after_the_end_is_recorded_nowhere(world, five):
    request = ask(world.requester, level("one", *five))
    decide(request, five[0])
    with refusal(AlreadyDecided):
        decide(request, five[1], "reject")
    assert (status_of(request), open_incidents(request)) == (("approved", 0), [])
