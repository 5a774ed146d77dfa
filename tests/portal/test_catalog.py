import re
from datetime import date

import pytest

from apps.requests.models import Request
from tests.factories import make_item, row_counts
from tests.portal.conftest import World, as_, page_of, text_of

pytestmark = pytest.mark.django_db
FILLED = {
    "data.reason": "Mine is broken",
    "data.price": "1890,00",
    "data.price.currency": "USD",
    "data.needed_on": "2027-01-31",
    "data.size": "l",
    "data.pieces": "2",
    "data.buddy": "ivo",
    "title": "For the fair",
    "requested_for": "rita",
    "impact": "low",
    "urgency": "high",
    "action": "submit",
}


def test_the_catalogue_can_be_filtered(world: World) -> None:
    make_item("desk", name="New desk", workflow=world.item.rules.get().workflow)
    page = text_of(as_(world.rita).get("/catalog/", {"q": "LAP"}))
    assert ("New laptop" in page, "New desk" in page) == (True, False)


def test_the_filter_box_gets_the_tiles_only(world: World) -> None:
    answer = as_(world.rita).get(
        "/catalog/", {"q": "zzz"}, headers={"HX-Request": "true", "HX-Target": "catalog-results"}
    )
    assert text_of(answer).strip() == "Nothing is called “zzz”. Try a shorter word, or clear the box to see everything."


def test_each_kind_of_field_has_its_widget(world: World) -> None:
    page = as_(world.rita).get("/catalog/laptop/").content.decode()
    widgets = re.findall(r'<(\w+)[^>]*?(?: type="(\w+)")?[^>]*? id="field-(\w+)" name="data\.', page)
    assert [(tag, name) for tag, _, name in widgets] == [
        ("textarea", "reason"),
        ("input", "price"),
        ("input", "needed_on"),
        ("select", "size"),
        ("input", "pieces"),
        ("input", "buddy"),
    ]
    assert 'type="date"' in page
    assert 'aria-label="Currency of Price"' in page


def test_a_filled_in_form_becomes_a_request_that_is_handed_in(world: World) -> None:
    answer = as_(world.rita).post("/catalog/laptop/", FILLED)
    request = Request.objects.get()
    assert answer.headers["Location"] == page_of(request)
    assert (request.status, request.title, request.priority) == ("submitted", "For the fair", "medium")
    assert request.data == {
        "reason": "Mine is broken",
        "price": {"amount": "1890.00", "currency": "USD"},
        "needed_on": "2027-01-31",
        "size": "l",
        "pieces": 2,
        "buddy": "ivo",
    }


def test_errors_stand_beside_their_fields_and_what_was_entered_stays(world: World) -> None:
    before = row_counts()
    sent = FILLED | {"data.reason": "", "data.pieces": "eleven", "data.buddy": "ghost", "impact": "huge"}
    answer = as_(world.rita).post("/catalog/laptop/", sent)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert row_counts() == before
    errors = re.findall(r'<p class="field-error" id="([\w-]+)">([^<]+)</p>', page)
    assert errors == [
        ("field-reason-error", "Please fill this in."),
        ("field-pieces-error", "This must be a number."),
        ("field-buddy-error", "There is no active person with this user name."),
        ("impact-error", "This must be one of high, medium, low."),
    ]
    assert ('value="eleven"' in page, 'value="1890.00"' in page, 'value="2027-01-31"' in page) == (True,) * 3


def test_a_draft_may_lack_fields_and_is_handed_in_later(world: World) -> None:
    client = as_(world.rita)
    client.post("/catalog/laptop/", {"data.pieces": "3", "action": "draft"})
    draft = Request.objects.get()
    assert (draft.status, draft.data) == ("draft", {"pieces": 3})
    assert client.post(page_of(draft, "submit")).status_code == 409
    assert 'value="3"' in client.get(page_of(draft, "edit")).content.decode()
    client.post(page_of(draft, "edit"), {"data.pieces": "3", "data.reason": "Now I know", "action": "submit"})
    draft = Request.objects.get()
    assert (draft.status, draft.data) == ("submitted", {"pieces": 3, "reason": "Now I know"})


def test_a_draft_that_cannot_be_handed_in_keeps_what_it_held(world: World) -> None:
    client = as_(world.rita)
    client.post("/catalog/laptop/", {"data.pieces": "3", "action": "draft"})
    draft = Request.objects.get()
    answer = client.post(page_of(draft, "edit"), {"data.pieces": "4", "action": "submit"})
    draft = Request.objects.get()
    assert answer.status_code == 400
    assert (draft.status, draft.data, draft.revision) == ("draft", {"pieces": 3}, 1)


def test_only_its_requester_edits_a_draft(world: World) -> None:
    as_(world.rita).post("/catalog/laptop/", {"action": "draft"})
    draft = Request.objects.get()
    assert as_(world.stan).get(page_of(draft, "edit")).status_code == 404


def test_a_form_that_is_sent_twice_makes_one_request(world: World) -> None:
    client = as_(world.rita)
    page = client.get("/catalog/laptop/").content.decode()
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    sent = FILLED | {"form_token": token[1] if token else ""}
    answers = [client.post("/catalog/laptop/", sent) for _ in range(3)]
    assert Request.objects.count() == 1
    assert {answer.headers["Location"] for answer in answers} == {page_of(Request.objects.get())}


def test_a_form_that_was_refused_can_be_sent_again_with_its_token(world: World) -> None:
    client = as_(world.rita)
    assert client.post("/catalog/laptop/", FILLED | {"data.reason": "", "form_token": "one"}).status_code == 400
    assert client.post("/catalog/laptop/", FILLED | {"form_token": "one"}).status_code == 302
    assert client.post("/catalog/laptop/", FILLED | {"form_token": "two"}).status_code == 302
    assert Request.objects.count() == 2


def test_an_unknown_item_and_one_for_others_are_not_there(world: World) -> None:
    other = make_item("secret", workflow=world.item.rules.get().workflow)
    other.audience.add(world.ivo.groups.get())
    client = as_(world.rita)
    assert [client.get(f"/catalog/{slug}/").status_code for slug in ("ghost", "secret", "laptop")] == [404, 404, 200]


def test_an_item_whose_rules_do_not_hold_says_what_is_wrong_and_keeps_the_form(world: World) -> None:
    world.item.rules.update(guard="false")
    answer = as_(world.rita).post("/catalog/laptop/", FILLED)
    assert answer.status_code == 409
    assert "No workflow of New laptop applies" in text_of(answer)
    assert "Mine is broken" in text_of(answer)


def test_control_characters_are_refused_by_field(world: World) -> None:
    answer = as_(world.rita).post("/catalog/laptop/", FILLED | {"data.reason": "a\x00b", "title": "c\x07"})
    assert answer.status_code == 400
    assert ("U+0000" in text_of(answer), "U+0007" in text_of(answer)) == (True, True)


def test_people_are_suggested_by_any_part_of_their_name(world: World) -> None:
    client = as_(world.mia)
    assert 'value="rita"' in client.get("/people/", {"data.buddy": "ro ri"}).content.decode()
    assert text_of(client.get("/people/", {"q": " "})).strip() == ""
    assert text_of(client.get("/people/", {"q": "a\x00"})).strip() == ""


def test_a_form_shows_dates_as_people_write_them(world: World) -> None:
    as_(world.rita).post("/catalog/laptop/", FILLED)
    page = text_of(as_(world.rita).get(page_of(Request.objects.get())))
    assert f"Needed on {date(2027, 1, 31):%-d %b %Y} Size l Pieces 2 Buddy Ivo" in page
