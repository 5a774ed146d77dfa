"""Answering by the link of an e-mail: the seat's own, for one answer, and nothing for anybody else."""

from __future__ import annotations

import json
import logging
import re
from datetime import timedelta
from typing import Any

import pytest
import structlog
from django.core import mail
from django.core.cache import cache
from django.test import Client

from apps.accounts.models import User
from apps.approvals.links import BrokenLink, DeadLink, link_path, read_token, seat_asked
from apps.approvals.models import Decision, Seat
from apps.core import clock
from apps.core.errors import AlreadyDecided
from apps.outbox.relay import run_relay
from apps.requests.models import Request
from apps.requests.services import rounds
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import cancel_request
from serviceflow import logs
from tests.factories import make_person, make_team, refusal, row_counts
from tests.factories.approvals import ALL, approval_of, ask, level, make_people
from tests.portal.conftest import World, as_, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
NOTHING = "Nothing was decided through it now. What waits for your answer stands in your inbox. Go to the inbox"


def link_to(person: User) -> str:
    """The path of the link in the newest mail to this person."""
    run_relay()
    (found,) = re.findall(r"http://127\.0\.0\.1:8000(/answer/\S+)", newest_mail(person).body)
    return str(found)


def newest_mail(person: User) -> mail.EmailMessage:
    return [message for message in mail.outbox if message.to == [person.email]][-1]


def seat_of(person: User) -> Seat:
    return Seat.objects.filter(user=person).latest("id")


def state() -> tuple[dict[str, int], int]:
    return row_counts(), Decision.objects.count()


def closed(title: str, why: str) -> str:
    """The whole text of a page behind a link that has no effect."""
    return f"{title} · Service Flow Skip to the content Service Flow {title} {why} {NOTHING}"


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, text_of(answer)


DEAD = "This link cannot be used any more"
BROKEN = (
    404,
    closed("This link does not work", "A part of this link is missing or was changed, or it was never one of ours."),
)
ANSWERED = (410, closed(DEAD, "This was answered already; an answer cannot be changed."))


@pytest.fixture
def request_(world: World) -> Request:
    return world.ask(title="For the <b>fair</b>", data={"reason": "Secret plans"})


def assert_dead(anonymous: Client, link: str, expected: tuple[int, str]) -> None:
    """Neither looking nor answering has an effect, and the page says this and nothing of the request."""
    before = state()
    answers = [told(anonymous.get(link)), told(anonymous.post(link, {"decision": "approve"}))]
    assert answers == [expected, expected]
    assert state() == before
    assert not any(word in expected[1] for word in ("fair", "Secret plans", "SR-", "Rita"))


def test_the_page_shows_what_is_asked_and_two_buttons(world: World, request_: Request, anonymous: Client) -> None:
    answer = anonymous.get(link_to(world.mia))
    page = text_of(answer)
    assert answer.status_code == 200
    assert f"{request_.number} · New laptop For the <b>fair</b> What is asked From Rita Roos" in page
    assert "Reason Secret plans" in page
    assert "Your decision: Approval Level Line manager What counts One answer decides" in page
    assert "Comment optional to approve Needed if you reject it or send it back." in page
    assert "Approve Reject Send back to the requester You answer as Mia. This cannot be undone." in page
    assert re.findall(r'name="decision" value="(\w+)"', answer.content.decode()) == ["approve", "reject", "return"]


def test_the_address_is_kept_to_itself(world: World, request_: Request, anonymous: Client) -> None:
    answer = anonymous.get(link_to(world.mia))
    headers = [answer.headers[name] for name in ("Referrer-Policy", "Cache-Control", "X-Robots-Tag")]
    never = "max-age=0, no-cache, no-store, must-revalidate, private"
    assert headers == ["no-referrer", never, "noindex, nofollow"]
    page = answer.content.decode()
    assert re.findall(r'(?:src|action)="(?!/static/)[^"]*"|https?://', page) == []
    assert link_to(world.mia) not in page


