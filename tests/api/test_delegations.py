from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group

from apps.accounts.models import Delegation
from apps.approvals.models import Seat
from apps.core import clock
from apps.outbox.models import Event
from apps.outbox.relay import run_relay
from tests.api.conftest import Client, World
from tests.factories import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
PATH = "/me/delegations/"
DAY = timedelta(days=1)


def text_of(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def in_days(days: float) -> str:
    return text_of(clock.now() + timedelta(days=days))


def absence(**body: Any) -> dict[str, Any]:
    """Ivo is the deputy from now on for a day."""
    return {"deputy": "ivo", "ends_at": in_days(1), **body}


def made(world: World, **body: Any) -> dict[str, Any]:
    """An absence of Mia's, through the API."""
    answer = world.client("mia").api("post", PATH, absence(**body))
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def errors_of(world: World, body: Any) -> dict[str, list[str]]:
    answer = world.client("mia").api("post", PATH, body)
    told = Event.objects.filter(type="delegation.created").count()
    assert (answer.status_code, Delegation.objects.count(), told) == (400, 0, 0)
    return dict(answer.json()["errors"])


def test_an_absence_is_answered_as_it_is_kept(world: World) -> None:
    begins, ends = clock.now() + DAY, clock.now() + 2 * DAY
    body = absence(starts_at=text_of(begins), ends_at=text_of(ends), items=["laptop"], up_to="500", currency="EUR")
    answer = world.client("mia").api("post", PATH, body)
    row = Delegation.objects.get()
    assert answer.status_code == 201
    assert answer["Location"] == f"http://testserver/api/v1/me/delegations/{row.pk}/"
    assert answer.json() == {
        "id": row.pk,
        "principal": "mia",
        "deputy": "ivo",
        "starts_at": text_of(begins),
        "ends_at": text_of(ends),
        "items": ["laptop"],
        "up_to": "500.00",
        "currency": "EUR",
        "state": "coming",
        "created_at": text_of(row.created_at),
        "ended_at": None,
    }
    assert world.client("mia").api("get", f"{PATH}{row.pk}/").json() == answer.json()


def test_a_time_without_offset_is_in_ones_own_zone(world: World) -> None:
    world.mia.time_zone = "Asia/Tokyo"
    world.mia.save()
    day = (clock.now() + 3 * DAY).date()
    answer = made(world, ends_at=f"{day}T09:30")
    assert answer["ends_at"] == f"{day}T00:30:00Z"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"deputy": "mia"}, "deputy"),
        ({"deputy": "nobody"}, "deputy"),
        ({"deputy": ""}, "deputy"),
        ({"deputy": "i\x00vo"}, "deputy"),
        ({"starts_at": "2001-01-01T00:00:00Z"}, "starts_at"),
        ({"starts_at": "soon"}, "starts_at"),
        ({"ends_at": ""}, "ends_at"),
        ({"ends_at": "9999-12-31T23:59:59Z"}, "ends_at"),
        ({"ends_at": "0001-01-01T00:00:00+14:00"}, "ends_at"),
        ({"ends_at": "2001-01-01T00:00:00Z"}, "ends_at"),
        ({"items": ["laptop", "unicorn"]}, "items"),
        ({"items": [7]}, "items"),
        ({"items": ["x" * 101]}, "items"),
        ({"up_to": "500"}, "currency"),
        ({"up_to": "500", "currency": "euro"}, "currency"),
        ({"currency": "EUR"}, "up_to"),
        ({"up_to": "-1", "currency": "EUR"}, "up_to"),
        ({"up_to": "0", "currency": "EUR"}, "up_to"),
        ({"up_to": "1e9", "currency": "EUR"}, "up_to"),
        ({"up_to": "9" * 13, "currency": "EUR"}, "up_to"),
        ({"up_to": "0.001", "currency": "EUR"}, "up_to"),
        ({"limit": "500"}, "limit"),
    ],
)
def test_a_refusal_names_its_field(world: World, given: dict[str, Any], field: str) -> None:
    assert list(errors_of(world, absence(**given))) == [field]


def test_what_is_missing_is_named(world: World) -> None:
    assert errors_of(world, {}) == {"deputy": ["This field is required."], "ends_at": ["This field is required."]}


def test_items_that_are_not_offered_to_me_do_not_exist_for_me(world: World) -> None:
    world.item.audience.add(Group.objects.create(name="insiders"))
    assert errors_of(world, absence(items=["laptop"])) == {"items": ["There is no item laptop in your catalogue."]}


def test_the_same_key_names_one_deputy(world: World) -> None:
    mia, body = world.client("mia"), absence()
    first = mia.api("post", PATH, body, **{"Idempotency-Key": "away"})
    second = mia.api("post", PATH, body, **{"Idempotency-Key": "away"})
    assert (first.json(), Delegation.objects.count()) == (second.json(), 1)


