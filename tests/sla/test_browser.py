"""The page of a new SLA policy in a real browser: looked at, published, without an error in the console."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from apps.sla.models import SlaPolicyVersion
from tests.chromium import chromium
from tests.core.admin_pages import address, admin_client
from tests.factories import make_calendar

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, live_server) -> Iterator[Page]:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # the browser's driver runs a loop in this thread
    session = admin_client()[0].cookies["sessionid"].value
    with chromium() as browser:
        tab = browser.new_context(
            base_url=live_server.url, viewport={"width": 1280, "height": 1000}, color_scheme=request.param
        )
        tab.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        yield tab.new_page()


def violations(page: Page) -> list[str]:
    """What axe finds in the page's own part; the frame around it is the theme's."""
    answer = Axe().run(page, context=".sf-policy", options=RULES).response
    assert len(answer["passes"]) > 5
    return [f"{one['id']}: {node['html'][:160]}" for one in answer["violations"] for node in one["nodes"]]


def test_the_example_is_looked_at_and_published(page: Page) -> None:
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    make_calendar()
    page.goto(address(SlaPolicyVersion, "add"))
    page.get_by_role("button", name="Look at what it says").click()
    expect(page.get_by_role("alert")).to_contain_text("key: This field cannot be blank.")
    assert violations(page) == []
    page.get_by_label("Key").fill("gold")
    page.get_by_role("button", name="Look at what it says").click()
    expect(page.get_by_role("cell", name="21 calendar days")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Publish as gold v1").click()
    expect(page.get_by_text("gold v1 is published: requests submitted from now on are measured by it.")).to_be_visible()
    expect(page.get_by_role("cell", name="21 calendar days")).to_be_visible()
    assert errors == []
