"""What the history says of approvals, sentence by sentence; notes stand beside."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.approvals.enums import ApprovalEvent
from apps.core import clock
from apps.requests.selectors import history_of
from apps.requests.selectors.guard_words import why_not
from apps.requests.selectors.sentences import SENTENCES
from apps.requests.services.rounds import add_approver, close_vote, override, reassign, withdraw_round
from apps.requests.sweeps import run_sweeps
from tests.factories import make_person
from tests.factories.approvals import (
    ALL,
    approval_of,
    ask,
    decide,
    delegate,
    leave,
    level,
    make_people,
    seat_of,
    sentences,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
MAJORITY = {"rule": {"kind": "majority"}, "reject": {"kind": "majority"}, "chair": {"person": "carl"}}


@pytest.fixture
def three(world):
    return make_people("anna", "ben", "carl")


def test_every_event_of_approvals_has_a_sentence_but_the_opening_which_its_levels_tell():
    assert {kind for kind in ApprovalEvent if kind not in SENTENCES} == {ApprovalEvent.OPENED}


def test_who_was_asked(world, three):
    request = ask(world.requester, level("one", *three[:2]))
    assert sentences(request, world.requester, ApprovalEvent.LEVEL_OPENED) == [
        "Service Flow asked Anna, Ben to approve “Approval”"
    ]


def test_who_was_asked_for_somebody_and_in_place_of_the_level_s_own(world, three):
    delegate(three[0], three[1])
    request = ask(world.requester, level("one", three[0]), key="first")
    assert sentences(request, world.requester, ApprovalEvent.LEVEL_OPENED) == [
        "Service Flow asked Ben for Anna to approve “Approval”"
    ]
    request = ask(world.requester, level("one", {"role": "nobody"}), key="second")
    assert sentences(request, world.requester, ApprovalEvent.LEVEL_OPENED) == [
        "Service Flow asked Administrator to approve “Approval” because nobody else could answer"
    ]


@pytest.mark.parametrize(
    ("verdict", "said"),
    [("approve", "approved"), ("reject", "rejected"), ("return", "sent back"), ("abstain", "abstained")],
)
def test_what_was_answered_and_why(world, three, verdict, said):
    request = ask(world.requester, level("one", *three[:2], rule=ALL, abstain=True))
    decide(request, three[0], verdict, comment="I saw it")
    assert sentences(request, world.requester, ApprovalEvent.DECIDED) == [f"Anna {said} (I saw it)"]


def test_b_approved_for_a(world, three):
    delegate(three[0], three[1])
    request = ask(world.requester, level("one", three[0]))
    decide(request, three[1], comment="she told me")
    assert sentences(request, world.requester, ApprovalEvent.DECIDED, ApprovalEvent.ENDED) == [
        "Ben approved for Anna (she told me)",
        "Service Flow closed the approval “Approval”: approved",
    ]


def test_an_earlier_answer_that_counts_again(world, three):
    request = ask(world.requester, level("one", three[0]), level("two", *three[:2], rule=ALL), earlier_answers="count")
    decide(request, three[0], comment="")
    assert sentences(request, world.requester, ApprovalEvent.DECIDED) == [
        "Anna approved",
        "Anna approved: the earlier answer counts again",
    ]


def test_which_level_was_skipped_and_why(world, three):
    dear = level("dear", three[1], when="request.data.amount >= 1000.0")
    request = ask(world.requester, level("one", three[0]), dear, data={"amount": {"amount": "10"}})
    decide(request, three[0])
    assert sentences(request, world.requester, ApprovalEvent.LEVEL_SKIPPED) == [
        "Service Flow skipped level 2 “Dear”: amount is below 1000"
    ]


def test_whom_the_seat_went_to_and_why(world, three):
    anna, ben, carl = three
    request = ask(world.requester, level("one", anna, rule=ALL))
    reassign(approval_of(request), seat_of(request, anna).pk, ben, reason="on leave", actor=anna)
    add_approver(approval_of(request), carl, reason="he knows", actor=world.administrator)
    away = delegate(carl, anna)
    run_sweeps()
    away.ended_at = clock.now()
    away.save()
    run_sweeps()
    leave(ben)
    run_sweeps()
    assert sentences(request, world.requester, ApprovalEvent.ASKED) == [
        "Anna asked Ben to approve “Approval” instead of Anna: the seat was given to somebody else (on leave)",
        "Administrator asked Carl to approve “Approval”: they were added (he knows)",
        "Service Flow asked Anna for Carl to approve “Approval” instead of Carl: they are away",
        "Service Flow asked Carl to approve “Approval” instead of Anna for Carl: they are back",
        "Service Flow asked Anna to approve “Approval” instead of Ben: somebody could no longer answer",
    ]


def test_that_the_fallback_was_asked(world, three):
    request = ask(world.requester, level("one", three[0]))
    leave(three[0])
    run_sweeps()
    assert sentences(request, world.requester, ApprovalEvent.ASKED) == [
        "Service Flow asked Administrator to approve “Approval” instead of Anna: nobody else could answer"
    ]


def test_that_the_vote_was_closed_and_tied(world, three):
    anna, ben, carl = three
    request = ask(world.requester, level("one", anna, ben, world.manager, **MAJORITY))
    decide(request, anna)
    decide(request, ben, "reject")
    close_vote(approval_of(request), reason="we waited long enough", actor=carl)
    assert sentences(request, world.requester, ApprovalEvent.VOTE_CLOSED, ApprovalEvent.ASKED) == [
        "Carl closed the vote on “Approval” (we waited long enough)",
        "Service Flow asked Carl to approve “Approval” instead of Manager: the votes were tied",
    ]


def test_that_it_was_overridden_by_whom_and_for_what_reason(world, three):
    request = ask(world.requester, level("one", three[0]))
    override(approval_of(request), verdict="approve", reason="the board wants it", actor=world.administrator)
    assert sentences(request, world.requester, ApprovalEvent.OVERRIDDEN, ApprovalEvent.ENDED) == [
        "Administrator overrode the approval “Approval”: approved (the board wants it)",
        "Service Flow closed the approval “Approval”: approved",
    ]


def test_that_it_was_taken_back(world, three):
    request = ask(world.requester, level("one", three[0]))
    withdraw_round(approval_of(request), reason="I forgot something", actor=world.requester)
    assert sentences(request, world.requester, ApprovalEvent.ENDED) == [
        "Requester closed the approval “Approval”: taken back (I forgot something)"
    ]


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ("escalate", "it goes to others"),
        ("approve", "that counts as approved"),
        ("reject", "that counts as rejected"),
        ("return", "it is sent back"),
        ("expire", "it expires"),
    ],
)
def test_that_time_was_running_out_and_was_up(world, three, then, words):
    to = {"to": [{"person": "carl"}]} if then == "escalate" else {}
    deadline = {"business_seconds": 3600, "then": then, "remind_at": [50], **to}
    request = ask(world.requester, level("one", three[0], deadline=deadline))
    for minutes in (31, 61):
        run_sweeps(clock.now() + timedelta(minutes=minutes))
    asked = "Service Flow asked Carl to approve “Approval” instead of Anna: nobody decided in time"
    assert sentences(
        request, world.requester, ApprovalEvent.REMINDED, ApprovalEvent.TIMED_OUT, ApprovalEvent.ASKED
    ) == [
        "Service Flow reminded Anna of “Approval”: 50 % of the time is over",
        f"Service Flow noted that “Approval” was not decided in time: {words}",
        *([asked] if then == "escalate" else []),
    ]


def test_that_an_operator_was_called(world, three):
    request = ask(world.requester, level("one", {"role": "nobody"}), fallback=[{"role": "nobody"}])
    make_person("new", roles=["nobody"])
    run_sweeps()
    assert sentences(request, world.requester, "incident.opened", "incident.resolved") == [
        "Service Flow called an operator: the request needs help",
        "Service Flow closed the call for an operator",
    ]


def test_a_history_costs_the_same_whether_one_level_was_skipped_or_three(world, three):
    costs = []
    for skipped in (1, 3):
        levels = [level(f"dear{n}", three[1], when="request.data.amount > 1000.0") for n in range(skipped)]
        request = ask(
            world.requester, level("one", three[0]), *levels, data={"amount": {"amount": "10"}}, key=f"cost{skipped}"
        )
        decide(request, three[0])
        history_of(request, reader=world.requester)  # the workflow's version is cached
        with CaptureQueriesContext(connection) as captured:
            history_of(request, reader=world.requester)
        costs.append(len(captured))
    assert costs[0] == costs[1]


@pytest.mark.parametrize(
    ("guard", "words"),
    [
        ("request.data.amount > 1000.0", "amount is not above 1000"),
        ("request.data.amount >= 1000.50", "amount is below 1000.50"),
        ("request.data.days_off < 3", "days off is not below 3"),
        ("request.data.days_off <= 3", "days off is above 3"),
        ("request.data.kind == 'new'", "kind is not “new”"),
        ('request.data.kind != "new"', "kind is “new”"),
        ("request.data.urgent == true", "urgent is not true"),
        ("request.priority == 'high'", "priority is not “high”"),
        ("has(request.data.amount) && request.data.amount >= 1000.0", "amount is not at least 1000"),
        ("has(request.data.amount) && request.data.amount <= 5", "amount is not at most 5"),
        (
            "has(request.data.other) && request.data.amount > 5",
            "“has(request.data.other) && request.data.amount > 5” does not hold",
        ),
        ("request.data.amount > 1 || true == false", "“request.data.amount > 1 || true == false” does not hold"),
        ("1 > 2", "“1 > 2” does not hold"),
    ],
)
def test_a_guard_that_did_not_hold_in_words(guard, words):
    assert why_not(guard) == words