def test_lists_hold_my_absences_and_those_in_which_i_am_the_deputy(world: World) -> None:
    first, second = made(world)["id"], made(world, starts_at=in_days(0.5))["id"]

    def ids(name: str, query: str = "") -> list[int]:
        return [row["id"] for row in world.client(name).api("get", PATH + query).json()["results"]]

    assert (ids("mia"), ids("mia", "?role=deputy")) == ([second, first], [])
    assert (ids("ivo"), ids("ivo", "?role=deputy")) == ([], [second, first])
    assert (ids("stan"), ids("stan", "?role=deputy")) == ([], [])
    for wrong in ("king", "principal,deputy"):
        assert world.client("mia").api("get", f"{PATH}?role={wrong}").status_code == 400


@pytest.mark.parametrize("count", [1, 3])
def test_a_list_takes_the_same_statements_whatever_its_length(
    world: World, count: int, django_assert_num_queries
) -> None:
    for _ in range(count):
        made(world)
    client = world.client("mia")
    with django_assert_num_queries(2):
        assert len(client.api("get", PATH).json()["results"]) == count


def test_deleting_ends_it_and_keeps_it(world: World) -> None:
    own = f"{PATH}{made(world)['id']}/"
    mia = world.client("mia")
    ended = mia.api("delete", own)
    assert (ended.status_code, ended.json()["state"], Delegation.objects.count()) == (200, "ended", 1)
    assert mia.api("get", own).json() == ended.json()
    assert mia.api("delete", own).status_code == 409


def test_who_may_see_it_and_who_may_end_it(world: World) -> None:
    pk = made(world)["id"]
    own = f"{PATH}{pk}/"
    iris = Client().of(make_person("iris", roles=["auditor"]))
    assert (world.client("ivo").api("get", own).status_code, world.client("ivo").api("delete", own).status_code) == (
        200,
        403,
    )
    assert (world.client("stan").api("get", own).status_code, world.client("stan").api("delete", own).status_code) == (
        404,
        404,
    )
    assert world.client("stan").api("post", f"/delegations/{pk}/end/", {"reason": "x"}).status_code == 404
    assert world.client("ivo").api("post", f"/delegations/{pk}/end/", {"reason": "x"}).status_code == 403
    assert iris.api("post", f"/delegations/{pk}/end/", {"reason": "x"}).status_code == 403
    assert Client().api("get", PATH).status_code == 401
    assert Delegation.objects.get().ended_at is None


def test_an_administrator_ends_anybodys_with_a_reason(world: World) -> None:
    path = f"/delegations/{made(world)['id']}/end/"
    olga = Client().of(make_person("olga", roles=["administrator"]))
    refused = olga.api("post", path)
    assert (refused.status_code, refused.json()["errors"]) == (400, {"reason": ["Please say why."]})
    assert olga.api("post", path, {"reason": "Ivo is ill"}).json()["state"] == "ended"


def test_a_preview_says_what_would_go_and_what_would_stay(world: World) -> None:
    first, second = world.ask(title="One"), world.ask(title="Two")
    seats = {seat.level.approval.stream_id: seat for seat in Seat.objects.select_related("level__approval")}
    shown = world.client("mia").api("get", f"{PATH}preview/?deputy=ivo").json()
    rows = [
        {
            "approval": seats[one.pk].level.approval_id,
            "seat": seats[one.pk].pk,
            "request": one.number,
            "title": one.title,
        }
        for one in (second, first)
    ]
    assert shown == {"going": [{**row, "to": "ivo"} for row in rows], "staying": []}
    limited = world.client("mia").api("get", f"{PATH}preview/?deputy=ivo&up_to=5&currency=EUR&items=laptop").json()
    why = "it names no amount that the limit could be compared with"
    assert limited == {"going": [], "staying": [{**row, "why": why} for row in rows]}
    assert Delegation.objects.count() == 0


def test_a_preview_is_refused_as_the_absence_would_be(world: World) -> None:
    answer = world.client("mia").api("get", f"{PATH}preview/?deputy=mia&items=unicorn&ends_at=2001-01-01T00:00:00Z")
    assert (answer.status_code, sorted(answer.json()["errors"])) == (400, ["deputy", "ends_at", "items"])
    assert world.client("mia").api("get", f"{PATH}preview/").status_code == 400


def test_open_approvals_go_at_once_and_come_back_at_once(world: World) -> None:
    world.ask()
    pk = made(world)["id"]
    run_relay()
    (row,) = world.client("ivo").api("get", "/approvals/").json()["results"]
    assert row["request"].startswith("SR-")
    assert world.client("mia").api("get", "/approvals/").json()["results"] == []
    world.client("mia").api("delete", f"{PATH}{pk}/")
    run_relay()
    assert world.client("ivo").api("get", "/approvals/").json()["results"] == []
    assert len(world.client("mia").api("get", "/approvals/").json()["results"]) == 1


def test_both_find_it_among_their_notifications_and_in_the_feed(world: World) -> None:
    pk = made(world)["id"]
    run_relay()
    for name in ("mia", "ivo"):
        (told,) = world.client(name).api("get", "/notifications/").json()["results"]
        assert (told["kind"], told["request"], told["delegation"]) == ("deputy", None, pk)
        assert told["subject"].startswith("Ivo answers approvals for Mia from ")
    types = [event["type"] for event in world.client("mia").api("get", "/events/?after=0").json()["results"]]
    assert types == ["delegation.created"]
