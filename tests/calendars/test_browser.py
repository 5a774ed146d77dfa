"""A calendar's pages in a real browser: typed, tried, filled from a file, without an error in the console."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from apps.calendars.models import BusinessCalendar
from tests.calendars.test_ics import CHRISTMAS, ics
from tests.chromium import chromium
from tests.core.admin_pages import address, admin_client

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, live_server) -> Iterator[Page]:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # the browser's driver runs a loop in this thread
    session = admin_client()[0].cookies["sessionid"].value
    with chromium() as browser:
        tab = browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 1000})
        tab.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        yield tab.new_page()


def violations(page: Page) -> list[str]:
    """What axe finds in the page's own part; the frame around it is the theme's."""
    answer = Axe().run(page, context="#content-main", options=RULES).response
    assert len(answer["passes"]) > 5
    return [f"{one['id']}: {node['html'][:160]}" for one in answer["violations"] for node in one["nodes"]]


def test_a_calendar_is_typed_tried_and_filled_from_a_file(page: Page) -> None:
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(address(BusinessCalendar, "add"))
    for label, value in (("Key", "office"), ("Name", "Office"), ("Time zone", "Europe/Amsterdam"), ("Country", "nl")):
        page.get_by_label(label, exact=False).first.fill(value)
    page.get_by_label("Monday", exact=True).fill("9-12:30, 13:00-17:00")
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_label("Monday", exact=True)).to_have_value("09:00-12:30, 13:00-17:00")
    made = BusinessCalendar.objects.get()
    assert (made.week, made.country) == ({"mon": ["09:00-12:30", "13:00-17:00"]}, "NL")

    page.get_by_role("link", name="Look at a year, try a deadline").click()
    page.get_by_label("Start").fill("2026-03-02T12:00+01:00")
    page.get_by_label("Length").fill("2")
    page.get_by_role("button", name="When is it due?").click()
    expect(page.get_by_text("Due Mon 02 Mar 2026 14:30 CET")).to_be_visible()
    expect(page.get_by_role("cell", name="King's Day")).to_be_visible()
    assert violations(page) == []

    page.get_by_role("link", name="Back to Office").click()
    page.get_by_role("link", name="Holidays from a file").click()
    page.locator("input[type=file]").set_input_files(
        {"name": "days.ics", "mimeType": "text/calendar", "buffer": ics(CHRISTMAS)}
    )
    page.get_by_role("button", name="Read the file").click()
    expect(page.get_by_role("heading", name="2 new holidays in this file")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Add the new ones").click()
    expect(page.get_by_text("Holidays added: 2; there already: 0.")).to_be_visible()
    assert made.holidays.count() == 2
    assert errors == []
