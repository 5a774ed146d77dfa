from __future__ import annotations

import pytest
from django.db import transaction

from apps.requests.services.lifecycle import hold_request
from tests.factories import approval_document, make_item, make_request, make_workflow
from tests.portal.conftest import as_, page_of, text_of
from tests.portal.test_browser import Opener, browser_here, open_page, violations  # noqa: F401 - fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_a_page_says_why_a_request_is_due_when_it_is(world):
    request = world.ask()
    world.approve(request)
    with transaction.atomic():
        hold_request(request, reason="wait", actor=world.lea)
    shown = as_(world.rita).get(page_of(request, "clocks"))
    assert shown.status_code == 200
    assert shown.content.decode().count('<svg class="clock-bar"') == 2
    text = text_of(shown)
    assert "left when it goes on : 10 hours after" in text
    assert "of 10 h used up: stands still" in text
    assert "of 1 h used up: done in time" in text


def test_it_links_from_the_page_of_the_request(world):
    request = world.ask()
    assert page_of(request, "clocks") in as_(world.rita).get(page_of(request)).content.decode()


def test_a_request_without_targets_says_so(world):
    request = make_request(make_item("plain", workflow=make_workflow(approval_document("plain"))), world.rita)
    shown = as_(world.rita).get(page_of(request, "clocks"))
    assert "No target measures this request, so it is due at no time" in text_of(shown)


def test_a_stranger_finds_nothing_there(world):
    assert as_(world.stan).get(page_of(world.ask(), "clocks")).status_code == 404


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("look", [{"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 844}}])
def test_the_bars_are_accessible_and_fit_every_look(world, open_page: Opener, look) -> None:  # noqa: F811
    page = open_page(world.rita, page_of(world.ask(title="W" * 120), "clocks"), **look)
    page.get_by_text("Every stretch so far").first.click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.locator(".clock-bar text", has_text="due").count() == 2
