"""In a real browser: pages are accessible, and an open page follows along without losing what somebody writes.

The test server speaks no WebSocket, so the far end of the socket is played here; the whole way is a journey of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from apps.accounts.delegations import Terms, create_delegation, end_delegation
from apps.accounts.models import User
from apps.core import clock
from apps.requests.models import Request
from tests.chromium import PATIENCE_S, chromium
from tests.portal.conftest import World, approval_of, as_, page_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
NOTE_WHAT_IT_SAYS = """() => {
    const one = document.querySelector("[data-live-text]");
    window.said = [];
    new MutationObserver(() => window.said.push(one.textContent)).observe(one, { childList: true });
}"""
Opener = Callable[..., Page]


class Socket:
    """The far end of a page's socket: what it was sent, and what it sends."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.heard: list[dict[str, Any]] = []
        self.routes: list[WebSocketRoute] = []
        page.route_web_socket("**/ws/", self._opened)

    def _opened(self, route: WebSocketRoute) -> None:
        self.routes.append(route)
        route.on_message(lambda message: self.heard.append(json.loads(message)))

    def hears(self, count: int) -> list[dict[str, Any]]:
        """What it was sent, once it is so much."""
        end = time.monotonic() + PATIENCE_S
        while len(self.heard) < count and time.monotonic() < end:
            self.page.wait_for_timeout(20)
        return self.heard

    def touch(self, request: Request, *, position: int) -> None:
        topic = f"request:{request.number}"
        self.routes[-1].send(json.dumps({"position": position, "topic": topic, "revision": position}))


@pytest.fixture
def browser_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # the browser's driver runs a loop in this thread
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser_here: Browser, live_server) -> Opener:
    def opener(user: User, path: str, *, before: Callable[[Page], object] | None = None, **context: Any) -> Page:
        """A page as somebody sees it who is logged in; problems in its console fail the test."""
        session = as_(user).cookies["sessionid"].value
        tab = browser_here.new_context(base_url=live_server.url, **context)
        tab.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = tab.new_page()
        if before:
            before(page)
        page.goto(path)
        return page

    return opener


def violations(page: Page) -> list[str]:
    """What axe finds on the page; it must have had something to look at."""
    answer = Axe().run(page, options=RULES).response
    assert len(answer["passes"]) > 15
    return [f"{page.url} {one['id']}: {node['html'][:160]}" for one in answer["violations"] for node in one["nodes"]]


@pytest.mark.parametrize(
    "look", [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"viewport": {"width": 360, "height": 740}}]
)
def test_every_page_is_accessible_in_light_dark_and_on_a_phone(world: World, open_page: Opener, look: dict) -> None:
    waiting, working, draft = world.ask(title="Waiting"), world.ask(title="Working"), world.ask(title="Done")
    world.approve(working)
    as_(world.rita).post(page_of(draft, "cancel"), {"comment": "Not needed"})
    until = clock.now() + timedelta(days=3)
    end_delegation(create_delegation(world.mia, Terms(deputy=world.ivo, ends_at=until)), actor=world.mia)
    create_delegation(world.mia, Terms(deputy=world.lea, ends_at=until))
    pages = [
        (
            world.rita,
            ["/", "/catalog/", "/catalog/laptop/", "/requests/", page_of(waiting), page_of(draft), "/nothing/"],
        ),
        (world.mia, ["/inbox/", page_of(waiting), "/notifications/", "/absence/"]),
        (world.lea, ["/inbox/", page_of(working), "/absence/"]),
    ]
    found: list[str] = []
    for user, paths in pages:
        page = open_page(user, paths[0], **look)
        for path in paths:
            page.goto(path)
            found += violations(page)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        page.context.close()
    assert found == []


def test_the_log_in_page_and_a_refused_form_are_accessible(world: World, open_page: Opener, live_server) -> None:
    page = open_page(world.rita, "/catalog/laptop/")
    page.fill("#field-reason", "x")
    page.fill("#field-pieces", "many")
    page.get_by_role("button", name="Submit the request").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.locator("#field-pieces")).to_have_value("many")
    found = violations(page)
    page.context.clear_cookies()
    page.goto("/login/")
    assert found + violations(page) == []


