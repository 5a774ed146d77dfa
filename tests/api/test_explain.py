"""A request's clocks with every stretch, and why it is carried out, approved and due as it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from apps.accounts.delegations import Terms, create_delegation
from apps.approvals.models import Seat
from apps.core import clock
from apps.requests.models import Request, SlaRule
from apps.requests.services.lifecycle import hold_request, resume_request
from apps.requests.services.priority import set_priority
from apps.requests.services.rebasing import Rebase, apply
from apps.sla.models import SlaClock, SlaPolicyVersion
from tests.api.conftest import Client, World
from tests.factories import make_calendar, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
MONDAY_MORNING = datetime.fromisoformat("2026-03-02T09:00:00+01:00")
LEVELS = ("critical", "high", "medium", "low")


def fix(**more: Any) -> dict[str, Any]:
    durations = {level: {"business_seconds": 8 * 3600} for level in LEVELS} | {"critical": {"business_seconds": 7200}}
    return {"id": "fix", "metric": "resolution", "calendar": "office", "durations": durations, **more}


def policy(*targets: dict[str, Any]) -> SlaPolicyVersion:
    make_calendar()
    return SlaPolicyVersion.freeze("laptop", {"targets": list(targets)})


def get(client: Client, request: Request, part: str) -> Any:
    answer = client.api("get", f"/requests/{request.number}/{part}/")
    assert answer.status_code == 200, answer.content
    return answer.json()


def at(hours: float) -> Any:
    """Some hours after Monday morning, when the office opens."""
    return time_machine.travel(MONDAY_MORNING + timedelta(hours=hours), tick=False)


def administrator() -> Any:
    return make_person("olga", roles=["administrator"])


def test_a_clock_is_told_with_every_stretch_and_its_reason(world: World) -> None:
    policy(fix(name="Repair", warn_at=[50, 75]))
    boss = administrator()
    with at(0):
        request = world.ask()
    with at(2):
        hold_request(request, reason="No stock", actor=boss)
    with at(3):
        resume_request(request, actor=boss)
    with at(25):
        (one,) = get(world.client("rita"), request, "clocks")["results"]
    office = {"key": "office", "n": 1}
    hours = [(two["from"][:16], two["to"][:16], two["kind"], two["why"], two["calendar"]) for two in one["intervals"]]
    assert hours == [
        ("2026-03-02T08:00", "2026-03-02T10:00", "running", "within working hours", office),
        ("2026-03-02T10:00", "2026-03-02T11:00", "paused", "on hold", None),
        ("2026-03-02T11:00", "2026-03-02T16:00", "running", "within working hours", office),
        ("2026-03-02T16:00", "2026-03-03T08:00", "closed", "outside working hours", office),
        ("2026-03-03T08:00", "2026-03-03T09:00", "running", "within working hours", office),
    ]
    assert [two["counted"] for two in one["intervals"]] == [True, False, True, False, True]
    assert one["lengths"] == {"running": 28_800, "closed": 57_600, "holiday": 0, "paused": 3600, "other_team": 0}
    assert (one["name"], one["policy"], one["calendar"]) == ("Repair", {"key": "laptop", "n": 2}, office)
    assert one["warnings"] == [{"percent": 50, "given": False}, {"percent": 75, "given": False}]
    assert (one["allowed"], one["intervals_left_out"]) == (28_800, 0)


def test_what_a_clock_has_used_up_is_told_for_the_moment_that_is_asked(world: World) -> None:
    policy(fix())
    with at(0):
        request = world.ask()
    with at(0.03):
        (one,) = get(world.client("rita"), request, "clocks")["results"]
        (due,) = get(world.client("rita"), request, "explain")["clocks"]
    assert one["elapsed"] == one["lengths"]["running"] == due["elapsed"] == 108
    assert SlaClock.objects.get().elapsed == 0


def test_every_clock_of_a_target_tells_its_own_life(world: World) -> None:
    policy(
        fix(),
        {"id": "sign", "metric": "approval", "of": "approve", "durations": fix()["durations"], "calendar": "office"},
    )
    with at(0):
        request = world.ask()
    for hour, who, move in ((1, "mia", "return"), (2, "rita", "complete"), (4, "mia", "approve")):
        with at(hour):
            client = world.client(who)
            if move == "complete":
                task = client.api("get", f"/requests/{request.number}/tasks/").json()["results"][-1]["id"]
                client.api("post", f"/tasks/{task}/complete/")
            else:
                seat = Seat.objects.latest("pk").level.approval_id
                client.api("post", f"/approvals/{seat}/decide/", {"decision": move, "comment": "x"})
    with at(5):
        rows = get(world.client("rita"), request, "clocks")["results"]
    told = {(row["target"], row["status"], row["lengths"]["running"]) for row in rows}
    assert told == {("fix", "running", 18_000), ("sign", "met", 3600), ("sign", "met", 7200)}


def test_a_clock_that_was_measured_anew_tells_what_was_counted_by_which_rules(world: World) -> None:
    policy(fix())
    with at(0):
        request = world.ask()
    by_night = {"durations": {level: {"seconds": 36_000} for level in LEVELS}}
    newer = SlaPolicyVersion.freeze("laptop", {"targets": [fix(**by_night)]})
    with at(10):
        apply(Rebase(policy=newer), actor=None)
    with at(11):
        (one,) = get(world.client("rita"), request, "clocks")["results"]
    assert [(two["kind"], two["calendar"] is None) for two in one["intervals"]] == [
        ("running", False),
        ("closed", False),
        ("running", True),
    ]
    assert (one["policy"]["n"], one["lengths"]["running"]) == (3, 9 * 3600)


def test_a_clock_whose_target_is_no_longer_measured_still_tells_its_life(world: World) -> None:
    policy(fix(), fix(id="other"))
    with at(0):
        request = world.ask()
    newer = SlaPolicyVersion.freeze("laptop", {"targets": [fix()]})
    with at(1):
        apply(Rebase(policy=newer), actor=None)
    with at(2):
        rows = get(world.client("rita"), request, "clocks")["results"]
    told = [(row["target"], row["status"], row["policy"]["n"], row["lengths"]["running"]) for row in rows]
    assert told == [("fix", "running", 3, 7200), ("other", "void", 2, 3600)]


def test_a_long_life_is_told_by_its_newest_stretches(world: World) -> None:
    policy(fix())
    with at(0):
        request = world.ask()
    with at(24 * 1000):
        (one,) = get(world.client("rita"), request, "clocks")["results"]
    assert (len(one["intervals"]), one["intervals_left_out"]) == (500, 930)
    assert one["lengths"]["running"] == one["elapsed"] == SlaClock.objects.get().elapsed + 715 * 8 * 3600


# ------------------------------------------------------------------------------------ explain


def test_an_explanation_says_why_this_workflow_these_approvers_and_this_due_time(world: World) -> None:
    policy(fix(name="Repair"))
    SlaRule.objects.create(item=world.item, order=1, name="dear", guard="request.data.reason == 'gold'", policy_key="x")
    boss = administrator()
    with at(0):
        request = world.ask()
    with at(1):
        set_priority(request, impact="high", urgency="high", reason="All stop", actor=boss)
    with at(3):
        told = get(world.client("rita"), request, "explain")
    assert told["workflow"] == {
        "key": "simple",
        "version": 1,
        "rule": "always",
        "guard": "",
        "passed_over": [],
        "sentence": "Because of the rule “always”, the workflow “simple”, version 1, carries it out.",
    }
    assert told["sla"]["sentence"] == (
        "Because no rule of the item says otherwise, the SLA policy “laptop”, version 2, measures it."
        " Passed over, as they did not hold: “dear”."
    )
    (seat,) = told["approvers"]
    assert (seat["user"], seat["for"], seat["because"]) == ("mia", None, {"manager_of": "requester", "up": 1})
    assert seat["sentence"] == "Mia is asked at the level “Line manager” of “Approval”: manager of the requester."
    (due,) = told["clocks"]
    assert due["sentences"] == [
        "“Repair”: not done in time; it was due Mon 02 Mar 2026 10:00 (UTC).",
        "The policy laptop, version 2, allows 2 business hours at critical priority, counted by the calendar office,"
        " version 1.",
        "Counted since Mon 02 Mar 2026 08:00 (UTC): 3 h.",
    ]
    (moved,) = due["moved_by"]
    assert (moved["type"], moved["due_before"], moved["due_after"]) == (
        "request.priority_changed",
        "2026-03-02T16:00:00Z",
        "2026-03-02T10:00:00Z",
    )
    assert moved["sentence"] == (
        "The priority changed from medium to critical: due Mon 02 Mar 2026 10:00 (UTC), was Mon 02 Mar 2026"
        " 16:00 (UTC)."
    )
    assert (due["elapsed"], due["lengths"]["running"]) == (10_800, 10_800)


def test_a_deputy_is_explained_by_whom_they_stand_in_for(world: World) -> None:
    create_delegation(world.mia, Terms(deputy=world.ivo, ends_at=clock.now() + timedelta(days=1)))
    (seat,) = get(world.client("rita"), world.ask(), "explain")["approvers"]
    assert (seat["user"], seat["for"]) == ("ivo", "mia")
    assert seat["sentence"] == (
        "Ivo is asked at the level “Line manager” of “Approval” as the deputy of Mia (manager of the requester)."
    )


def test_of_each_approval_the_newest_round_is_explained(world: World) -> None:
    request = world.ask()
    first = get(world.client("rita"), request, "explain")["approvers"][0]["approval"]
    world.client("mia").api("post", f"/approvals/{first}/decide/", {"decision": "return", "comment": "Which one?"})
    (task,) = get(world.client("rita"), request, "tasks")["results"]
    world.client("rita").api("post", f"/tasks/{task['id']}/complete/")
    (seat,) = get(world.client("rita"), request, "explain")["approvers"]
    assert seat["approval"] > first


def test_a_draft_has_nothing_to_explain_yet(world: World) -> None:
    request = world.ask(submit=False)
    told = get(world.client("rita"), request, "explain")
    assert told == {"request": request.number, "workflow": None, "sla": None, "approvers": [], "clocks": []}


def test_who_does_not_see_a_request_gets_no_explanation(world: World) -> None:
    number = world.ask().number
    for part in ("explain", "clocks"):
        assert world.client("stan").api("get", f"/requests/{number}/{part}/").status_code == 404


def test_an_explanation_costs_the_same_with_one_and_with_three_clocks_and_moves(
    world: World, django_assert_num_queries: Any
) -> None:
    boss = administrator()
    policy(fix())
    few = world.ask()
    set_priority(few, impact="high", urgency="high", reason="All stop", actor=boss)
    policy(fix(), fix(id="b"), fix(id="c"))
    many = world.ask()
    for level in ("high", "low", "high"):
        set_priority(many, impact=level, urgency=level, reason="Well", actor=boss)
    client = world.client("rita")
    for request, clocks in ((few, 1), (many, 3)):
        get(client, request, "explain")
        with django_assert_num_queries(7):
            told = get(client, request, "explain")
        assert (len(told["clocks"]), len(told["clocks"][0]["moved_by"])) == (clocks, clocks)
