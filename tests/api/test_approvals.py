"""Approvals over the API: what is shown of a round, its levels and its seats."""

from __future__ import annotations

from typing import Any

import pytest

from apps.workflows.models import Timer
from tests.api.approval_calls import SIGNED, WHY, of, path_of, shown, state
from tests.api.conftest import World
from tests.factories import make_calendar
from tests.factories.approvals import ALL, ask, decide, delegate, level, make_people, per_group, quorum, seat_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sla")]


def test_a_level_says_what_it_asks_and_whom_it_waits_for(world: World) -> None:
    ann, ben, _ = make_people("ann", "ben", "cleo")
    make_calendar("office")
    one = level(
        "board",
        rule=per_group(legal=[ann], money=[ben]),
        reject=quorum(2),
        chair={"person": "cleo"},
        abstain=True,
        comment="on_any",
        reauthenticate=SIGNED,
        deadline={"business_seconds": 3600, "then": "escalate", "to": [{"person": "cleo"}]},
    )
    request = ask(world.rita, one, returns="never")
    due = Timer.objects.get().due_at.isoformat().replace("+00:00", "Z")
    (board,) = shown(ann, request)["levels"]
    nothing: dict[str, Any] = {"n": None, "p": None, "groups": []}
    assert board.pop("seats") != []
    assert board.pop("opened_at") is not None
    assert board == {
        "index": 0,
        "key": "board",
        "name": "Board",
        "skipped": "",
        "rule": {**nothing, "kind": "per_group", "groups": [{"id": "legal", "n": 1}, {"id": "money", "n": 1}]},
        "reject": {**nothing, "kind": "quorum", "n": 2},
        "chair": {"person": "cleo"},
        "can_abstain": True,
        "can_return": False,
        "comment": "on_any",
        "meaning": "I have read the contract.",
        "due_at": due,
        "then": "escalate",
        "missing": ["ann", "ben"],
    }  # fmt: skip


def test_a_level_that_hears_everybody_has_no_rule_that_rejects(world: World) -> None:
    ann, ben = make_people("ann", "ben")
    request = ask(world.rita, level("all", ann, ben, rule={"kind": "all_then_any"}))
    decide(request, ann)
    (one,) = shown(ben, request)["levels"]
    assert (one["reject"], one["missing"], one["due_at"], one["then"]) == (None, ["ben"], None, None)


def test_a_seat_says_for_whom_it_is_and_one_that_was_given_up_says_why(world: World) -> None:
    ann, ben, cleo = make_people("ann", "ben", "cleo")
    delegate(ann, ben)
    request = ask(world.rita, level("one", ann), level("two", cleo))
    of(ben).api("post", path_of(request, "reassign/"), {"seat": seat_of(request, ben).pk, "user": "cleo", **WHY})
    of(cleo).api("post", path_of(request, "decide/"), {"decision": "approve", "comment": "Fine"})
    one, two = shown(cleo, request)["levels"]
    keys = ("user", "for", "because", "groups", "decides", "left_because")
    assert [{key: seat[key] for key in keys} for seat in one["seats"]] == [
        {"user": "ben", "for": "ann", "because": {"person": "ann"}, "groups": [], "decides": False,
         "left_because": "reassigned"},
        {"user": "cleo", "for": "ann", "because": {"person": "ann"}, "groups": [], "decides": False,
         "left_because": None},
    ]  # fmt: skip
    assert [seat["left_at"] is None for seat in one["seats"]] == [False, True]
    given = one["seats"][1]["decision"]
    assert given.pop("at") is not None
    assert given == {
        "verdict": "approve", "by": "cleo", "for": "ann", "comment": "Fine", "counted": False, "meaning": "",
        "signed_as": "",
    }  # fmt: skip
    assert (one["missing"], two["missing"]) == ([], ["cleo"])


def test_an_earlier_answer_that_counts_again_says_so(world: World) -> None:
    ann, ben = make_people("ann", "ben")
    levels = (level("one", ann), level("two", ann, ben, rule=ALL))
    request = ask(world.rita, *levels, separation=[], earlier_answers="count")
    decide(request, ann)
    _, two = shown(ben, request)["levels"]
    assert [seat["decision"] and seat["decision"]["counted"] for seat in two["seats"]] == [True, None]


def test_an_approval_has_the_entity_tag_of_its_request(world: World) -> None:
    (ann,) = make_people("ann")
    request = ask(world.rita, level("one", ann))
    tag = of(ann).api("get", path_of(request))["ETag"]
    assert tag == f'"{request.revision}"'
    before = state(request)
    answer = of(ann).api("post", path_of(request, "decide/"), {"decision": "approve"}, **{"If-Match": '"1"'})
    assert (answer.status_code, state(request)) == (412, before)
    assert (
        of(ann).api("post", path_of(request, "decide/"), {"decision": "approve"}, **{"If-Match": tag}).status_code
        == 200
    )


def test_an_answer_for_a_seat_that_was_shown_decides_no_later_level(world: World) -> None:
    (ann,) = make_people("ann")
    request = ask(world.rita, level("one", ann), level("two", ann))
    body = {"decision": "approve", "seat": seat_of(request, ann).pk}
    assert of(ann).api("post", path_of(request, "decide/"), body).json()["level"] == 1
    before = state(request)
    answer = of(ann).api("post", path_of(request, "decide/"), body)
    assert (answer.status_code, answer.json()["code"], state(request)) == (409, "already_decided", before)
