import pytest

from apps.notifications.models import Notification
from apps.outbox.models import Event
from apps.requests.models import Request
from tests.portal.conftest import World, as_, page_of, text_of

pytestmark = pytest.mark.django_db


def tell(world: World, request: Request) -> None:
    event = Event.objects.filter(stream_id=request.pk).order_by("seq")[0]
    Notification.objects.create(user=world.rita, event=event, kind="submitted", at=event.at)


@pytest.mark.parametrize(
    ("reader", "path", "statements"),
    [
        ("rita", "/", 12),
        ("rita", "/requests/", 9),
        ("mia", "/inbox/", 14),
        ("ivo", "/inbox/", 10),
        ("rita", "/notifications/", 8),
    ],
)
def test_a_list_takes_as_many_statements_for_one_row_as_for_three(
    world: World, django_assert_num_queries, reader: str, path: str, statements: int
) -> None:
    client = as_(getattr(world, reader))
    for count in (1, 3):
        while Request.objects.count() < count:
            request = world.ask()
            tell(world, request)
            if reader == "ivo":
                world.approve(request)
        client.get(path)
        with django_assert_num_queries(statements):
            client.get(path)


def test_the_first_page_says_what_waits_and_what_is_open(world: World) -> None:
    request = world.ask(title="For the fair")
    mia, rita = text_of(as_(world.mia).get("/")), text_of(as_(world.rita).get("/"))
    assert f"Waits for you Open the inbox For the fair Approve {request.number} · from Rita Roos" in mia
    assert f"Your open requests All your requests For the fair Submitted {request.number}" in rita
    assert "Nothing waits for you." in rita
    assert "New laptop Set up and ready" in rita


def test_an_empty_first_page_says_what_to_do(world: World) -> None:
    page = text_of(as_(world.stan).get("/"))
    assert "You have no open requests. Choose something below to make one." in page


def test_the_inbox_offers_a_task_to_its_team_only(world: World) -> None:
    world.approve(world.ask(title="For the fair"))
    seen = {user.username: "For the fair" in text_of(as_(user).get("/inbox/")) for user in (world.ivo, world.mia)}
    assert seen == {"ivo": True, "mia": False}


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({}, ["One", "Two"]),
        ({"scope": "all"}, ["One", "Two"]),
        ({"status": "ended"}, ["Two"]),
        ({"status": "open"}, ["One"]),
        ({"status": "nonsense"}, ["One", "Two"]),
        ({"q": "tw"}, ["Two"]),
        ({"q": "LAPTOP"}, ["One", "Two"]),
        ({"q": "100%"}, []),
        ({"q": "\x00"}, ["One", "Two"]),
        ({"before": "9" * 30}, ["One", "Two"]),
        ({"before": "0"}, []),
    ],
)
def test_requests_are_filtered_by_status_and_text(world: World, query: dict[str, str], titles: list[str]) -> None:
    world.ask(title="One")
    two = world.ask(title="Two")
    client = as_(world.rita)
    client.post(page_of(two, "cancel"))
    page = client.get("/requests/", query, headers={"HX-Target": "request-results"}).content.decode()
    assert [title for title in ("One", "Two") if f">{title}</a>" in page] == titles


def test_mine_are_those_i_made_and_those_for_me(world: World) -> None:
    request = world.ask(title="For Stan", requested_for=world.stan)
    listed = {
        user.username: request.number in text_of(as_(user).get("/requests/", headers={"HX-Target": "request-results"}))
        for user in (world.rita, world.stan, world.mia)
    }
    assert listed == {"rita": True, "stan": True, "mia": False}
    assert request.number in text_of(as_(world.mia).get("/requests/", {"scope": "all"}))


def test_a_long_list_goes_on_where_the_page_ends(world: World, monkeypatch) -> None:
    monkeypatch.setattr("apps.portal.views.requests.PAGE_SIZE", 2)
    numbers = [world.ask().number for _ in range(3)]
    client = as_(world.rita)
    first = client.get("/requests/")
    older = first.content.decode().split('href="/requests/?')[-1].split('"')[0].replace("&amp;", "&")
    second = text_of(client.get(f"/requests/?{older}"))
    assert [number in text_of(first) for number in numbers] == [False, True, True]
    assert [number in second for number in numbers] == [True, False, False]


def test_searching_a_number_leads_to_its_request_if_it_may_be_seen(world: World) -> None:
    request = world.ask()
    sought = {"q": f" {request.number.lower()} "}
    assert as_(world.rita).get("/search/", sought).headers["Location"] == page_of(request)
    assert as_(world.stan).get("/search/", sought).headers["Location"].startswith("/requests/?scope=all&q=sr-")


def test_notifications_are_read_one_by_one_or_all(world: World) -> None:
    for _ in range(3):
        tell(world, world.ask())
    client = as_(world.rita)
    newest = Notification.objects.order_by("-id")[0]
    client.post("/notifications/read/", {"id": str(newest.pk)})
    unread = [Notification.objects.filter(read_at=None).count()]
    as_(world.mia).post("/notifications/read/")
    unread.append(Notification.objects.filter(read_at=None).count())
    client.post("/notifications/read/")
    unread.append(Notification.objects.filter(read_at=None).count())
    assert unread == [2, 2, 0]


def test_a_notification_names_its_request_and_leads_to_it(world: World) -> None:
    request = world.ask(title="For <the> fair")
    tell(world, request)
    page = as_(world.rita).get("/notifications/").content.decode()
    link = f'<a href="{page_of(request)}">{request.number} was submitted: For &lt;the&gt; fair</a>'
    assert link in page
