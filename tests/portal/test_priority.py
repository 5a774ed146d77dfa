"""The priority of a request, changed on its page: who may, what is shown before it is sent, what the history says."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.core import clock
from apps.outbox.models import Event
from apps.outbox.relay import run_relay
from apps.requests.models import Request
from apps.requests.services.lifecycle import hold_request
from apps.requests.sweeps import run_sweeps
from apps.sla.models import SlaClock, SlaPolicyVersion
from tests.factories import approval_document, make_item, make_person, make_request, make_workflow, row_counts
from tests.portal.conftest import World, as_, page_of, text_of
from tests.portal.test_browser import Opener, Socket, browser_here, open_page, violations  # noqa: F401 - fixtures

HOUR = timedelta(hours=1)
LEVELS = ("critical", "high", "medium", "low")
ALL_STOP = {"impact": "high", "urgency": "high", "reason": "Nobody can <work>", "form_token": "one"}
pytestmark = pytest.mark.django_db


def plain(**hours: int) -> dict[str, dict[str, int]]:
    return {level: {"seconds": 3600 * hours[level]} for level in LEVELS}


def working(world: World, *escalations: dict[str, Any]) -> Request:
    """A request of Rita's that team IT works on: 10 hours to solve it, 2 if it is critical; 1 hour to pack, always."""
    fix = {"id": "fix", "metric": "resolution", "durations": plain(critical=2, high=4, medium=10, low=20)}
    pack = {
        "id": "pack",
        "name": "Packed",
        "metric": "resolution",
        "durations": plain(critical=1, high=1, medium=1, low=1),
    }
    SlaPolicyVersion.freeze("standard", {"targets": [{**fix, "escalations": list(escalations)}, pack]})
    request = world.ask()
    world.approve(request)
    return Request.objects.get(pk=request.pk)


def send(user: User, request: Request, **changed: str) -> Any:
    return as_(user).post(page_of(request, "priority"), {**ALL_STOP, **changed})


def preview(user: User, request: Request, impact: str = "high", urgency: str = "high") -> Any:
    return as_(user).get(page_of(request, "priority", "preview"), {"impact": impact, "urgency": urgency})


def state(request: Request) -> tuple[Any, ...]:
    """Everything that a refusal leaves as it was."""
    fresh = Request.objects.get(pk=request.pk)
    due = list(SlaClock.objects.filter(stream_id=request.pk).values_list("due_at", "allowed"))
    return fresh.priority, fresh.impact, fresh.urgency, fresh.revision, due, row_counts()


def told(request: Request) -> list[str]:
    return [event.type for event in Event.objects.filter(stream_id=request.pk, type="request.priority_changed")]


@pytest.mark.sqlite
def test_whoever_works_on_it_changes_the_priority_and_the_history_says_who_what_and_why(world: World) -> None:
    request = working(world)
    answer = send(world.ivo, request)
    assert (answer.status_code, answer.headers["Location"]) == (302, page_of(request))
    page = text_of(as_(world.rita).get(page_of(request)))
    assert (
        "Ivo changed the priority from medium to critical: high impact and high urgency" in page,
        "Nobody can <work>" in page,
        "Critical priority" in page,
    ) == (True, True, True)
    clock_row = SlaClock.objects.get(stream_id=request.pk, target="fix")
    assert clock_row.due_at - clock_row.started_at == 2 * HOUR


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("who", "status"),
    [("rita", 403), ("mia", 403), ("stan", 404), ("aude", 403), ("ivo", 302), ("lea", 302), ("ada", 302)],
)
def test_who_may_and_who_not(world: World, who: str, status: int) -> None:
    request = working(world)
    people = {"aude": make_person("aude", roles=["auditor"]), "ada": make_person("ada", roles=["administrator"])}
    user, may = people.get(who) or getattr(world, who), status == 302
    before = state(request)
    page = as_(user).get(page_of(request))
    assert ("Change the priority" in page.content.decode()) == may
    assert preview(user, request).status_code == (200 if may else status)
    assert send(user, request).status_code == status
    assert (state(request) == before) == (not may)


