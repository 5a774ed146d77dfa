import pytest
from django.core.cache import cache
from django.test import Client

from tests.factories import PASSWORD
from tests.portal.conftest import World, as_, page_of, text_of

pytestmark = pytest.mark.django_db
PAGES = [
    "/",
    "/catalog/",
    "/catalog/laptop/",
    "/people/?q=a",
    "/requests/",
    "/search/?q=a",
    "/inbox/",
    "/notifications/",
]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_sends_somebody_unknown_to_the_log_in(world: World, anonymous: Client, path: str) -> None:
    answer = anonymous.get(path)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login/?next=")


def test_every_move_sends_somebody_unknown_to_the_log_in(world: World, anonymous: Client) -> None:
    request = world.ask()
    moves = ["submit", "cancel", "hold", "resume", "reopen", "comment"]
    paths = [page_of(request, move) for move in moves] + ["/tasks/1/claim/", "/approvals/1/decide/"]
    answers = [anonymous.post(path) for path in paths]
    assert {(answer.status_code, answer.headers["Location"].split("?")[0]) for answer in answers} == {(302, "/login/")}


def test_logging_in_leads_to_the_page_that_was_wanted(world: World, anonymous: Client) -> None:
    sent = {"username": "rita", "password": PASSWORD, "next": "/inbox/"}
    answer = anonymous.post("/login/", sent)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/inbox/")


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "portal:logout"]
)
def test_logging_in_never_leads_to_another_site(world: World, anonymous: Client, elsewhere: str) -> None:
    answer = anonymous.post("/login/", {"username": "rita", "password": PASSWORD, "next": elsewhere})
    assert answer.headers["Location"] == "/"


def test_a_wrong_password_an_unknown_and_a_closed_account_get_the_same_answer(world: World, anonymous: Client) -> None:
    world.stan.is_active = False
    world.stan.save()
    tries = [("rita", "wrong"), ("nobody", "wrong"), ("stan", PASSWORD)]
    answers = [anonymous.post("/login/", {"username": name, "password": word}) for name, word in tries]
    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert len({text_of(answer) for answer in answers}) == 1


@pytest.mark.usefixtures("time_stands_still")
@pytest.mark.parametrize("settings_name", ["LOGIN_RATE_PER_ACCOUNT", "LOGIN_RATE_PER_ADDRESS"])
def test_too_many_attempts_wait_even_with_the_right_password(
    world: World, anonymous: Client, settings, settings_name: str
) -> None:
    settings.RATELIMIT_ENABLE = True
    setattr(settings, settings_name, "2/m")
    cache.clear()
    for _ in range(2):
        assert anonymous.post("/login/", {"username": "rita", "password": "wrong"}).status_code == 400
    answer = anonymous.post("/login/", {"username": "rita", "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert "too many attempts" in text_of(answer)
    assert anonymous.get("/").status_code == 302
    cache.clear()


def test_logging_out_takes_a_post(world: World) -> None:
    client = as_(world.rita)
    assert client.get("/logout/").status_code == 405
    assert client.get("/").status_code == 200
    assert client.post("/logout/").headers["Location"] == "/login/"
    assert client.get("/").status_code == 302


def test_an_address_that_does_not_exist_says_so_with_a_way_back(world: World) -> None:
    answer = as_(world.rita).get("/nothing/")
    assert answer.status_code == 404
    assert "There is nothing at this address" in text_of(answer)


def test_a_form_without_its_token_is_refused_with_an_explanation(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.rita)
    answer = client.post("/catalog/laptop/", {"data.reason": "x"})
    assert answer.status_code == 403
    assert "This page is too old" in text_of(answer)


def test_pages_are_kept_by_no_cache_and_run_no_inline_script(world: World) -> None:
    answer = as_(world.rita).get("/")
    page = answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert ("<script>" in page, " style=" in page, "<style" in page, " onclick" in page) == (False,) * 4


def test_a_mistake_of_ours_is_owned_and_shows_no_detail(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("apps.portal.views.inbox.feed_position", fail)
    client = as_(world.rita)
    client.raise_request_exception = False
    answer = client.get("/inbox/")
    assert answer.status_code == 500
    assert ("This is our mistake" in text_of(answer), "secret" in text_of(answer)) == (True, False)
