"""Approvals in the dry run: whom each rule asks, how votes count, what happens when the time is over."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import Team, User
from apps.requests.models import CatalogItem
from apps.requests.services.trial import simulate_document
from tests.factories import approval_document, make_calendar, make_person, row_counts
from tests.factories.approvals import delegate
from tests.requests.conftest import World

pytestmark = pytest.mark.django_db

NOW = "2026-11-23T10:00:00Z"  # a Monday
HOUR = 3600
Json = dict[str, Any]
BOARD, ANY, ALL = {"role": "board"}, {"kind": "any"}, {"kind": "all"}
AGAINST_ALL = {"kind": "all"}


@pytest.fixture(autouse=True)
def board(world: World) -> None:
    """Bea and Bo are the board, Carol has the chair."""
    for name in ("bea", "bo"):
        make_person(name, roles=["board"])
    make_person("carol")


def level(*approvers: Json, rule: Json = ANY, **more: Any) -> Json:
    return {"id": "one", **({"approvers": list(approvers)} if approvers else {}), "rule": rule, **more}


def says(verdict: str, by: str | None = None, **more: Any) -> Json:
    return {"step": "approve", "decision": verdict, **({"by": by} if by else {}), **more}


def tried(*levels: Json, script: Any = (), data: Json | None = None, **policy: Any) -> Json:
    """The answer of a dry run; nothing was written by it."""
    document = approval_document("tried", levels=list(levels))
    document["steps"][1]["policy"].update({key.rstrip("_"): value for key, value in policy.items()})
    if any(one.get("deadline", {}).get("then") == "expire" for one in levels):
        document["transitions"].append({"from": "approve", "to": "no", "outcome": "expired"})
    given = {"request": {"requester": "requester", "data": data or {}}, "now": NOW, "script": list(script)}
    before = row_counts()
    answer = simulate_document(document, given, actor=None).to_json()
    assert row_counts() == before
    return answer


def asked(answer: Json) -> list[list[str]]:
    """Whom the levels asked, in order."""
    return [told["people"] for told in answer["asked"] if told["step"] == "approve"]


def waiting(answer: Json) -> list[Any]:
    """The step that is open, and at an approval whom it waits for."""
    return [
        (told["step"], *([told["for"]["people"]] if told["step"] == "approve" else [])) for told in answer["waiting"]
    ]


def codes(answer: Json) -> list[str]:
    return [problem["code"] for problem in answer["problems"]]


def events(answer: Json) -> list[str]:
    return [f"{told['at'][8:16]} {told['event']}" for told in answer["path"] if told["step"] == "approve"]


# whom it asks


def test_the_row_of_a_matrix_that_holds_is_asked() -> None:
    rows = {
        "matrix": [{"when": "request.data.amount > 100.0", "approvers": [BOARD]}, {"otherwise": [{"person": "carol"}]}]
    }
    assert asked(tried(level(rows), data={"amount": 200.0})) == [["bea", "bo"]]
    assert asked(tried(level(rows), data={"amount": 20.0})) == [["carol"]]


def test_a_row_that_cannot_be_evaluated_names_nobody_and_is_a_problem() -> None:
    rows = {"matrix": [{"when": "request.data.gone > 1.0", "approvers": [BOARD]}, {"otherwise": [BOARD]}]}
    answer = tried(level(rows, {"person": "carol"}))
    assert (asked(answer), codes(answer)) == ([["carol"]], ["guard"])


def test_a_field_or_an_expression_may_name_several() -> None:
    for rule in ({"field": "owners"}, {"cel": "request.data.owners"}):
        assert asked(tried(level(rule), data={"owners": ["bea", "carol", "nobody"]})) == [["bea", "carol"]]


def test_the_owner_of_an_item_and_the_lead_of_a_team_are_asked(world: World) -> None:
    CatalogItem.objects.filter(slug="thing").update(owner=User.objects.get(username="carol"))
    Team.objects.filter(key="it").update(lead=User.objects.get(username="bo"))
    assert asked(tried(level({"owner_of": "thing"}, {"manager_of_team": "it"}))) == [["carol", "bo"]]


def test_the_requester_is_not_asked_where_duties_are_kept_apart() -> None:
    rules = ({"person": "requester"}, BOARD)
    assert asked(tried(level(*rules))) == [["requester", "bea", "bo"]]
    assert asked(tried(level(*rules), separation=["not_requester"])) == [["bea", "bo"]]


def test_an_emptied_seat_goes_to_the_manager_or_is_told() -> None:
    rules, apart = ({"person": "requester"}, BOARD), ["not_requester"]
    instead = tried(level(*rules), separation=apart, separation_empties="manager")
    assert asked(instead) == [["manager", "bea", "bo"]]
    left_empty = tried(level(*rules), separation=apart, separation_empties="incident")
    assert (asked(left_empty), codes(left_empty)) == ([["bea", "bo"]], ["separation_of_duties"])


def test_who_has_answered_is_not_asked_at_the_next_level() -> None:
    levels = (level(BOARD), {**level(BOARD), "id": "two"})
    script = [says("approve", "bea")]
    assert asked(tried(*levels, script=script)) == [["bea", "bo"], ["bea", "bo"]]
    assert asked(tried(*levels, script=script, separation=["distinct_levels"])) == [["bea", "bo"], ["bo"]]


def test_the_deputy_of_somebody_who_is_away_is_asked() -> None:
    delegate(User.objects.get(username="bea"), User.objects.get(username="carol"), days=400 * 10)
    document = approval_document("tried", levels=[level(BOARD)])
    answer = simulate_document(document, {"request": {"requester": "requester"}}, actor=None).to_json()
    assert asked(answer) == [["carol", "bo"]]


def test_the_fallback_comes_in_where_too_few_could_decide() -> None:
    two = {"kind": "quorum", "n": 2}
    assert asked(tried(level({"person": "carol"}, {"role": "none"}, rule=two))) == [["carol", "administrator"]]
    short = tried(level({"person": "carol"}, {"role": "none"}, rule={"kind": "quorum", "n": 3}))
    assert (asked(short), codes(short)) == ([["carol", "administrator"]], ["too_few_asked"])


# how votes count


def test_each_group_must_agree() -> None:
    groups = [{"id": "board", "approvers": [BOARD]}, {"id": "chair", "approvers": [{"person": "carol"}]}]
    one = level(rule={"kind": "per_group", "groups": groups})
    assert waiting(tried(one, script=[says("approve", "bea")])) == [("approve", ["bo", "carol"])]
    assert waiting(tried(one, script=[says("approve", "bea"), says("approve", "bo")])) == [("approve", ["carol"])]
    assert waiting(tried(one, script=[says("approve", "bea"), says("approve", "carol")])) == [("work",)]


def test_abstaining_is_a_decision_where_the_level_takes_it() -> None:
    script = [says("abstain", "bea"), says("approve", "bo")]
    assert waiting(tried(level(BOARD, rule=ALL, abstain=True), script=script)) == [("work",)]
    refused = tried(level(BOARD, rule=ALL), script=script)
    assert (waiting(refused), codes(refused)) == ([("approve", ["bea"])], ["unknown_decision"])


def test_the_chair_settles_a_tie_alone() -> None:
    one = level(BOARD, rule=ALL, reject=AGAINST_ALL, chair={"person": "carol"}, abstain=True)
    tie = [says("approve", "bea"), says("reject", "bo")]
    answer = tried(one, script=tie)
    assert (asked(answer), waiting(answer)) == ([["bea", "bo"], ["carol"]], [("approve", ["carol"])])
    assert waiting(tried(one, script=[*tie, says("approve", "carol")])) == [("work",)]
    assert tried(one, script=[*tie, says("reject", "carol")])["ended"] == "rejected"
    assert codes(tried(one, script=[*tie, says("abstain", "carol")])) == ["unknown_decision"]
    assert codes(tried(one, script=[*tie, says("approve", "bea")])) == ["not_asked"]


# when the time is over


def late(then: str, **more: Any) -> Json:
    return {"business_seconds": 8 * HOUR, "then": then, "calendar": "office", **more}


@pytest.fixture
def office() -> None:
    """Open from nine to five, Monday to Friday, Amsterdam time."""
    make_calendar("office")


def test_deadlines_and_reminders_are_due_by_the_calendar(office: None) -> None:
    answer = tried(level(BOARD, deadline=late("reject", remind_at=[50, 75])))
    assert [(told["deadline"], told["at"]) for told in answer["due"]] == [
        ("one", "2026-11-24T10:00:00Z"),
        ("one 50 %", "2026-11-23T14:00:00Z"),
        ("one 75 %", "2026-11-24T08:00:00Z"),
    ]


@pytest.mark.parametrize(
    ("then", "after"), [("approve", "work"), ("reject", "rejected"), ("return", "mend"), ("expire", "rejected")]
)
def test_when_the_time_is_over_the_level_ends_as_its_policy_says(office: None, then: str, after: str) -> None:
    one = level(BOARD, deadline=late(then, remind_at=[50]))
    answer = tried(one, script=[{"at": "2026-11-25T10:00:00Z"}])
    assert answer["ended"] == after or waiting(answer) == [(after,)]
    assert events(answer)[1:3] == [
        "23T14:00 reminded, 50 % of the time is over: bea, bo",
        f"24T10:00 level one is not decided in time: {then}",
    ]


def test_an_answer_in_time_ends_the_deadline(office: None) -> None:
    one = level(BOARD, deadline=late("reject"))
    answer = tried(one, script=[says("approve", "bea"), {"at": "2026-11-27T10:00:00Z"}])
    assert (waiting(answer), answer["ended"]) == ([("work",)], None)


def test_who_it_is_escalated_to_decides_alone_and_the_others_no_more(office: None) -> None:
    one = level(BOARD, rule=ALL, deadline=late("escalate", to=[{"person": "carol"}]))
    over = says("approve", "bea", at="2026-11-24T11:00:00Z")
    answer = tried(one, script=[over])
    assert (asked(answer), codes(answer)) == ([["bea", "bo"], ["carol"]], ["not_asked"])
    assert waiting(tried(one, script=[{**over, "by": "carol"}])) == [("work",)]


def test_where_nobody_is_there_to_escalate_to_the_fallback_is_asked(office: None) -> None:
    one = level(BOARD, deadline=late("escalate", to=[{"role": "none"}]))
    assert asked(tried(one, script=[{"at": "2026-11-24T11:00:00Z"}])) == [["bea", "bo"], ["administrator"]]


def test_the_second_level_has_the_time_of_its_own(office: None) -> None:
    levels = (
        level(BOARD, deadline=late("approve")),
        {**level({"person": "carol"}, deadline=late("reject")), "id": "two"},
    )
    answer = tried(*levels, script=[{"at": "2026-11-25T11:00:00Z"}])
    assert (asked(answer), answer["ended"]) == ([["bea", "bo"], ["carol"]], "rejected")
    assert [(told["deadline"], told["at"]) for told in answer["due"]] == [
        ("one", "2026-11-24T10:00:00Z"),
        ("two", "2026-11-25T10:00:00Z"),
    ]


def test_a_calendar_that_does_not_exist_is_a_problem() -> None:
    answer = tried(level(BOARD, deadline=late("reject")))
    assert (codes(answer), answer["due"]) == (
        ["unknown_calendar"],
        [{"step": "approve", "deadline": "one", "at": None}],
    )
