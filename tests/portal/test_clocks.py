from __future__ import annotations

import re

import pytest
from django.db import transaction

from apps.requests.services.lifecycle import hold_request
from apps.requests.services.priority import set_priority
from apps.requests.services.rebasing import Rebase, apply
from apps.sla.models import SlaPolicyVersion
from tests.factories import approval_document, make_item, make_request, make_workflow
from tests.portal.conftest import as_, page_of, text_of
from tests.portal.test_browser import Opener, browser_here, open_page, violations  # noqa: F401 - fixtures

HOURS = {level: {"seconds": 7200} for level in ("critical", "high", "medium", "low")}
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


def test_it_says_what_moved_the_due_time(world):
    request = world.ask()
    world.approve(request)
    set_priority(request, impact="high", urgency="high", reason="All stop", actor=world.lea)
    SlaPolicyVersion.freeze("standard", {"targets": [{"id": "resolution", "metric": "resolution", "durations": HOURS}]})
    apply(Rebase(policy=SlaPolicyVersion.objects.latest("pk"), retroactive=True), actor=world.lea)
    text = text_of(as_(world.rita).get(page_of(request, "clocks")))
    assert "What moved the due time" in text
    assert "The priority changed from medium to critical" not in text, "both priorities allowed the same"
    said = "It was measured anew by the policy standard, version 2, as if it had always been in force: due .* (was .*)."
    assert re.search(re.escape(said).replace(r"\.\*", ".*"), text)


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