def test_looking_never_decides_however_it_is_done(world: World, request_: Request, anonymous: Client) -> None:
    link, before = link_to(world.mia), state()
    answers = [
        anonymous.get(link),
        anonymous.head(link),
        anonymous.get(link, {"decision": "approve"}),
        anonymous.get(link, headers={"Purpose": "prefetch", "Sec-Purpose": "prefetch;prerender"}),
        anonymous.get(link, headers={"User-Agent": "LinkScanner/1.0"}),
        anonymous.options(link),
        anonymous.put(link, {"decision": "approve"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 200, 405, 405]
    assert state() == before
    assert approval_of(request_).status == "pending"


def test_an_answer_is_recorded_as_the_seats_person_without_logging_in(world: World, request_: Request) -> None:
    anonymous = Client()
    answer = anonymous.post(link_to(world.mia), {"decision": "reject", "comment": "Too dear"})
    decision = Decision.objects.get()
    assert (decision.verdict, decision.by, decision.note and decision.note.text) == ("reject", world.mia, "Too dear")
    assert (decision.seat.user, approval_of(request_).status) == (world.mia, "rejected")
    assert answer.status_code == 200
    assert "Thank you You rejected this." in text_of(answer)
    assert "sessionid" not in anonymous.cookies


def test_whoever_is_logged_in_as_the_seats_person_uses_it_too(world: World, request_: Request) -> None:
    as_(world.mia).post(link_to(world.mia), {"decision": "approve"})
    assert Decision.objects.get().verdict == "approve"


@pytest.mark.parametrize(
    ("sent", "status", "problem"),
    [
        ({"decision": "reject", "comment": " "}, 400, "Please say why."),
        ({"decision": "abstain"}, 409, "This approval does not take abstentions."),
        ({"decision": "maybe"}, 400, "This must be one of approve, reject, return, abstain."),
        ({}, 400, "This must be one of approve, reject, return, abstain."),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_on_the_page(
    world: World, request_: Request, anonymous: Client, sent: dict[str, str], status: int, problem: str
) -> None:
    link, before = link_to(world.mia), state()
    answer = anonymous.post(link, sent)
    assert (answer.status_code, problem in text_of(answer)) == (status, True)
    assert state() == before


def test_a_comment_that_is_refused_is_kept(world: World, request_: Request, anonymous: Client) -> None:
    answer = anonymous.post(link_to(world.mia), {"decision": "approve", "comment": "x" * 10_001})
    assert answer.status_code == 400
    assert "x" * 10_001 in answer.content.decode()


def test_a_link_is_good_for_one_answer(world: World, request_: Request, anonymous: Client) -> None:
    link = link_to(world.mia)
    anonymous.post(link, {"decision": "approve"})
    assert_dead(anonymous, link, ANSWERED)
    assert Decision.objects.get().verdict == "approve"


def test_an_answer_in_the_portal_uses_the_link_up(world: World, request_: Request, anonymous: Client) -> None:
    link = link_to(world.mia)
    world.approve(request_)
    assert_dead(anonymous, link, ANSWERED)


def test_a_link_of_one_level_never_decides_the_next(world: World, anonymous: Client) -> None:
    ask(world.rita, level("first", world.mia), level("second", world.mia))
    link = link_to(world.mia)
    anonymous.post(link, {"decision": "approve"})
    assert seat_of(world.mia).level.key == "second"
    assert_dead(anonymous, link, ANSWERED)
    assert link_to(world.mia) != link


def test_a_link_is_dead_when_it_is_too_old(world: World, request_: Request, anonymous: Client, monkeypatch) -> None:
    link, asked_at = link_to(world.mia), seat_of(world.mia).level.opened_at
    just_before = asked_at.replace(microsecond=0) + timedelta(days=14, seconds=-1)
    monkeypatch.setattr(clock, "now", lambda: just_before)
    assert anonymous.get(link).status_code == 200
    monkeypatch.setattr(clock, "now", lambda: just_before + timedelta(seconds=1))
    assert_dead(anonymous, link, (410, closed(DEAD, "This link is too old.")))


def test_a_link_is_dead_when_its_seat_was_given_to_somebody_else(
    world: World, request_: Request, anonymous: Client
) -> None:
    link = link_to(world.mia)
    rounds.reassign(approval_of(request_), seat_of(world.mia).pk, world.stan, reason="Away", actor=world.mia)
    assert_dead(anonymous, link, (410, closed(DEAD, "Somebody else is asked instead of you now.")))
    anonymous.post(link_to(world.stan), {"decision": "approve"})
    assert Decision.objects.get().by == world.stan


def test_a_link_is_dead_when_its_level_was_decided_by_others(world: World, anonymous: Client) -> None:
    anna, ben = make_people("anna", "ben")
    request = ask(world.rita, level("board", anna, ben))
    link = link_to(anna)
    record_decision(approval_of(request), verdict="approve", actor=ben)
    assert_dead(anonymous, link, (410, closed(DEAD, "This was decided without your answer, or taken back.")))


def test_a_link_is_dead_when_the_round_was_taken_back(world: World, request_: Request, anonymous: Client) -> None:
    link = link_to(world.mia)
    cancel_request(request_, reason="Found one", actor=world.rita)
    assert_dead(anonymous, link, (410, closed(DEAD, "This was decided without your answer, or taken back.")))


def test_a_link_is_dead_for_who_has_left_or_is_not_in_the_team_any_more(world: World, anonymous: Client) -> None:
    anna, ben = make_people("anna", "ben")
    team = make_team("law", anna, ben)
    ask(world.rita, level("law", {"team": "law"}, rule=ALL))
    links = [link_to(anna), link_to(ben)]
    team.group.user_set.remove(anna)
    User.objects.filter(pk=ben.pk).update(is_active=False)
    why = "You are not in the role or team any more that was asked."
    for link in links:
        assert_dead(anonymous, link, (410, closed(DEAD, why)))


def test_another_person_who_is_logged_in_decides_nothing_and_learns_nothing(world: World, request_: Request) -> None:
    link, stan = link_to(world.mia), as_(world.stan)
    why = "You are logged in as Stan, and this link is somebody else's. Log out first if it is yours."
    assert_dead(stan, link, (403, closed("This link is not yours", why)))


def test_every_changed_character_breaks_the_link(world: World, request_: Request, anonymous: Client) -> None:
    token = link_to(world.mia).split("/")[2]
    before = state()
    for place in range(len(token)):
        for other in {"A", "0", "-", "é", "%00"} - {token[place]}:
            changed = token[:place] + other + token[place + 1 :]
            answers = [
                anonymous.get(f"/answer/{changed}/"),
                anonymous.post(f"/answer/{changed}/", {"decision": "approve"}),
            ]
            assert [told(answer) for answer in answers] == [BROKEN, BROKEN], changed
    assert state() == before


@pytest.mark.parametrize("token", ["", "x", "1-1-1", "1-1-1.", ".", "a" * 5_000, "1-2-3.é", "../../inbox"])
def test_any_other_text_is_no_link(world: World, request_: Request, anonymous: Client, token: str) -> None:
    assert_dead(anonymous, f"/answer/{token}/", BROKEN)


def test_a_shortened_link_and_one_with_more_behind_it_do_not_work(
    world: World, request_: Request, anonymous: Client
) -> None:
    link = link_to(world.mia)
    for end in range(1, len(link) - len("/answer/")):
        assert told(anonymous.get(link[:-1][:-end])) == BROKEN
    assert told(anonymous.get(f"{link}more/")) == BROKEN
    assert anonymous.get(link.rstrip("/")).status_code == 200


def test_a_token_of_another_purpose_or_key_is_no_link(world: World, request_: Request, settings) -> None:
    seat = seat_of(world.mia)
    path = link_path(seat=seat.pk, level=seat.level_id, until=clock.now() + timedelta(days=1))
    token = path.removeprefix("/answer/").strip("/")
    assert read_token(token).seat == seat.pk
    settings.SECRET_KEY = "another" * 10
    with pytest.raises(BrokenLink):
        read_token(token)


def test_a_link_names_its_seat_and_its_level(world: World, request_: Request) -> None:
    seat, until = seat_of(world.mia), clock.now() + timedelta(days=1)
    for wrong in [{"seat": seat.pk + 1, "level": seat.level_id}, {"seat": seat.pk, "level": seat.level_id + 1}]:
        token = link_path(until=until, **wrong).removeprefix("/answer/").strip("/")
        with pytest.raises(BrokenLink):
            seat_asked(token, at=clock.now())


def test_a_page_that_is_sent_after_its_link_died_says_why(world: World, request_: Request, monkeypatch) -> None:
    link = link_to(world.mia)
    token = link.removeprefix("/answer/").strip("/")
    found = seat_asked(token, at=clock.now())
    world.approve(request_)
    with pytest.raises(DeadLink, match="This was answered already"):
        seat_asked(token, at=clock.now())
    with refusal(AlreadyDecided):
        record_decision(found.level.approval, verdict="approve", seat=found.pk, actor=found.user)
    assert Decision.objects.count() == 1


def test_only_the_form_of_the_page_can_be_sent(world: World, request_: Request) -> None:
    link, before = link_to(world.mia), state()
    browser = Client(enforce_csrf_checks=True)
    page = browser.get(link).content.decode()
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    refused = [
        browser.post(link, {"decision": "approve"}),
        browser.post(link, {"decision": "approve", "csrfmiddlewaretoken": "x" * 64}, headers={"Origin": "null"}),
        browser.post(
            link, {"decision": "approve", "csrfmiddlewaretoken": token}, headers={"Origin": "https://evil.example"}
        ),
        Client(enforce_csrf_checks=True).post(link, {"decision": "approve", "csrfmiddlewaretoken": token}),
    ]
    assert ([answer.status_code for answer in refused], state()) == ([403] * 4, before)
    assert {answer.headers["Referrer-Policy"] for answer in refused} == {"no-referrer"}
    sent = {"decision": "approve", "csrfmiddlewaretoken": token}
    assert browser.post(link, sent, headers={"Origin": "null"}, secure=True).status_code == 200
    assert Decision.objects.get().verdict == "approve"


def test_a_signed_answer_is_given_in_the_portal(world: World, anonymous: Client) -> None:
    request = ask(world.rita, level("law", world.mia, reauthenticate={"meaning": "I have read the contract"}))
    link, before = link_to(world.mia), state()
    page = anonymous.get(link)
    said = "This answer is signed with your password, so it is given in the portal."
    assert (page.status_code, said in text_of(page)) == (200, True)
    assert f'href="/requests/{request.number}/">Log in to answer</a>' in page.content.decode()
    assert 'name="decision"' not in page.content.decode()
    for client in (anonymous, as_(world.mia)):
        refused = client.post(link, {"decision": "approve", "password": "correct-horse-battery"})
        assert (refused.status_code, f"{said} Nothing was recorded." in text_of(refused)) == (403, True)
    assert state() == before


def test_an_answer_for_somebody_else_says_for_whom(world: World, anonymous: Client) -> None:
    request = ask(world.rita, level("board", world.mia))
    Seat.objects.update(principal=make_person("anna"))
    page = text_of(anonymous.get(link_to(world.mia)))
    assert "Your decision: Approval, for Anna" in page
    assert "You answer for Anna" in page
    assert approval_of(request).status == "pending"


@pytest.mark.usefixtures("time_stands_still")
def test_visits_are_counted_by_address(world: World, request_: Request, settings) -> None:
    link = link_to(world.mia)
    settings.RATELIMIT_ENABLE, settings.LINK_RATE_PER_ADDRESS = True, "2/m"
    cache.clear()
    here = {"REMOTE_ADDR": "192.0.2.7"}
    answers = [Client().get(link, **here), Client().get("/answer/guess/", **here)]
    answers += [Client().post(link, {"decision": "approve"}, **here), Client().get(link, REMOTE_ADDR="192.0.2.8")]
    assert [answer.status_code for answer in answers] == [200, 404, 429, 200]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
    assert Decision.objects.count() == 0
    cache.clear()


def test_times_on_the_page_are_those_of_the_seats_person(world: World, anonymous: Client, settings) -> None:
    User.objects.filter(pk=world.mia.pk).update(time_zone="Asia/Kolkata")
    day = {"business_seconds": 86_400, "then": "approve"}
    ask(world.rita, level("board", world.mia, deadline=day))
    page = anonymous.get(link_to(world.mia)).content.decode()
    assert re.search(r"Decide by</dt><dd><time [^>]*title=\"[^\"]* IST\"", page)


def test_no_line_of_the_log_shows_a_link(world: World, request_: Request, anonymous: Client, capsys) -> None:
    link, before = link_to(world.mia), logging.root.handlers[:]
    token, seen = link.split("/")[2], []
    logs.configure({"level": "INFO", "json": True})
    handler = logging.root.handlers[0]
    handler.emit = lambda record: seen.append(handler.format(record))  # type: ignore[method-assign]
    try:
        anonymous.get(link)
        anonymous.get(f"/answer/{token}x/")
        Client(enforce_csrf_checks=True).post(link, {"decision": "approve"})
        anonymous.post(link, {"decision": "approve"})
        anonymous.post(link, {"decision": "approve"})
    finally:
        logging.root.handlers = before
        structlog.reset_defaults()
        logs.configure({"level": "WARNING", "json": False})
    assert not any(token in line for line in seen)
    assert {json.loads(line).get("request") for line in seen} >= {"GET /answer/***", "POST /answer/***"}
    assert any("Forbidden (CSRF" in line and "/answer/***" in line for line in seen)
