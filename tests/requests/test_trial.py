"""The dry run in the world of the database: whom it would ask, what it refuses, and that it leaves no trace."""

from __future__ import annotations

import json
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery, Task
from django.contrib.auth.models import Group
from django.core import mail
from django.db import connection, transaction

from apps.accounts.models import User
from apps.approvals.models import ApprovalPolicyVersion
from apps.core.clock import now
from apps.core.errors import InvalidInput
from apps.outbox import publish as publishing
from apps.requests.models import FormVersion
from apps.requests.services.trial import DryRun, simulate_alone, simulate_document
from serviceflow.demo import seed
from tests.factories import (
    FALLBACK,
    FINANCE_LEVEL,
    MANAGER_LEVEL,
    approval_document,
    choice_document,
    line_document,
    make_calendar,
    make_person,
    make_workflow,
    row_counts,
)
from tests.requests.conftest import World

pytestmark = pytest.mark.django_db

FIXTURES = Path(__file__).resolve().parent.parent.parent / "fixtures"
DOCUMENTS = sorted([*FIXTURES.glob("workflows/*.json"), *FIXTURES.glob("history/*.workflow.json")])
NOW = "2026-11-23T10:00:00Z"
Json = dict[str, Any]


def given(*script: Json, **request: Any) -> Json:
    return {"request": {"requester": "requester", **request}, "now": NOW, "script": list(script)}


def tried(document: Json, *script: Json, **request: Any) -> Json:
    return simulate_document(document, given(*script, **request), actor=None).to_json()


def asked(answer: Json) -> dict[str, list[str]]:
    return {told["level"] or told["step"]: told["people"] for told in answer["asked"]}


def codes(answer: Json) -> list[str]:
    return [problem["code"] for problem in answer["problems"]]


# nothing is written, nothing is sent


class Left(AssertionError):
    """Something would have left the dry run."""


def _refuse(*args: Any, **kwargs: Any) -> Any:
    raise Left(f"{args!r:.200}")


