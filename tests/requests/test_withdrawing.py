"""What one write opens and takes back again before it ends leaves nothing behind."""

from __future__ import annotations

import pytest

from apps.requests.sweeps import run_sweeps
from apps.workflows.models import Timer, WorkflowRun
from tests.factories import Json, line_document
from tests.requests.agreement import assert_agreement
from tests.requests.flows import fresh, publish, submit

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
SAY: Json = {"id": "say", "kind": "action", "name": "Say", "action": "comment", "with": {"text": "that was all"}}
TASK: Json = {"id": "work", "kind": "task", "name": "Work", "assign": {"team": "it"}}
CALL: Json = {
    "id": "work", "kind": "action", "name": "Call", "action": "webhook", "with": {"url": "http://127.0.0.1:9/"},
}  # fmt: skip
LEVEL: Json = {"id": "one", "name": "One", "approvers": [{"role": "senior"}], "rule": {"kind": "any"}}
POLICY: Json = {"levels": [LEVEL], "fallback": [{"role": "administrator"}], "return": "never"}
NO_LEVEL: Json = {**POLICY, "levels": [{**LEVEL, "when": "false"}]}
CHOICE: Json = {"id": "which", "kind": "choice", "name": "Which?"}
AT_ONCE: Json = {"id": "agree", "kind": "approval", "name": "Agree", "policy": NO_LEVEL}
WORK: tuple[Json, ...] = (
    TASK,
    {**TASK, "count": 2},
    {"id": "work", "kind": "wait", "name": "Pause", "for": {"seconds": 60}},
    CALL,
    {"id": "work", "kind": "approval", "name": "Ask", "policy": POLICY},
    {"id": "work", "kind": "subflow", "name": "Child", "workflow": "child"},
    {"id": "work", "kind": "wait", "name": "Pause", "for": {"seconds": 60}, "exclusive": "'printer'"},
    {**TASK, "deadlines": [{"id": "late", "after": {"seconds": 60}, "interrupt": True}]},
)


def beside(work: Json, *other: Json) -> Json:
    """start -> split -> the work, and beside it other steps in a row that end everything."""
    document = line_document("beside", {"id": "both", "kind": "split"}, *other)
    document["steps"][-1] |= {"terminate": True}
    document["steps"] += [work, {"id": "after", "kind": "end", "outcome": "completed"}]
    document["transitions"].insert(1, {"from": "both", "to": "work"})
    document["transitions"].append({"from": "work", "to": "after"})
    if "deadlines" in work:
        document["transitions"].append({"from": "work", "to": "after", "deadline": "late"})
    for arrow in list(document["transitions"]):
        if arrow["from"] == "which":
            document["transitions"].append({"from": "which", "to": "after", "otherwise": True})
            arrow["when"] = "request.number != ''"
        if arrow["from"] == "agree":
            document["transitions"].append({**arrow, "outcome": "rejected"})
            arrow["outcome"] = "approved"
    return document


@pytest.mark.parametrize(
    "other", [(CHOICE,), (SAY, CHOICE), (AT_ONCE, CHOICE)], ids=["one plan", "an action", "an approval"]
)
@pytest.mark.parametrize("work", WORK, ids=lambda work: f"{work['kind']}-{'-'.join(sorted(work)[:2])}")
def test_what_is_taken_back_in_the_same_write_is_never_open(world, work, other):
    publish(line_document("child", TASK))
    request = submit(world, beside(work, *other))
    assert fresh(request).status == "completed"
    assert_agreement(request)


@pytest.mark.parametrize("work", [WORK[5], {**AT_ONCE, "id": "work"}], ids=["a child", "an approval"])
def test_what_was_to_begin_after_the_end_does_not_begin(world, work):
    publish(line_document("child", TASK))
    document = beside(work, AT_ONCE)
    document["transitions"].append(document["transitions"].pop(1))
    request = submit(world, document)
    assert fresh(request).status == "completed"
    assert set(WorkflowRun.objects.filter(parent__isnull=False).values_list("outcome", flat=True)) <= {"cancelled"}
    assert_agreement(request)


def test_left_over_instances_keep_their_timers_when_the_deadline_of_their_step_is_over(world):
    pause = {"id": "pause", "kind": "wait", "name": "Pause", "for": {"seconds": 60}, "count": 2, "done_when": "true"}
    pause["deadlines"] = [{"id": "late", "after": {"seconds": 600}, "interrupt": True}]
    document = line_document("rest", pause)
    document["transitions"].append({"from": "pause", "to": "end", "deadline": "late"})
    request = submit(world, document)
    timers = Timer.objects.filter(closed_at=None).order_by("id")
    assert list(timers.values_list("kind", "instance")) == [("wait", 0), ("wait", 1)]
    assert_agreement(request)
    run_sweeps(Timer.objects.latest("due_at").due_at)
    assert fresh(request).status == "completed"
    assert_agreement(request)
