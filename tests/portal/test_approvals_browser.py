"""Approvals in a real browser: accessible, answered by the link of a mail, and following what others decide."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from playwright.sync_api import Page, expect

from apps.approvals.models import Decision
from apps.outbox.relay import run_relay
from apps.requests.models import Request
from tests.factories import PASSWORD, make_person
from tests.factories.approvals import ALL, approval_of, ask, decide, delegate, level, make_people, quorum
from tests.portal.conftest import World, page_of
from tests.portal.test_browser import Opener, Socket, browser_here, open_page, violations

__all__ = ["browser_here", "open_page"]  # fixtures
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SIGNED = {"meaning": "I have read the contract and agree to its terms"}
DAY = {"business_seconds": 86_400, "then": "approve"}


def link_to(username: str) -> str:
    run_relay()
    sent = [message for message in mail.outbox if message.to == [f"{username}@example.org"]]
    return re.findall(r"(/answer/\S+)", sent[-1].body)[0]


def open_all(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")


@pytest.fixture
def board(world: World) -> Request:
    """Anna for Ann, Ben and Cleo are asked; Ben has answered, two of three must agree."""
    ann, anna, ben, cleo = make_people("ann", "anna", "ben", "cleo")
    delegate(ann, anna)
    asked = level("board", ann, ben, cleo, rule=quorum(2), deadline=DAY, abstain=True, comment="on_any")
    request = ask(world.rita, asked, level("law", world.mia, reauthenticate=SIGNED))
    decide(request, ben, comment="Fine with me, it was planned.")
    return request


@pytest.mark.parametrize(
    "look", [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"viewport": {"width": 360, "height": 740}}]
)
def test_every_page_of_approvals_is_accessible(world: World, board: Request, open_page: Opener, look: dict) -> None:
    ada = make_person("ada", roles=["administrator"])
    link = link_to("anna")
    anna, signed = approval_of(board), ask(world.rita, level("law", world.mia, reauthenticate=SIGNED), key="signed")
    world.ask(title="A chair")
    world.ask(title="A table")
    found: list[str] = []
    for username, path in [
        ("anna", page_of(board)),
        ("rita", page_of(board)),
        ("ada", page_of(board)),
        ("mia", page_of(signed)),
        ("mia", "/inbox/"),
        ("anna", link),
        ("stan", link),
        ("anna", "/answer/nothing/"),
    ]:
        people = {"ada": ada, "rita": world.rita, "mia": world.mia, "stan": world.stan}
        user = people.get(username) or anna.levels.get(key="board").seats.get(user__username=username).user
        page = open_page(user, path, **look)
        open_all(page)
        found += violations(page)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        page.context.close()
    assert found == []


def test_a_link_is_opened_and_answered_without_logging_in(
    world: World, board: Request, browser_here, live_server
) -> None:
    page = browser_here.new_context(base_url=live_server.url).new_page()
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.goto(link_to("anna"))
    assert Decision.objects.count() == 1
    assert violations(page) == []
    page.get_by_label("Comment").fill("Two of us are enough")
    with page.expect_request(lambda one: one.method == "POST") as sent:
        page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    headers = sent.value.all_headers()
    assert (headers.get("origin"), "referer" in headers) == ("null", False)
    given = Decision.objects.latest("id")
    assert (given.by.username, given.note and given.note.text) == ("anna", "Two of us are enough")
    assert [url for url in asked if not url.startswith(live_server.url)] == []
    assert violations(page) == []


def test_an_open_page_follows_when_somebody_else_decides(world: World, open_page: Opener) -> None:
    anna, ben = make_people("anna", "ben")
    request = ask(world.rita, level("board", anna, ben, rule=ALL))
    sockets: list[Socket] = []
    page = open_page(anna, page_of(request), before=lambda new: sockets.append(Socket(new)))
    expect(page.get_by_text("0 of 2 answered so far")).to_be_visible()
    decide(request, ben, comment="I agree")
    sockets[0].touch(request, position=7)
    expect(page.get_by_text("1 of 2 answered so far")).to_be_visible()
    expect(page.locator(".seats").get_by_text("I agree")).to_be_visible()
    decide(request, anna)
    sockets[0].touch(request, position=8)
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def test_an_inbox_with_ticks_waits_until_nobody_works_in_it(world: World, open_page: Opener) -> None:
    one, two = world.ask(title="One"), world.ask(title="Two")
    page = open_page(world.mia, "/inbox/")
    page.get_by_label(f"{one.number}: One").check()
    page.get_by_label(f"{two.number}: Two").check()
    page.get_by_label("One comment for all of them").fill("Both fine")
    page.get_by_role("button", name="Approve those ticked").click()
    expect(page.get_by_role("heading", name="2 approved")).to_be_visible()
    assert Decision.objects.count() == 2


def test_a_signed_answer_and_one_over_everybodys_heads(world: World, open_page: Opener) -> None:
    ada = make_person("ada", roles=["administrator"])
    first, second = (ask(world.rita, level("law", world.mia, reauthenticate=SIGNED), key=key) for key in ("a", "b"))
    page = open_page(world.mia, page_of(first))
    page.get_by_label("Your password").fill("wrong")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("This is not your password.")).to_be_visible()
    expect(page.get_by_label("Your password")).to_be_focused()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("signed by Mia (mia)")).to_be_visible()
    page = open_page(ada, page_of(second))
    page.get_by_text("Override …").click()
    page.get_by_label("End it as").select_option("approve")
    page.locator(f"#override-{approval_of(second).pk}-comment").fill("Nobody is there")
    page.get_by_role("button", name="Override the approval").click()
    expect(page.get_by_text("The approval was overridden.")).to_have_count(0)
    page.get_by_label("I decide over the heads").check()
    page.get_by_role("button", name="Override the approval").click()
    expect(page.get_by_text("The approval was overridden.")).to_be_visible()
    expect(page.get_by_text("Overridden by Ada")).to_be_visible()