def _only_reading(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    if not sql.lstrip().upper().startswith("SELECT"):
        raise Left(sql[:200])
    return execute(sql, params, many, context)


@contextmanager
def nothing_leaves() -> Iterator[None]:
    """Within, any write, event, connection, mail or queued task is an error."""
    before = row_counts()
    with pytest.MonkeyPatch.context() as patch, connection.execute_wrapper(_only_reading):
        for name, module in list(sys.modules.items()):
            if name.startswith("apps.") and getattr(module, "publish", None) is publishing.publish:
                patch.setattr(module, "publish", _refuse)
        patch.setattr(socket.socket, "connect", _refuse)
        patch.setattr(Celery, "send_task", _refuse)
        patch.setattr(Task, "apply_async", _refuse)
        yield
    assert (row_counts(), mail.outbox) == (before, [])


def _connect() -> None:
    with socket.socket() as line:
        line.connect(("127.0.0.1", 9))


@pytest.mark.parametrize(
    "leave",
    [
        lambda: User.objects.update(department="x"),
        lambda: make_person("new"),
        lambda: publishing.publish({}),
        lambda: Celery().send_task("x"),
        _connect,
    ],
)
def test_the_walls_around_a_dry_run_hold(leave: Callable[[], Any]) -> None:
    with pytest.raises(Left), transaction.atomic(), nothing_leaves():
        leave()


SAMPLES: dict[str, Json] = {
    "laptop": {"item": "laptop", "data": {"model": "light", "price": {"amount": "1800"}, "reason": "Worn out"}},
    "access": {"item": "access", "data": {"system": "crm", "level": "administer", "reason": "Audit"}},
    "travel-large": {
        "item": "travel",
        "data": {"purpose": "Fair", "trip_date": "2026-11-20", "amount": {"amount": "1200"}},
    },
    "travel-small": {
        "item": "travel",
        "data": {"purpose": "Fair", "trip_date": "2026-11-20", "amount": {"amount": "12"}},
    },
    "new-employee": {
        "item": "new-employee",
        "data": {
            "full_name": "Kim",
            "start_date": "2026-12-01",
            "manager": "tom",
            "place": "office",
            "hours": 36,
        },
    },
}


def _next(document: Json, answer: Json, taken: Counter[str]) -> Json:
    """What could happen to the first that is open: each time it comes round the next outcome, so that loops end."""
    waiting = answer["waiting"][0]
    step = next(one for one in document["steps"] if one["id"] == waiting["step"])
    turn = taken[step["id"]]
    taken[step["id"]] += 1
    if "due" in waiting["for"]:
        return {"at": waiting["for"]["due"]}
    if step["kind"] == "task":
        outcomes = [one["id"] for one in step.get("outcomes", [{"id": "done"}])]
        return {"step": step["id"], "outcome": outcomes[turn % len(outcomes)]}
    if step["kind"] == "approval":
        return {"step": step["id"], "decision": "approve", "by": waiting["for"]["people"][0]}
    return {"step": step["id"], "message": waiting["for"]["message"]}


def _walk_to_an_end(document: Json) -> tuple[DryRun, int]:
    sample = {"requester": "sara", **SAMPLES.get(document["workflow"], {})}
    script: list[Json] = []
    taken: Counter[str] = Counter()
    while True:
        run = simulate_document(document, {"request": sample, "now": NOW, "script": script}, actor=None)
        if run.trial.ended or len(script) >= 40:
            return run, len(script)
        script.append(_next(document, run.to_json(), taken))


def test_every_document_of_the_fixtures_is_walked_to_its_end_and_nothing_is_written_or_sent() -> None:
    assert seed(say=lambda what: None)
    for name in ("approver", "budget owner", "supervisor", "payment"):
        Group.objects.get_or_create(name=name)[0].user_set.add(User.objects.get(username="paul"))
    Group.objects.get_or_create(name="director")[0].user_set.add(User.objects.get(username="maya"))
    mail.outbox.clear()
    ended: dict[str, tuple[str | None, int]] = {}
    for path in DOCUMENTS:
        with nothing_leaves():
            run, entries = _walk_to_an_end(json.loads(path.read_text()))
        assert [one.code for one in run.trial.problems if one.entry is not None] == [], path.name
        ended[path.name] = (run.trial.ended, entries)
    assert ended == {
        "access.json": ("completed", 4),
        "laptop.json": ("completed", 4),
        "new-employee.json": ("completed", 6),
        "travel-large.json": ("completed", 3),
        "travel-small.json": ("completed", 2),
        "declarations.workflow.json": ("completed", 5),
        "helpdesk.workflow.json": ("completed", 20),
    }


# whom it would ask


def test_people_are_those_whom_the_rules_name_today(world: World) -> None:
    answer = tried(approval_document(), {"step": "approve", "decision": "approve", "by": "manager"})
    assert asked(answer) == {"manager": ["manager"], "work": ["worker", "lead", "senior"]}
    assert [told["step"] for told in answer["waiting"]] == ["work"]


def test_the_fallback_is_asked_where_a_level_names_nobody(world: World) -> None:
    User.objects.filter(username="manager").update(is_active=False)
    assert asked(tried(approval_document())) == {"manager": ["administrator"]}


def test_the_real_tally_counts_the_votes(world: World) -> None:
    make_person("fay", roles=["finance"])
    make_person("finn", roles=["finance"])
    document = approval_document(levels=[FINANCE_LEVEL])
    one = {"step": "approve", "decision": "approve", "by": "fay"}
    answer = tried(document, one)
    assert answer["waiting"][0]["for"] == {"level": "finance", "people": ["finn"]}
    both = tried(document, one, {"step": "approve", "decision": "approve", "by": "finn"})
    assert [told["step"] for told in both["waiting"]] == ["work"]
    refused = tried(document, one, {"step": "approve", "decision": "reject", "by": "finn"})
    assert refused["ended"] == "rejected"


def test_a_policy_that_is_named_is_the_newest_of_its_key(world: World) -> None:
    document = approval_document()
    document["steps"][1] = {"id": "approve", "kind": "approval", "policy_ref": "board"}
    ApprovalPolicyVersion.freeze("board", {"levels": [MANAGER_LEVEL], "fallback": FALLBACK, "return": "never"})
    ApprovalPolicyVersion.freeze("board", {"levels": [{**MANAGER_LEVEL, "id": "chief"}], "fallback": FALLBACK})
    assert asked(tried(document)) == {"chief": ["manager"]}


def test_where_returning_is_never_allowed_it_is_no_decision(world: World) -> None:
    document = approval_document()
    document["steps"][1]["policy"]["return"] = "never"
    document["transitions"] = [arrow for arrow in document["transitions"] if "mend" not in arrow.values()]
    document["steps"] = [step for step in document["steps"] if step["id"] != "mend"]
    answer = tried(document, {"step": "approve", "decision": "return", "by": "manager"})
    assert [problem["message"] for problem in answer["problems"]] == [
        "At approve a decision is one of approve, reject, not 'return'."
    ]


def test_a_person_in_a_field_or_from_an_expression_is_asked_if_they_are_active(world: World) -> None:
    steps = [
        {"id": "field", "kind": "task", "assign": {"field": "buddy"}},
        {"id": "cel", "kind": "task", "assign": {"cel": "request.requester"}},
        {"id": "gone", "kind": "task", "assign": {"field": "nothing"}},
    ]
    script = [{"step": name, "outcome": "done"} for name in ("field", "cel")]
    answer = tried(line_document("people", *steps), *script, data={"buddy": "stranger"})
    assert asked(answer) == {"field": ["stranger"], "cel": ["requester"], "gone": ["administrator"]}
    assert codes(answer) == ["nobody_assigned"]


def test_the_actor_asks_where_nobody_else_does(world: World) -> None:
    document = line_document("mine", {"id": "answer", "kind": "task", "assign": {"requester": True}})
    answer = simulate_document(document, {}, actor=world.worker).to_json()
    assert asked(answer) == {"answer": ["worker"]}


# data, time, other workflows


def test_data_go_through_the_form_of_the_item(world: World) -> None:
    document = choice_document("request.data.amount > 1000.0 && request.data.amount_currency == 'EUR'")
    data = {"reason": "Because", "amount": {"amount": "1200.50"}}
    assert tried(document, item="thing", data=data)["ended"] == "completed"
    with pytest.raises(InvalidInput) as refused:
        tried(document, item="thing", data={"amount": {"amount": "much"}})
    assert set(refused.value.errors) == {"request.data.reason", "request.data.amount"}


def test_what_an_action_computes_goes_through_the_form_too(world: World) -> None:
    fields = {"needed_by": "'2026-12-01T00:00:00Z'"}
    late = "request.data.needed_by > timestamp('2026-11-30T00:00:00Z')"
    document = choice_document(late)
    document["steps"].insert(1, {"id": "set", "kind": "action", "action": "set_fields", "with": {"fields": fields}})
    document["transitions"][0] = {"from": "start", "to": "set"}
    document["transitions"].append({"from": "set", "to": "which"})
    answer = tried(document, item="thing", data={"reason": "Because"})
    assert (answer["ended"], answer["problems"]) == ("completed", [])


def test_the_form_of_a_task_is_the_newest_of_its_key(world: World) -> None:
    FormVersion.freeze("intake", {"fields": [{"name": "size", "type": "number", "required": True}]})
    task = {"id": "ask", "kind": "task", "assign": {"team": "it"}, "form": "intake"}
    good = tried(line_document("form", task), {"step": "ask", "outcome": "done", "data": {"size": 3}})
    assert (good["ended"], good["problems"]) == ("completed", [])
    bad = tried(line_document("form", task), {"step": "ask", "outcome": "done", "data": {"size": "big"}})
    assert (bad["ended"], codes(bad)) == (None, ["data_refused"])


def test_business_time_is_that_of_the_calendar(world: World) -> None:
    make_calendar("office")
    rest = {"id": "rest", "kind": "wait", "for": {"business_seconds": 8 * 3600, "calendar": "office"}}
    answer = tried(line_document("rest", rest))
    assert answer["due"] == [{"step": "rest", "deadline": None, "at": "2026-11-24T10:00:00Z"}]
    rest["for"]["calendar"] = "gone"
    assert codes(tried(line_document("rest", rest))) == ["unknown_calendar"]


def test_a_child_run_is_walked_on_the_published_version(world: World) -> None:
    make_workflow(line_document("inner", {"id": "check", "kind": "task", "assign": {"team": "it"}}))
    document = line_document("outer", {"id": "sub", "kind": "subflow", "workflow": "inner"})
    answer = tried(document, {"step": "sub/check", "outcome": "done", "by": "worker"})
    assert (answer["ended"], answer["problems"]) == ("completed", [])


# what is given, and documents that are broken


def test_a_broken_document_is_not_walked(world: World) -> None:
    document = approval_document()
    del document["transitions"][0]
    answer = tried(document)
    assert (answer["path"], answer["ended"]) == ([], None)
    assert {problem["severity"] for problem in answer["problems"]} == {"error"}
    assert {problem["entry"] for problem in answer["problems"]} == {None}


@pytest.mark.parametrize("document", [None, [], "x", 7, {}])
def test_what_is_no_document_is_a_problem(world: World, document: Any) -> None:
    answer = simulate_document(document, {}, actor=None).to_json()
    assert (answer["path"], bool(answer["problems"])) == ([], True)


def test_a_policy_that_could_not_be_asked_is_a_problem(world: World) -> None:
    document = approval_document(levels=[MANAGER_LEVEL, MANAGER_LEVEL])
    assert [(one["code"], one["step"]) for one in tried(document)["problems"]] == [("approval_policy", "approve")]


@pytest.mark.parametrize(
    ("request_", "errors"),
    [
        ({"requester": "nobody"}, {"request.requester": ["There is no active person with this user name."]}),
        ({"item": "gone"}, {"request.item": ["There is no such item."]}),
        ({"item": 7}, {"request.item": ["This must be text."]}),
        ({"colour": "red"}, {"request.colour": ["There is no such field."]}),
        ({"impact": "huge"}, {"request.impact": ["This must be one of high, medium, low."]}),
        ({"priority": []}, {"request.priority": ["This must be one of critical, high, medium, low."]}),
        ({"data": []}, {"request.data": ["This must be an object with the form's fields."]}),
        ({"tags": "x"}, {"request.tags": ["This must be a list of texts."]}),
        (
            {"created_at": "2026"},
            {"request.created_at": ["This must be a point in time with its zone, such as 2026-11-23T10:00:00Z."]},
        ),
    ],
)
def test_what_is_wrong_with_the_sample_request_is_told_by_its_field(world: World, request_: Json, errors: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        simulate_document(approval_document(), {"request": request_}, actor=None)
    assert refused.value.errors == errors


def test_everything_that_is_wrong_with_what_is_given_is_told_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        simulate_document({}, {"request": 1, "now": 2, "script": [{}], "more": 3}, actor=None)
    assert set(refused.value.errors) == {"request", "now", "script.0.step", "more"}


def test_priority_follows_from_impact_and_urgency(world: World) -> None:
    document = choice_document("request.priority == 'critical'")
    assert tried(document, impact="high", urgency="high")["ended"] == "completed"
    assert tried(document, impact="high", urgency="high", priority="low")["ended"] == "rejected"


def test_without_a_time_it_is_now(world: World) -> None:
    document = choice_document("now > timestamp('2026-01-01T00:00:00Z')")
    told = simulate_document(document, {}, actor=None).trial.path[0]["at"]
    assert told[:10] in {(now() - timedelta(days=days)).date().isoformat() for days in (0, 1)}


def test_where_there_is_no_database_to_ask_the_document_is_walked_alone() -> None:
    run = simulate_alone(
        approval_document(),
        {"request": {"requester": "anybody"}, "script": [{"step": "approve", "decision": "reject"}]},
    )
    assert (run.trial.ended, run.problems, run.clean) == ("rejected", (), True)