@pytest.mark.sqlite
def test_a_form_that_is_sent_twice_works_once(world: World) -> None:
    request, client = working(world), as_(world.ivo)
    answers = [client.post(page_of(request, "priority"), ALL_STOP) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert told(request) == ["request.priority_changed"]


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"reason": "  "}, "Please say why."),
        ({"impact": "vast"}, "This must be one of high, medium, low."),
        ({"impact": "medium", "urgency": "medium"}, "Impact and urgency are like this already"),
    ],
)
def test_what_does_not_fit_is_said_beside_its_field_and_what_was_typed_is_kept(
    world: World, changed: dict[str, str], problem: str
) -> None:
    request = working(world)
    before = state(request)
    answer = send(world.ivo, request, **changed)
    page = answer.content.decode()
    assert (answer.status_code, problem in page, page.count("data-focus-first")) == (400, True, 1)
    assert '<details class="move" id="move-priority" open>' in page
    assert {**ALL_STOP, **changed}["reason"].strip().replace("<", "&lt;").replace(">", "&gt;") in page
    chosen = re.findall(r'<option value="(\w+)" selected>', page)
    assert chosen[-1] == {**ALL_STOP, **changed}["urgency"]
    assert state(request) == before


@pytest.mark.sqlite
def test_once_it_has_ended_nobody_changes_it(world: World) -> None:
    request = working(world)
    as_(world.rita).post(page_of(request, "cancel"), {"comment": "Found one"})
    before = state(request)
    answer = send(world.lea, request)
    assert (answer.status_code, state(request)) == (409, before)
    assert "The request is not open; its priority cannot be changed." in text_of(answer)
    assert "Change the priority" not in text_of(as_(world.lea).get(page_of(request)))
    assert "The request is not open" in text_of(preview(world.lea, request))


# the preview


@pytest.mark.sqlite
def test_the_preview_says_the_priority_and_both_due_times_and_they_come_true(world: World) -> None:
    request = working(world)
    due = SlaClock.objects.get(stream_id=request.pk, target="fix").due_at
    shown = preview(world.ivo, request)
    times = re.findall(r'datetime="([^"]+)"', shown.content.decode())
    packed = SlaClock.objects.get(stream_id=request.pk, target="pack").due_at
    assert times == [due.isoformat(), (due - 8 * HOUR).isoformat(), packed.isoformat()]
    text = text_of(shown)
    assert text.startswith("Medium becomes critical. Solution due ")
    assert re.search(r"Solution due [^P]+ , then [^P]+ Packed stays due ", text)
    send(world.ivo, request)
    assert SlaClock.objects.get(stream_id=request.pk, target="fix").due_at == due - 8 * HOUR


@pytest.mark.sqlite
def test_the_preview_says_what_is_late_at_once_and_what_stays_late(world: World, monkeypatch) -> None:
    request = working(world, {"id": "boss", "at": 100, "do": "notify", "to": [{"lead": True}], "text": "Late"})
    later = SlaClock.objects.get(stream_id=request.pk, target="fix").started_at + 3 * HOUR
    monkeypatch.setattr(clock, "now", lambda: later)
    text = text_of(preview(world.ivo, request))
    assert "Late at once: 3 h of 2 h are used up. It is escalated at once." in text
    assert "Packed Is late already, and stays so." in text


@pytest.mark.sqlite
def test_the_preview_of_clocks_that_stand_still_says_how_much_is_left(world: World) -> None:
    request = working(world)
    hold_request(request, reason="No stock", actor=world.lea)
    text = text_of(preview(world.lea, request))
    assert re.search(
        r"Solution Stands still, with (9 h 59 min [0-9]+ s|10 h) left now, (1 h 59 min [0-9]+ s|2 h) then\.", text
    )


@pytest.mark.sqlite
def test_where_nothing_changes_the_preview_says_so(world: World) -> None:
    request = working(world)
    said = [
        text_of(preview(world.ivo, request, *levels)) for levels in (("medium", "medium"), ("high", "low"), ("", "x"))
    ]
    assert said[0].startswith("The two together make the priority")
    assert said[1:] == [
        "The priority stays medium. No due time changes.",
        "Impact and urgency are each one of high, medium, low.",
    ]
    bare = make_request(make_item("bare", workflow=make_workflow(approval_document("bare"))), world.rita)
    world.approve(bare)
    text = text_of(preview(world.ivo, bare))
    assert text == "Medium becomes critical. No clock runs for this request, so no due time changes."


