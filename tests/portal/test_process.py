"""The page Process: who may open it, what it shows, what it does with nonsense in its address."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict

from apps.accounts.models import User
from apps.core import clock
from apps.portal.periods import Days
from apps.workflows.engine.document import compile_document
from apps.workflows.models import WorkflowRun
from tests.factories import approval_document, choice_document, make_item, make_person, make_request, make_workflow
from tests.portal.conftest import World, as_, page_of, text_of
from tests.portal.test_browser import Opener, browser_here, open_page, violations  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db
ERROR = re.compile(r'<p class="field-error"[^>]*>(.*?)</p>')


@pytest.fixture
def auditor(db: None) -> User:
    return make_person("aude", roles=["auditor"])


@pytest.mark.parametrize(("role", "status"), [("administrator", 200), ("auditor", 200), ("finance", 403)])
def test_the_page_is_for_administrators_and_auditors(world: World, role: str, status: int) -> None:
    client = as_(make_person("reader", roles=[role]))
    assert client.get("/process/").status_code == status
    assert ('href="/process/"' in client.get("/").content.decode()) == (status == 200)


def test_nobody_sees_it_who_is_not_logged_in(anonymous) -> None:
    assert anonymous.get("/process/")["Location"] == "/login/?next=/process/"


def test_an_empty_page_says_what_to_do(auditor: User) -> None:
    assert "Submit one from the catalogue, or import a history: manage.py import_log ." in text_of(
        as_(auditor).get("/process/")
    )


def test_the_page_tells_variants_steps_and_times(world: World, auditor: User) -> None:
    waiting, approved = world.ask(), world.ask()
    world.approve(approved)
    page = text_of(as_(auditor).get("/process/"))
    assert "Requests 2 Open 2 Completed 0 Rejected 0 Cancelled 0 Median duration – 90 % within –" in page
    assert f"Approval there now → then Open 1 · 50 % 50 % – {waiting.number}" in page
    assert f"Approval Approved → then Work there now → then Open 1 · 50 % 100 % – {approved.number}" in page
    assert "Approval Approval 2 at once at once 1 Work Task 1 – – 1 Mend Task 0 – – 0" in page
    assert "Approval Work 1 at once at once" in page


def test_the_diagram_carries_frequencies_and_waiting_times_and_is_told_in_words(world: World, auditor: User) -> None:
    world.approve(world.ask())
    answer = as_(auditor).get("/process/")
    drawing = re.search(r"<svg.*</svg>", answer.content.decode(), re.DOTALL)
    assert drawing is not None
    assert ("1×" in drawing[0], "median at once" in drawing[0]) == (True, True)
    assert "once, median at once, 90 % within at once" in drawing[0]
    assert "“Approval” (1×, median at once) leads to “Work” (Approved, 1×)" in text_of(answer)


def test_an_example_leads_to_its_request(world: World, auditor: User) -> None:
    request = world.ask()
    assert f'href="{page_of(request)}">{request.number}</a>' in as_(auditor).get("/process/").content.decode()


def other_item(world: World) -> str:
    """An item that was asked for once, while the laptop was twice; the id of its version."""
    workflow = make_workflow(choice_document("true", key="other"))
    other = make_item("other", workflow=workflow, name="Other thing")
    for item in (other, world.item, world.item):
        make_request(item, world.rita)
    return str(workflow.versions.get().pk)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, "New laptop"),
        ({"item": "other"}, "Other thing"),
        ({"item": "laptop"}, "New laptop"),
        ({"item": "laptop", "version": "of the other"}, "New laptop"),
        ({"item": "laptop", "version": "nonsense"}, "New laptop"),
        ({"item": "other", "version": "9" * 40}, "Other thing"),
    ],
)
def test_what_was_asked_for_most_is_shown_unless_another_item_is_named(
    world: World, auditor: User, query: dict[str, str], shown: str
) -> None:
    version = other_item(world)
    query = {key: version if value == "of the other" else value for key, value in query.items()}
    page = as_(auditor).get("/process/", query).content.decode()
    chosen = re.findall(r"<option value=\"[^\"]+\" selected>(.+?) \(", page)
    assert (
        chosen
        == {
            "New laptop": ["New laptop", "Simple, version 1"],
            "Other thing": ["Other thing", "Other, version 1"],
        }[shown]
    )


@pytest.mark.parametrize("slug", ["nothing", "\x00", "a" * 500])
def test_an_item_that_nobody_asked_for_is_not_there(world: World, auditor: User, slug: str) -> None:
    world.ask()
    answer = as_(auditor).get("/process/", {"item": slug})
    assert (answer.status_code, "Nothing here" in text_of(answer)) == (404, True)


TODAY, DAY = clock.now().date(), timedelta(days=1)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"from": str(TODAY - DAY), "to": str(TODAY + DAY)}, True),
        ({"from": str(TODAY + 2 * DAY)}, False),
        ({"to": str(TODAY - 2 * DAY)}, False),
        ({"from": "0001-01-01", "to": "9999-12-31"}, True),
        ({"from": "yesterday", "to": "\x00"}, True),
        ({"from": str(TODAY), "to": str(TODAY - DAY)}, True),
    ],
)
def test_a_period_counts_both_its_days_and_a_wrong_day_is_none(
    world: World, auditor: User, query: dict[str, str], shown: bool
) -> None:
    world.ask()
    answer = as_(auditor).get("/process/", query)
    page, wrong = text_of(answer), Days.asked_by(QueryDict(urlencode(query))).problems
    assert [unescape(said) for said in ERROR.findall(answer.content.decode())] == list(wrong.values())
    assert ("Variants" in page, "Nothing was submitted in this period. Show all requests" in page) == (shown, not shown)


def test_it_says_when_only_the_newest_are_counted(world: World, auditor: User, monkeypatch) -> None:
    for _ in range(2):
        world.ask()
    monkeypatch.setattr("apps.portal.views.process.MOST_RUNS", 1)
    page = text_of(as_(auditor).get("/process/"))
    assert ("only the newest 1 runs are counted" in page, "Requests 1 Open 1" in page) == (True, True)


def test_what_was_named_by_people_is_escaped(auditor: User, world: World) -> None:
    document: dict[str, Any] = approval_document("sly")
    document["steps"][1]["name"] = "<script>alert(1)</script>"
    assert compile_document(document).step("approve").name == "<script>alert(1)</script>"
    make_request(make_item("sly", workflow=make_workflow(document), name="<b>Sly</b>"), world.rita)
    page = as_(auditor).get("/process/").content.decode()
    assert ("<script>alert" in page, "<b>Sly" in page) == (False, False)


def test_the_page_takes_as_many_statements_for_one_request_as_for_three(
    world: World, auditor: User, django_assert_num_queries
) -> None:
    client = as_(auditor)
    for count in (1, 3):
        while WorkflowRun.objects.count() < count:
            world.approve(world.ask())
        client.get("/process/")
        with django_assert_num_queries(9):
            client.get("/process/")


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "look", [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"viewport": {"width": 360, "height": 740}}]
)
def test_the_page_is_accessible_in_light_dark_and_on_a_phone(
    world: World,
    open_page: Opener,  # noqa: F811
    look: dict,
) -> None:
    auditor = make_person("aude", roles=["auditor"])
    page = open_page(auditor, "/process/", **look)
    found = violations(page)
    for request in (world.ask(), world.ask()):
        world.approve(request)
    world.ask()
    page.goto("/process/")
    page.locator("main summary").click()
    found += violations(page)
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    frame, start = page.locator(".diagram-frame").bounding_box(), page.locator(".step.start").bounding_box()
    assert frame
    assert start
    assert frame["x"] <= start["x"] <= frame["x"] + frame["width"] - start["width"]
    page.locator(".diagram-frame").focus()
    assert page.evaluate("document.activeElement.className") == "diagram-frame"