def test_an_open_page_follows_along_and_keeps_what_is_being_written(world: World, open_page: Opener) -> None:
    request = world.ask()
    sockets: list[Socket] = []
    page = open_page(world.mia, page_of(request), before=lambda new: sockets.append(Socket(new)))
    socket = sockets[0]
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert socket.hears(1) == [{"subscribe": [f"request:{request.number}"], "after": 0}]
    page.fill("#comment-text", "I am still writing")
    page.fill(f"#approval-{approval_of(request).pk}-comment", "Because")
    world.approve(request)
    socket.touch(request, position=7)
    expect(page.get_by_text("Work: waits for team It.")).to_be_visible()
    expect(page.locator("#comment-text")).to_have_value("I am still writing")
    expect(page.get_by_label("Comment optional")).to_have_value("Because")
    page.get_by_role("button", name="Discard it and show the present state").click()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    expect(page.locator("#comment-text")).to_have_value("I am still writing")


def test_many_messages_make_few_fetches_and_the_last_one_counts(world: World, open_page: Opener) -> None:
    request = world.ask()
    sockets: list[Socket] = []
    fetches: list[str] = []
    page = open_page(world.rita, page_of(request), before=lambda new: sockets.append(Socket(new)))
    page.on("request", lambda asked: fetches.append(asked.url) if asked.url.endswith("/live/") else None)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    begun = time.monotonic()
    for position in range(1, 21):
        sockets[0].touch(request, position=position)
    as_(world.mia).post(page_of(request, "comment"), {"text": "The last word"})
    sockets[0].touch(request, position=21)
    expect(page.get_by_text("The last word")).to_be_visible()
    page.wait_for_timeout(1500)
    assert 1 <= len(fetches) <= 1 + time.monotonic() - begun  # at most one a second


def test_a_lost_socket_is_opened_again_from_the_last_position(world: World, open_page: Opener) -> None:
    request = world.ask()
    sockets: list[Socket] = []
    page = open_page(world.rita, page_of(request), before=lambda new: sockets.append(Socket(new)))
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.evaluate(NOTE_WHAT_IT_SAYS)
    sockets[0].touch(request, position=41)
    sockets[0].routes[0].close(code=1011)
    assert [message["after"] for message in sockets[0].hears(2)] == [0, 41]
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert page.evaluate("window.said") == ["Offline, connecting again", "Live"]


def test_the_lists_filter_while_somebody_types_and_suggest_people(world: World, open_page: Opener) -> None:
    world.ask(title="For the fair")
    world.ask(title="For the office")
    page = open_page(world.rita, "/requests/")
    page.get_by_label("Number or words", exact=True).press_sequentially("fair")
    expect(page.get_by_role("link", name="For the office")).to_have_count(0)
    expect(page.get_by_role("link", name="For the fair")).to_have_count(1)
    page.goto("/catalog/laptop/")
    page.locator("#field-buddy").press_sequentially("Roos")
    expect(page.locator("#people-buddy option")).to_have_count(1)
    page.goto("/catalog/")
    page.locator("#catalog-filter").press_sequentially("zzz")
    expect(page.get_by_text("Nothing is called “zzz”.")).to_be_visible()


def test_no_page_breaks_the_content_security_policy(world: World, open_page: Opener) -> None:
    request = world.ask()
    said: list[str] = []

    def listen(page: Page) -> None:
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        Socket(page)

    page = open_page(world.mia, "/", before=listen)
    for path in ("/catalog/", "/catalog/laptop/", "/requests/", "/inbox/", page_of(request), "/notifications/"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
    assert said == []


def test_the_page_of_absences_shows_what_will_move_while_somebody_writes(world: World, open_page: Opener) -> None:
    request = world.ask(title="Mine is broken")
    page = open_page(world.mia, "/absence/")
    expect(page.get_by_text("When you have chosen a deputy")).to_be_visible()
    page.fill("#field-deputy", "ivo")
    page.locator("#field-ends_at").focus()
    expect(page.get_by_text("1 open approval goes to Ivo now:")).to_be_visible()
    expect(page.get_by_role("link", name=request.number)).to_be_visible()
    found = violations(page)
    page.get_by_role("button", name="Save").click()
    assert page.url.endswith("/absence/")
    page.fill("#field-ends_at", "2001-01-01T09:00")
    page.fill("#field-deputy", "mia")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.locator("#field-deputy")).to_have_value("mia")
    assert found + violations(page) == []
