"""Approvals on a request's page: what an approver sees and answers, and what others may change about a round."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from apps.accounts.models import User
from apps.approvals.models import Decision, Seat
from apps.approvals.quorum import Level, parse_policy
from apps.portal.vote_words import rule_words
from apps.requests.models import Request
from tests.factories import PASSWORD, make_person, row_counts
from tests.factories.approvals import (
    ALL,
    approval_of,
    ask,
    decide,
    delegate,
    level,
    make_people,
    per_group,
    quorum,
    seat_of,
    sitting,
)
from tests.portal.conftest import World, as_, page_of, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
SIGNED = {"meaning": "I have read the contract"}


def address(request: Request, verb: str) -> str:
    return f"/approvals/{approval_of(request).pk}/{verb}/"


def state() -> tuple[dict[str, int], int, int]:
    return row_counts(), Decision.objects.count(), Seat.objects.count()


def seen_by(user: User, request: Request) -> str:
    return text_of(as_(user).get(page_of(request)))


def offers(user: User, request: Request) -> list[str]:
    """What the page offers besides answering: the addresses of its forms about the round."""
    page = as_(user).get(page_of(request)).content.decode()
    verbs = re.findall(rf'action="/approvals/{approval_of(request).pk}/([\w-]+)/"', page)
    return sorted(set(verbs) - {"decide"})


def parsed(**level_keys: Any) -> Level:
    policy = {"levels": [{"id": "one", "approvers": [{"role": "x"}], **level_keys}]}
    return parse_policy(policy).levels[0]


@pytest.mark.parametrize(
    ("keys", "seats", "words"),
    [
        ({"rule": {"kind": "any"}}, 1, "one answer decides"),
        ({"rule": {"kind": "any"}}, 3, "the first answer of 3 decides"),
        ({"rule": {"kind": "any"}, "reject": {"kind": "all"}}, 3, "1 of 3 must agree; all 3 must reject to reject it"),
        ({"rule": {"kind": "all"}}, 3, "all 3 must agree; one veto rejects"),
        ({"rule": {"kind": "majority"}}, 5, "more than half of 5 must agree; one veto rejects"),
        ({"rule": quorum(2)}, 3, "2 of 3 must agree; one veto rejects"),
        (
            {"rule": quorum(2), "reject": quorum(2), "chair": {"person": "x"}},
            3,
            "2 of 3 must agree; 2 of 3 must reject to reject it; a tie goes to the chair",
        ),
        ({"rule": {"kind": "percent", "p": 75}}, 4, "75 % of 4 must agree; one veto rejects"),
        ({"rule": {"kind": "all_then_any"}}, 4, "all 4 are heard, then one approval is enough"),
        (
            {"rule": per_group(legal=[{"role": "l"}], finance=[{"role": "f"}])},
            4,
            "1 of “legal” and 1 of “finance” must agree; one veto rejects",
        ),
    ],
)
def test_a_rule_is_said_in_words(keys: dict[str, Any], seats: int, words: str) -> None:
    assert rule_words(parsed(**keys), seats=seats) == words


def test_once_the_chair_or_others_decide_one_answer_does() -> None:
    assert rule_words(parsed(rule=quorum(2)), seats=3, decided_by_one=True) == "one answer decides"


def test_an_approver_sees_the_level_its_rule_the_answers_so_far_and_until_when(world: World) -> None:
    anna, ben, cleo = make_people("anna", "ben", "cleo")
    day = {"business_seconds": 86_400, "then": "approve"}
    request = ask(world.rita, level("board", anna, ben, cleo, rule=quorum(2), deadline=day))
    decide(request, ben, comment="Fine with me")
    page = seen_by(anna, request)
    assert (
        "Your decision: Approval Level Board What counts 2 of 3 must agree; one veto rejects; 1 of 3 answered" in page
    )
    assert "answered so far Decide by " in page
    assert "Ben named by the workflow approved" in page
    assert "Fine with me" in page
    assert "waits for Anna (named by the workflow) and Cleo (named by the workflow) to approve (2 of 3 must" in page


def test_a_deputys_seat_says_for_whom(world: World) -> None:
    anna, ben = make_people("anna", "ben")
    delegate(anna, ben)
    request = ask(world.rita, level("board", anna))
    assert "Your decision: Approval, for Anna" in seen_by(ben, request)
    assert "Approval: waits for Ben for Anna (named by the workflow) to approve." in seen_by(world.rita, request)


@pytest.mark.parametrize(
    ("keys", "buttons"),
    [
        ({}, ["approve", "reject", "return"]),
        ({"abstain": True}, ["approve", "reject", "return", "abstain"]),
    ],
)
def test_only_possible_answers_have_a_button(world: World, keys: dict[str, Any], buttons: list[str]) -> None:
    request = ask(world.rita, level("board", world.mia, **keys))
    page = as_(world.mia).get(page_of(request)).content.decode()
    assert re.findall(r'name="decision" value="(\w+)"', page) == buttons


def test_sending_back_has_no_button_where_the_policy_never_returns(world: World) -> None:
    request = ask(world.rita, level("board", world.mia), returns="never")
    page = as_(world.mia).get(page_of(request)).content.decode()
    assert re.findall(r'name="decision" value="(\w+)"', page) == ["approve", "reject"]


@pytest.mark.parametrize(
    ("comment", "label"),
    [("never", "Comment optional E"), ("on_reject", "Comment optional to approve N"), ("on_any", "Comment N")],
)
def test_the_comment_says_whether_it_is_needed(world: World, comment: str, label: str) -> None:
    request = ask(world.rita, level("board", world.mia, comment=comment))
    page = as_(world.mia).get(page_of(request))
    assert label in text_of(page)
    field = re.findall(rf'<textarea [^>]*id="approval-{approval_of(request).pk}-comment"[^>]*>', page.content.decode())
    assert [" required" in one for one in field] == [comment == "on_any"]


def test_an_abstention_is_recorded(world: World) -> None:
    anna, ben = make_people("anna", "ben")
    request = ask(world.rita, level("board", anna, ben, rule=ALL, abstain=True))
    answer = as_(anna).post(address(request, "decide"), {"decision": "abstain"}, follow=True)
    assert ("You abstained." in text_of(answer), Decision.objects.get().verdict) == (True, "abstain")


def test_a_signed_answer_keeps_what_it_means_and_the_printed_name(world: World) -> None:
    request = ask(world.rita, level("law", world.mia, reauthenticate=SIGNED))
    page = as_(world.mia).get(page_of(request))
    assert "Your answer is signed with your name. It means: “I have read the contract”." in text_of(page)
    as_(world.mia).post(address(request, "decide"), {"decision": "approve", "password": PASSWORD})
    decision = Decision.objects.get()
    assert (decision.meaning, decision.signed_as) == ("I have read the contract", "Mia (mia)")
    assert "signed by Mia (mia): “I have read the contract”" in seen_by(world.rita, request)


@pytest.mark.parametrize(
    ("password", "problem"),
    [("", "Please enter your password: this answer is signed."), ("wrong-horse", "This is not your password.")],
)
def test_a_wrong_password_is_refused_beside_its_field_and_the_comment_kept(
    world: World, password: str, problem: str
) -> None:
    request = ask(world.rita, level("law", world.mia, reauthenticate=SIGNED))
    before, form = state(), f"approval-{approval_of(request).pk}"
    sent = {"decision": "approve", "comment": "As agreed", "password": password}
    answer = as_(world.mia).post(address(request, "decide"), sent)
    page = answer.content.decode()
    assert (answer.status_code, state()) == (400, before)
    assert f'id="{form}-password-error">{problem}</p>' in page
    assert ("As agreed</textarea>" in page, "wrong-horse" in page) == (True, False)


@pytest.mark.usefixtures("time_stands_still")
def test_tries_with_a_password_are_counted_with_those_to_log_in(world: World, settings) -> None:
    request = ask(world.rita, level("law", world.mia, reauthenticate=SIGNED))
    settings.RATELIMIT_ENABLE, settings.LOGIN_RATE_PER_ACCOUNT = True, "2/m"
    cache.clear()
    Client().post("/login/", {"username": "mia", "password": "wrong"})
    mia, sent = as_(world.mia), {"decision": "approve", "comment": "Kept", "password": "wrong"}
    answers = [mia.post(address(request, "decide"), sent | {"password": one}) for one in ("wrong", PASSWORD)]
    cache.clear()
    assert ([answer.status_code for answer in answers], Decision.objects.count()) == ([400, 429], 0)
    assert "There were too many attempts with a password. Wait a minute, then try again." in text_of(answers[1])
    assert ("Kept" in text_of(answers[1]), int(answers[1].headers["Retry-After"]) > 0) == (True, True)


def test_an_answer_that_is_sent_twice_is_one_and_says_the_same(world: World) -> None:
    request = ask(world.rita, level("first", world.mia), level("second", world.mia))
    seat, mia = seat_of(request, world.mia), as_(world.mia)
    sent = {"decision": "approve", "seat": seat.pk, "form_token": "one"}
    answers = [mia.post(address(request, "decide"), sent, follow=True) for _ in range(2)]
    assert ["You approved this." in text_of(answer) for answer in answers] == [True, True]
    assert Decision.objects.get().seat == seat
    other = mia.post(address(request, "decide"), sent | {"decision": "reject", "comment": "No"})
    assert (other.status_code, Decision.objects.count()) == (409, 1)


def test_a_form_of_an_earlier_level_never_decides_the_next(world: World) -> None:
    request = ask(world.rita, level("first", world.mia), level("second", world.mia))
    seat, mia = seat_of(request, world.mia), as_(world.mia)
    answers = [mia.post(address(request, "decide"), {"decision": "approve", "seat": seat.pk}) for _ in range(2)]
    assert ([answer.status_code for answer in answers], Decision.objects.count()) == ([302, 409], 1)


def test_each_sees_the_changes_that_are_theirs(world: World) -> None:
    ada, aud = make_person("ada", roles=["administrator"]), make_person("aud", roles=["auditor"])
    request = ask(world.rita, level("board", world.mia))
    seen = {user.username: offers(user, request) for user in (world.rita, world.mia, ada, aud)}
    changes = ["add-approver", "override", "reassign"]
    assert seen == {"rita": ["take-back"], "mia": ["reassign"], "ada": changes, "aud": []}
    decide(request, world.mia)
    assert [offers(user, request) for user in (world.rita, world.mia, ada)] == [[], [], []]


def test_the_requester_takes_the_round_back(world: World) -> None:
    request, rita = ask(world.rita, level("board", world.mia)), as_(world.rita)
    answer = rita.post(address(request, "take-back"), {"comment": "Wrong size"}, follow=True)
    assert approval_of(request).status == "withdrawn"
    page = text_of(answer)
    assert ("The approval was taken back." in page, "Wrong size" in page, "taken back" in page) == (True, True, True)
    assert "Mend: waits for Rita Roos." in page


def test_a_round_that_never_returns_cannot_be_taken_back(world: World) -> None:
    request = ask(world.rita, level("board", world.mia), returns="never")
    assert offers(world.rita, request) == []
    before = state()
    assert as_(world.rita).post(address(request, "take-back")).status_code == 409
    assert state() == before


def test_the_chair_closes_the_vote_once_somebody_has_answered(world: World) -> None:
    anna, ben, cleo = make_people("anna", "ben", "cleo")
    board = level("board", anna, ben, rule={"kind": "majority"}, abstain=True, chair={"person": "cleo"})
    request = ask(world.rita, board)
    assert offers(cleo, request) == []
    decide(request, ben)
    assert (offers(cleo, request), offers(ben, request)) == (["close-vote"], [])
    answer = as_(cleo).post(address(request, "close-vote"), {"comment": "It is late"}, follow=True)
    assert ("The vote is closed." in text_of(answer), approval_of(request).status) == (True, "approved")


def test_an_administrator_asks_one_more_and_reassigns_a_seat(world: World) -> None:
    ada = as_(make_person("ada", roles=["administrator"]))
    make_people("anna", "ben")
    request = ask(world.rita, level("board", world.mia, rule=ALL))
    ada.post(address(request, "add-approver"), {"user": "anna", "comment": "She knows"})
    assert sitting(request) == ["anna", "mia"]
    seat = seat_of(request, world.mia)
    page = text_of(ada.get(page_of(request)))
    assert ("Whose seat? Mia Anna" in page, "She knows" in page) == (True, True)
    ada.post(address(request, "reassign"), {"user": "ben", "comment": "She is ill", "seat": seat.pk})
    assert sitting(request) == ["anna", "ben"]


@pytest.mark.parametrize(
    ("sent", "place", "problem"),
    [
        ({"user": "nobody", "comment": "x"}, "user-error", "There is no active person with this user name."),
        ({"user": "mia", "comment": "x"}, "user-error", "Mia is asked already."),
        ({"user": "anna", "comment": " "}, "error", "Please say why."),
    ],
)
def test_whom_nobody_can_ask_is_refused_beside_the_field_and_the_rest_kept(
    world: World, sent: dict[str, str], place: str, problem: str
) -> None:
    ada = as_(make_person("ada", roles=["administrator"]))
    make_person("anna")
    request = ask(world.rita, level("board", world.mia))
    before, form = state(), f"add-approver-{approval_of(request).pk}"
    answer = ada.post(address(request, "add-approver"), sent)
    page = answer.content.decode()
    assert (answer.status_code, state()) == (400, before)
    assert f'id="{form}-{place}">{problem}</p>' in page
    assert (f'value="{sent["user"]}"' in page, f'id="{form}" open>' in page) == (True, True)


def test_an_approver_gives_their_seat_away_and_cannot_answer_any_more(world: World) -> None:
    request, mia = ask(world.rita, level("board", world.mia)), as_(world.mia)
    seat = seat_of(request, world.mia)
    sent = {"user": "stan", "comment": "I am on leave", "seat": seat.pk, "own": "yes"}
    answer = mia.post(address(request, "reassign"), sent, follow=True)
    assert ("The seat is given to somebody else." in text_of(answer), sitting(request)) == (True, ["stan"])
    assert mia.post(address(request, "decide"), {"decision": "approve"}).status_code == 409
    assert "Your decision: Approval" in seen_by(world.stan, request)


def test_a_problem_with_ones_own_seat_opens_the_form_it_came_from(world: World) -> None:
    request = ask(world.rita, level("board", world.mia))
    seat = seat_of(request, world.mia)
    answer = as_(world.mia).post(
        address(request, "reassign"), {"user": "x", "comment": "y", "seat": seat.pk, "own": "yes"}
    )
    assert (answer.status_code, f'id="give-{seat.pk}" open>' in answer.content.decode()) == (400, True)


def test_nobody_else_changes_who_is_asked(world: World) -> None:
    request = ask(world.rita, level("board", world.mia))
    seat, before = seat_of(request, world.mia), state()
    sent = {"user": "stan", "comment": "x", "seat": seat.pk, "decision": "approve", "confirmed": "on"}
    refused = {
        verb: [as_(user).post(address(request, verb), sent).status_code for user in (world.rita, world.mia, world.stan)]
        for verb in ("add-approver", "override", "close-vote")
    }
    assert refused == {verb: [403, 403, 404] for verb in ("add-approver", "override", "close-vote")}
    assert as_(world.rita).post(address(request, "reassign"), sent).status_code == 403
    assert as_(world.mia).post(address(request, "take-back"), sent).status_code == 403
    assert state() == before


def test_an_override_needs_a_reason_and_a_confirmation(world: World) -> None:
    ada = as_(make_person("ada", roles=["administrator"]))
    request = ask(world.rita, level("board", world.mia))
    before = state()
    whole = {"decision": "approve", "comment": "The board is away", "confirmed": "on"}
    problems = {"confirmed": "Please confirm that you decide", "comment": "Please say why.", "decision": "This must be"}
    for name, problem in problems.items():
        answer = ada.post(address(request, "override"), {key: value for key, value in whole.items() if key != name})
        assert (answer.status_code, problem in text_of(answer)) == (400, True), name
    assert state() == before


def test_an_override_is_shown_as_what_it_is(world: World) -> None:
    ada = as_(make_person("ada", roles=["administrator"]))
    request = ask(world.rita, level("board", world.mia))
    sent = {"decision": "approve", "comment": "The board is away", "confirmed": "on"}
    answer = ada.post(address(request, "override"), sent, follow=True)
    assert (approval_of(request).status, Decision.objects.count()) == ("approved", 0)
    page = text_of(answer)
    assert "The approval was overridden." in page
    assert "Approval approved by override Overridden by Ada" in page
    assert "over the heads of those who were asked The board is away" in page
    assert "Mia named by the workflow was not needed" in page


def test_a_change_that_is_sent_twice_is_made_once(world: World) -> None:
    ada = as_(make_person("ada", roles=["administrator"]))
    make_person("anna")
    request = ask(world.rita, level("board", world.mia))
    sent = {"user": "anna", "comment": "She knows", "form_token": "one"}
    answers = [ada.post(address(request, "add-approver"), sent) for _ in range(2)]
    assert ([answer.status_code for answer in answers], sitting(request)) == ([302, 302], ["anna", "mia"])


def test_the_address_of_a_change_leads_back_to_the_request(world: World) -> None:
    request = ask(world.rita, level("board", world.mia))
    verbs = ("decide", "take-back", "close-vote", "add-approver", "reassign", "override")
    answers = [as_(world.mia).get(address(request, verb)) for verb in verbs]
    assert [answer.headers["Location"] for answer in answers] == [page_of(request)] * 6


def test_a_page_takes_as_many_statements_for_one_seat_as_for_three(world: World, django_assert_num_queries) -> None:
    people = make_people("anna", "ben", "cleo")
    one = ask(world.rita, level("board", people[0]), key="one")
    three = ask(world.rita, level("board", *people, rule=ALL), key="three")
    anna = as_(people[0])
    for request in (one, three):
        anna.get(page_of(request))
        with django_assert_num_queries(19):
            anna.get(page_of(request))
