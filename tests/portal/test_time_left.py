"""The time left on lists and pages: its words, and how it runs down in an open page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from apps.core import clock
from apps.requests.models import Request
from apps.requests.services.lifecycle import hold_request
from apps.requests.sweeps import run_sweeps
from apps.sla.enums import ClockStatus
from apps.sla.models import SlaClock, SlaPolicyVersion
from apps.sla.words import time_left
from tests.factories import make_person
from tests.portal.conftest import World, as_, page_of, text_of
from tests.portal.test_browser import Opener, Socket, browser_here, open_page  # noqa: F401 - fixtures

NOW = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
AROUND = [0, 1, 59, 60, 61, 119, 3_599, 3_600, 3_661, 86_399, 86_400, 90_000, 172_800, 180_061, 2_592_000, 40_000_000]
LENGTHS = sorted({*AROUND, *(-length for length in AROUND), *range(-7_300, 7_300, 611), *range(9, 3_000_000, 123_457)})
pytestmark = pytest.mark.django_db


def shown_as_left(user, path: str) -> list[tuple[str, str]]:
    """When what a page counts down to is due, and the words beside it."""
    page = as_(user).get(path).content.decode()
    return re.findall(r'<time class="due[^"]*" data-left datetime="([^"]+)"[^>]*>([^<]+)</time>', page)


@pytest.mark.sqlite
@pytest.mark.parametrize(("reader", "path"), [("rita", "/"), ("rita", "/requests/"), ("mia", "/"), ("mia", "/inbox/")])
def test_every_list_says_when_it_is_due_in_words_and_for_machines(world: World, reader: str, path: str) -> None:
    request = world.ask()
    due = SlaClock.objects.get(stream_id=request.pk, target="response").due_at
    assert shown_as_left(getattr(world, reader), path) == [(due.isoformat(), "59 min left")]


@pytest.mark.sqlite
def test_a_request_that_is_late_says_by_how_much_until_it_is_done(world: World, monkeypatch) -> None:
    request = world.ask()
    due = SlaClock.objects.get(target="response").due_at
    monkeypatch.setattr(clock, "now", lambda: due + timedelta(hours=2, minutes=5))
    run_sweeps()
    paths = ("/", "/requests/", page_of(request))
    before = [shown_as_left(world.rita, path)[0] for path in paths]
    world.approve(request)
    after = [[words for _, words in shown_as_left(world.rita, path)] for path in paths]
    assert SlaClock.objects.get(target="response").status == ClockStatus.BREACHED
    assert (before, after) == ([(due.isoformat(), "late by 2 h 5 min")] * 3, [["6 h 55 min left"]] * 3)
    assert "First response not done in time" in text_of(as_(world.rita).get(page_of(request)))


@pytest.mark.sqlite
def test_where_the_clock_stands_nothing_runs_down(world: World) -> None:
    request = world.ask()
    hold(world, request)
    page = as_(world.rita).get("/requests/")
    assert ("clock stands still" in text_of(page), "data-left" in page.content.decode()) == (True, False)


def hold(world: World, request: Request) -> None:
    """Team IT has it, and its lead puts it on hold."""
    world.approve(request)
    with transaction.atomic():
        hold_request(request, reason="A part is missing", actor=world.lea)


@pytest.mark.sqlite
def test_a_clock_that_stands_still_says_how_much_is_left_and_one_that_was_missed_when_it_was_due(
    world: World, monkeypatch
) -> None:
    request = world.ask()
    response = SlaClock.objects.get(target="response")
    monkeypatch.setattr(clock, "now", lambda: response.due_at + timedelta(hours=2))
    hold(world, request)
    page = text_of(as_(world.rita).get(page_of(request)))
    missed = f"First response not done in time was due {response.due_at:%-d %b %Y, %H:%M}"
    assert (missed in page, "Solution stands still 7 h are left when it goes on" in page) == (True, True)


@pytest.mark.sqlite
def test_a_clock_bears_the_name_that_its_policy_gives_it(world: World) -> None:
    durations = {level: {"seconds": 3600} for level in ("critical", "high", "medium", "low")}
    pack = {"id": "pack", "name": "Packed and sent", "metric": "resolution", "durations": durations}
    SlaPolicyVersion.freeze("standard", {"targets": [pack]})
    page = text_of(as_(world.rita).get(page_of(world.ask())))
    assert ("Packed and sent 59 min left" in page, "started the clock for “Packed and sent”" in page) == (True, True)


# in a browser


def tab_at(browser: Opener, world: World, path: str, at: datetime) -> Page:
    """Rita's open page, in a browser whose time stands at `at` and can be moved on."""
    page = browser(world.rita, path, before=lambda new: new.clock.install(time=clock.now()))
    page.clock.pause_at(at)
    return page


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_browser_says_every_length_as_the_server_does(world: World, open_page: Opener) -> None:  # noqa: F811
    page = open_page(world.rita, "/")
    at = NOW.timestamp() * 1000
    source = page.locator("script[src*=time_left]").get_attribute("src")
    said = page.evaluate(
        "([source, at, lengths]) => import(source).then(it => lengths.map(one => it.timeLeft(at + one * 1000, at)))",
        [source, at, LENGTHS],
    )
    assert said == [time_left(NOW + timedelta(seconds=length), NOW) for length in LENGTHS]


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_time_runs_down_on_an_open_page_and_turns_late_when_it_is_due(world: World, open_page: Opener) -> None:  # noqa: F811
    request = world.ask()
    due = SlaClock.objects.get(stream_id=request.pk, target="response").due_at
    page = tab_at(open_page, world, "/requests/", due - timedelta(minutes=58, seconds=30))
    left = page.locator("[data-left]")
    seen = []
    for seconds in (0, 17 * 60, 41 * 60, 60, 60):
        page.clock.run_for(seconds * 1_000)
        seen.append((left.inner_text(), left.get_attribute("class")))
    running, late = "due due-running", "due due-late"
    assert seen == [
        ("58 min left", running),
        ("41 min left", running),
        ("less than a minute left", running),
        ("late by less than a minute", late),
        ("late by 1 min", late),
    ]


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_browser_whose_clock_and_zone_are_wrong_says_what_the_server_says_also_when_its_clock_is_set(
    world: World,
    open_page: Opener,  # noqa: F811
) -> None:
    world.ask()
    ahead = clock.now() + timedelta(days=3)
    page = open_page(world.rita, "/", before=lambda page: page.clock.install(time=ahead), timezone_id="Pacific/Apia")
    left = page.locator("[data-left]")
    seen = [left.inner_text()]
    page.clock.set_system_time(clock.now())
    page.clock.run_for(31_000)
    expect(left).to_have_text(re.compile("5[89] min left"))
    assert (seen, left.get_attribute("class")) == (["59 min left"], "due due-running")