@pytest.mark.sqlite
def test_the_form_costs_its_page_no_statement(world: World, django_assert_num_queries) -> None:
    request = working(world)
    for reader in (world.rita, world.lea):
        client = as_(reader)
        client.get(page_of(request))
        with django_assert_num_queries(19 if reader == world.rita else 20):
            client.get(page_of(request))


# what the history says


@pytest.mark.sqlite
def test_the_history_tells_who_works_on_it_why_the_priority_went_up_by_itself(world: World) -> None:
    escalations = [
        {"id": "half", "at": 50, "do": "raise_priority"},
        {"id": "boss", "after_breach": 3600, "do": "notify", "to": [{"lead": True}], "text": "Look here"},
    ]
    request = working(world, *escalations)
    for hours in (5.5, 20):
        run_sweeps(request.submitted_at + hours * HOUR)
        run_relay()
    page = text_of(as_(world.lea).get(page_of(request)))
    assert (
        "escalated, to raise the priority by one step, as 50 % of the time for the solution is used up" in page,
        "raised the priority from medium to high, as 50 % of the time for the solution is used up" in page,
        "noted that the time for “Packed” is over" in page,
        "as the time for the solution has been over for 1 h" in page,
    ) == (True, True, True, True)


@pytest.mark.sqlite
def test_a_change_of_levels_only_says_that_the_priority_stays(world: World) -> None:
    request = working(world)
    send(world.ivo, request, urgency="low")
    page = text_of(as_(world.rita).get(page_of(request)))
    assert "Ivo changed the request to high impact and low urgency; its priority stays medium" in page


# in a browser


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_page_shows_what_will_happen_while_somebody_chooses(world: World, open_page: Opener) -> None:  # noqa: F811
    request = working(world)
    sockets: list[Socket] = []
    page: Page = open_page(world.ivo, page_of(request), before=lambda new: sockets.append(Socket(new)))
    page.get_by_text("Change the priority …").click()
    expect(page.get_by_text("What a change would do is shown here")).to_be_visible()
    page.select_option("#priority-impact", "high")
    expect(page.get_by_text("Medium becomes high.")).to_be_visible()
    page.select_option("#priority-urgency", "high")
    expect(page.get_by_text("Medium becomes critical.")).to_be_visible()
    found = violations(page)
    page.select_option("#priority-impact", "medium")
    page.select_option("#priority-urgency", "medium")
    hold_request(request, reason="No stock", actor=world.lea)
    page.get_by_role("heading", level=1).click()
    sockets[0].touch(request, position=9)
    expect(page.get_by_text("On hold").first).to_be_visible()
    page.select_option("#priority-impact", "high")
    expect(page.get_by_text("Stands still, with")).to_have_count(2)
    page.fill("#priority-comment", "Nobody can work")
    page.get_by_role("button", name="Change the priority").click()
    expect(page.get_by_text("Ivo changed the priority from medium to high")).to_be_visible()
    assert found == []


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_refused_form_on_a_phone_keeps_what_was_chosen_and_shows_the_preview(
    world: World,
    open_page: Opener,  # noqa: F811
) -> None:
    request = working(world)
    page: Page = open_page(world.ivo, page_of(request), viewport={"width": 390, "height": 840}, color_scheme="dark")
    page.get_by_text("Change the priority …").click()
    page.select_option("#priority-impact", "high")
    page.fill("#priority-comment", "  ")
    page.get_by_role("button", name="Change the priority").click()
    expect(page.locator("#priority-comment")).to_be_focused()
    expect(page.locator("#priority-impact")).to_have_value("high")
    expect(page.get_by_text("Medium becomes high.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert violations(page) == []


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_without_scripts_the_form_works_as_well(world: World, open_page: Opener) -> None:  # noqa: F811
    request = working(world)
    page: Page = open_page(world.ivo, page_of(request), java_script_enabled=False)
    page.get_by_text("Change the priority …").click()
    page.select_option("#priority-urgency", "high")
    page.fill("#priority-comment", "It is urgent")
    page.get_by_role("button", name="Change the priority").click()
    expect(page.get_by_text("Ivo changed the priority from medium to high")).to_be_visible()
