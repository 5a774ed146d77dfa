"""The priority of a request, changed through the API."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import Team
from apps.requests.models import Request
from apps.sla.models import SlaClock, SlaPolicyVersion
from tests.api.conftest import Client, World
from tests.factories import make_person, row_counts

pytestmark = pytest.mark.sqlite
LEVELS = ("critical", "high", "medium", "low")
ALL_STOP = {"impact": "high", "urgency": "high", "reason": "Nobody can work"}


def working(world: World) -> Request:
    """A request of Rita's that team IT has: Mia approved it."""
    durations = {level: {"seconds": 7200 if level == "critical" else 36_000} for level in LEVELS}
    SlaPolicyVersion.freeze("laptop", {"targets": [{"id": "fix", "metric": "resolution", "durations": durations}]})
    request = world.ask()
    (approval,) = world.client("mia").api("get", "/approvals/").json()["results"]
    world.client("mia").api("post", f"/approvals/{approval['id']}/decide/", {"decision": "approve"})
    return Request.objects.get(pk=request.pk)


def change(client: Client, request: Request, body: Any = ALL_STOP, **headers: str) -> Any:
    return client.api("post", f"/requests/{request.number}/priority/", body, **headers)


def state(request: Request) -> tuple[Any, ...]:
    """Everything that a refusal leaves as it was."""
    fresh = Request.objects.get(pk=request.pk)
    due = list(SlaClock.objects.filter(stream_id=request.pk).values_list("due_at", "allowed"))
    return fresh.priority, fresh.impact, fresh.urgency, fresh.revision, due, row_counts()


def test_impact_and_urgency_give_the_priority_and_the_clocks_follow(world: World) -> None:
    request = working(world)
    answer = change(world.client("ivo"), request)
    told = answer.json()
    assert (answer.status_code, told["impact"], told["urgency"], told["priority"]) == (200, "high", "high", "critical")
    fresh = Request.objects.get(pk=request.pk)
    assert (answer["ETag"], fresh.priority) == (f'"{fresh.revision}"', "critical")
    clock = SlaClock.objects.get(stream_id=request.pk)
    assert (clock.due_at - clock.started_at).total_seconds() == 7200
    (event,) = [
        one
        for one in world.client("rita").api("get", f"/requests/{request.number}/events/").json()["results"]
        if one["type"] == "request.priority_changed"
    ]
    moved = {key: event["data"][key] for key in ("was", "priority", "impact", "urgency")}
    assert moved == {"was": "medium", "priority": "critical", "impact": "high", "urgency": "high"}


@pytest.mark.parametrize(
    ("who", "status"),
    [("rita", 403), ("mia", 403), ("stan", 404), ("audit", 403), ("member", 200), ("ivo", 200), ("admin", 200)],
)
def test_who_may_change_it(world: World, who: str, status: int) -> None:
    request = working(world)
    people = {
        "audit": make_person("audit", roles=["auditor"]),
        "admin": make_person("admin", roles=["administrator"]),
        "member": make_person("member"),
    }
    Team.objects.get(key="it").group.user_set.add(people["member"])
    before = state(request)
    answer = change(Client().of(people.get(who) or getattr(world, who)), request)
    assert answer.status_code == status
    assert (state(request) == before) == (status != 200)


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        ({**ALL_STOP, "impact": "vast"}, "impact", "This must be one of high, medium, low."),
        ({**ALL_STOP, "urgency": 3}, "urgency", "This must be text."),
        ({**ALL_STOP, "reason": "  "}, "reason", "Please say why."),
        ({"impact": "high", "urgency": "high"}, "reason", "This field is required."),
        ({**ALL_STOP, "priority": "critical"}, "priority", "There is no such field."),
        (
            {**ALL_STOP, "impact": "medium", "urgency": "medium"},
            "impact",
            "Impact and urgency are like this already; choose another of either.",
        ),
    ],
)
def test_what_does_not_fit_is_named_by_field_and_moves_nothing(
    world: World, body: dict[str, Any], field: str, problem: str
) -> None:
    request = working(world)
    before = state(request)
    answer = change(world.client("ivo"), request, body)
    assert (answer.status_code, answer.json()["errors"]) == (400, {field: [problem]})
    assert state(request) == before


def test_once_it_has_ended_it_is_refused(world: World) -> None:
    request = working(world)
    world.client("rita").api("post", f"/requests/{request.number}/cancel/")
    before = state(request)
    answer = change(world.client("ivo"), request)
    assert (answer.status_code, answer.json()["code"]) == (409, "transition_not_allowed")
    assert state(request) == before


def test_only_the_present_revision_is_changed_if_one_is_named(world: World) -> None:
    request, ivo = working(world), world.client("ivo")
    before = state(request)
    stale = change(ivo, request, **{"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"], state(request)) == (412, "precondition_failed", before)
    assert change(ivo, request, **{"If-Match": f'"{request.revision}"'}).status_code == 200


def test_the_same_key_changes_it_once(world: World) -> None:
    request, ivo, key = working(world), world.client("ivo"), {"Idempotency-Key": "stop-1"}
    first = change(ivo, request, **key)
    after = state(request)
    again = change(ivo, request, **key)
    assert (again.status_code, again.json(), again["ETag"]) == (200, first.json(), first["ETag"])
    assert state(request) == after
    assert change(ivo, request, {**ALL_STOP, "reason": "Other"}, **key).status_code == 422