@pytest.mark.sqlite
def test_what_time_it_is_here_is_for_people_who_are_logged_in(world: World, anonymous, monkeypatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    answer = as_(world.rita).get("/now/")
    assert (answer.content.decode(), answer["Content-Type"]) == (NOW.isoformat(), "text/plain; charset=utf-8")
    assert anonymous.get("/now/").status_code == 302


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_hidden_page_rests_and_is_right_when_it_is_seen_again(world: World, open_page: Opener) -> None:  # noqa: F811
    due = SlaClock.objects.get(stream_id=world.ask().pk, target="response").due_at
    page = tab_at(open_page, world, "/", due - timedelta(minutes=58, seconds=30))
    left = page.locator("[data-left]")
    hide = "on => { Object.defineProperty(document, 'hidden', {value: on, configurable: true});"
    hide += " document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(hide, True)
    page.clock.run_for(1_800_000)
    hidden = left.inner_text()
    page.evaluate(hide, False)
    assert (hidden, left.inner_text()) == ("58 min left", "28 min left")


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_list_follows_a_clock_that_is_stopped_and_a_filter_that_is_set(world: World, open_page: Opener) -> None:  # noqa: F811
    held, other = world.ask(title="Held"), world.ask(title="Other")
    sockets: list[Socket] = []
    page = open_page(world.rita, "/requests/", before=lambda new: sockets.append(Socket(new)))
    page.get_by_label("Number or words", exact=True).press_sequentially("held")
    expect(page.get_by_role("link", name="Other")).to_have_count(0)
    hold(world, held)
    sockets[0].routes[-1].send('{"position": 9, "topic": "inbox", "revision": 9}')
    expect(page.get_by_text("clock stands still")).to_be_visible()
    expect(page.get_by_role("link", name=other.title)).to_have_count(0)
    assert sockets[0].hears(1) == [{"subscribe": ["inbox"], "after": 0}]


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_inbox_follows_a_clock_too_though_it_is_a_form(world: World, open_page: Opener) -> None:  # noqa: F811
    requests = [world.ask(), world.ask()]
    sockets: list[Socket] = []
    page = open_page(world.mia, "/inbox/", before=lambda new: sockets.append(Socket(new)))
    expect(page.locator("[data-left]")).to_have_count(2)
    with transaction.atomic():
        hold_request(requests[0], reason="wait", actor=make_person("adele", roles=["administrator"]))
    sockets[0].routes[-1].send('{"position": 9, "topic": "inbox", "revision": 9}')
    expect(page.get_by_text("clock stands still")).to_be_visible()
    expect(page.locator("[data-left]")).to_have_count(1)
