"""Random walks over rich documents, everything through services: after each step the rows say what the markings say,
and the run read from the database is the one that was in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import transaction
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.approvals.models import Seat
from apps.core.errors import DomainError
from apps.outbox.models import Delivery, Incident
from apps.outbox.relay import run_relay
from apps.requests.models import CatalogItem, Request
from apps.requests.services import operations
from apps.requests.services.decisions import record_decision
from apps.requests.services.lifecycle import cancel_request, hold_request, resume_request
from apps.requests.services.work import claim_task, complete_task, send_message
from apps.requests.services.writing import Write
from apps.requests.sweeps import run_sweeps
from apps.workflows.engine.marking import Marking
from apps.workflows.models import Task, Timer, WorkflowRun
from apps.workflows.selectors import definition_of
from tests.factories import MANAGER_LEVEL, Json, line_document, make_request
from tests.requests.agreement import assert_agreement
from tests.requests.conftest import World
from tests.requests.flows import make_flow, publish

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
TEAM: Json = {"team": "it"}
REASON = "because the walk says so"
RARE = frozenset({"cancel", "move", "reject", "finish_instances", "hold", "resume"})  # most of what ends a walk early
Step = tuple[str, Callable[[], object]]


def flow(key: str, steps: list[Json], arrows: list[tuple[str, str] | tuple[str, str, Json]]) -> Json:
    transitions = [{"from": a, "to": b, **(more[0] if more else {})} for a, b, *more in arrows]
    ids = {step["id"] for step in steps}
    ends = [{"id": "end", "kind": "end", "outcome": "completed"}, {"id": "no", "kind": "end", "outcome": "rejected"}]
    used = [end for end in ends if end["id"] not in ids and any(arrow["to"] == end["id"] for arrow in transitions)]
    steps = [{"id": "start", "kind": "start"}, *steps, *used]
    return {"format": 1, "workflow": key, "name": key.capitalize(), "steps": steps, "transitions": transitions}


CHILD = flow(
    "child",
    [
        {"id": "take", "kind": "wait", "name": "Take", "for": {"seconds": 30}, "exclusive": "'printer'"},
        {"id": "check", "kind": "task", "name": "Check", "assign": TEAM,
         "outcomes": [{"id": "good", "label": "Good"}, {"id": "bad", "label": "Bad"}]},
    ],
    [("start", "take"), ("take", "check"), ("check", "end", {"outcome": "good"}), ("check", "no", {"outcome": "bad"})],
)  # fmt: skip
OFFICE = flow(
    "office",
    [
        {"id": "both", "kind": "split"},
        {"id": "print", "kind": "task", "name": "Print", "assign": TEAM, "exclusive": "'printer'",
         "deadlines": [{"id": "late", "after": {"seconds": 3600}, "interrupt": False}]},
        {"id": "remind", "kind": "task", "name": "Remind", "assign": TEAM},
        {"id": "over", "kind": "end"},
        {"id": "each", "kind": "task", "name": "Each", "for_each": "['worker', 'senior', 'lead']",
         "assign": {"cel": "item"}, "done_when": "instances.completed >= 2"},
        {"id": "sub", "kind": "subflow", "name": "Sub", "workflow": "child", "count": 2, "exclusive": "'printer'",
         "input": {"index": "index"}, "output": {"size": "run.input.index"}},
        {"id": "two", "kind": "join", "wait": 2, "cancel_rest": True},
        {"id": "which", "kind": "choice", "name": "Which?"},
        {"id": "contest", "kind": "race"},
        {"id": "hand", "kind": "task", "name": "Hand", "assign": TEAM},
        {"id": "pause", "kind": "wait", "name": "Pause", "for": {"seconds": 60}},
        {"id": "say", "kind": "action", "name": "Say", "action": "comment", "with": {"text": "on we go"},
         "merge": "each"},
    ],
    [
        ("start", "both"), ("both", "print"), ("both", "each"), ("both", "sub"),
        ("print", "two"), ("each", "two"), ("sub", "two"),
        ("print", "remind", {"deadline": "late"}), ("remind", "over"),
        ("two", "which"), ("which", "contest", {"when": "request.data.size >= 0"}),
        ("which", "say", {"otherwise": True}),
        ("contest", "hand"), ("contest", "pause"), ("hand", "say"), ("pause", "both"), ("say", "end"),
    ],
)  # fmt: skip
LETTERS = flow(
    "letters",
    [
        {"id": "ask", "kind": "approval", "name": "Ask",
         "policy": {"levels": [MANAGER_LEVEL], "fallback": [{"role": "administrator"}]}},
        {"id": "mend", "kind": "task", "name": "Mend", "assign": {"requester": True}},
        {"id": "all", "kind": "split"},
        {"id": "mail", "kind": "wait", "name": "Mail", "for": {"message": "mail", "key": "item", "keep": True},
         "for_each": "['a', 'b']", "deadlines": [{"id": "lost", "after": {"seconds": 600}, "interrupt": True}]},
        {"id": "more", "kind": "task", "name": "More", "assign": TEAM, "count": 1, "open_ended": True},
        {"id": "watch", "kind": "task", "name": "Watch", "assign": TEAM, "only_while": "mail"},
        {"id": "meet", "kind": "join", "wait": "all", "of": "active"},
        {"id": "count", "kind": "action", "name": "Count", "action": "set_fields",
         "with": {"fields": {"round": "(has(request.data.round) ? request.data.round : 0) + 1"}}},
        {"id": "make", "kind": "action", "name": "Make", "action": "create_request",
         "with": {"item": "side", "fields": {"reason": "'for ' + request.number"}}},
        {"id": "again", "kind": "choice", "name": "Again?"},
    ],
    [
        ("start", "ask"), ("ask", "all", {"outcome": "approved"}), ("ask", "no", {"outcome": "rejected"}),
        ("ask", "mend", {"outcome": "returned"}), ("mend", "ask"),
        ("all", "mail"), ("all", "more"), ("all", "watch"), ("mail", "meet"), ("more", "meet"), ("watch", "meet"),
        ("mail", "meet", {"deadline": "lost"}), ("meet", "count"), ("count", "make"), ("make", "again"),
        ("again", "end", {"when": "request.data.round == 1"}), ("again", "no", {"otherwise": True}),
    ],
)  # fmt: skip


@pytest.fixture
def items(world) -> dict[str, CatalogItem]:
    publish(CHILD)
    make_flow(line_document("side", {"id": "work", "kind": "task", "name": "Work", "assign": TEAM}))
    return {document["workflow"]: make_flow(document) for document in (OFFICE, LETTERS)}


@pytest.fixture
def in_memory(monkeypatch) -> dict[int, Marking]:
    """The marking of every run as the last write to it had it in memory."""
    markings: dict[int, Marking] = {}
    finish = Write.finish

    def noting(write: Write) -> Request:
        request = finish(write)
        markings.update({passage.run.pk: passage.marking for passage in write.passages})
        return request

    monkeypatch.setattr(Write, "finish", noting)
    return markings


def steps_of(request: Request, world: World) -> Iterator[Step]:
    """Everything that could happen to the request now, and some things that cannot."""
    people = (world.worker, world.senior, world.lead, world.requester)
    for task in Task.objects.filter(stream_id=request.pk, status__in=("open", "claimed")).order_by("id"):
        able = next((one for one in people if may_do(one, task)), world.worker)
        yield f"claim {task.pk}", lambda t=task, a=able: claim_task(t, actor=a)
        for outcome in definition_of(task.visit.run.version_id).step(task.visit.step).work_outcomes:
            yield (
                f"complete {task.pk} {outcome.id}",
                lambda t=task, a=able, o=outcome: complete_task(t, outcome=o.id, actor=a),
            )
    seats = Seat.objects.filter(level__approval__stream_id=request.pk, level__approval__status="pending")
    for seat in seats.order_by("id"):
        for verdict in ("approve", "reject", "return"):
            yield (
                f"{verdict} {seat.pk}",
                lambda s=seat, v=verdict: record_decision(s.level.approval, verdict=v, comment=REASON, actor=s.user),
            )
    yield from messages_and_holds(request, world)
    yield from repairs(request, world)


def may_do(person: User, task: Task) -> bool:
    return task.assignee_id == person.pk or (task.assignee_id is None and task.group_id in person.group_ids)


def messages_and_holds(request: Request, world: World) -> Iterator[Step]:
    for key in ("a", "b", "c"):
        yield f"mail {key}", lambda k=key: send_message(request, name="mail", key=k, actor=world.administrator)
    yield "hold", lambda: hold_request(request, reason=REASON, actor=world.administrator)
    yield "resume", lambda: resume_request(request, actor=world.administrator)
    timers = Timer.objects.filter(stream_id=request.pk, closed_at=None).order_by("due_at")
    if timer := timers.first():
        yield f"time {timer.kind}", lambda: run_sweeps(timer.due_at)
    yield "relay", run_relay
    yield "relay again", run_relay


def repairs(request: Request, world: World) -> Iterator[Step]:
    by = {"reason": REASON, "actor": world.administrator}
    for incident in Incident.objects.filter(stream_id=request.pk, status="open", kind="workflow").order_by("id"):
        yield f"retry {incident.key}", lambda i=incident: operations.retry_incident(i, **by)
    for run in WorkflowRun.objects.filter(stream_id=request.pk, ended_at=None).order_by("id"):
        marking = Marking.from_json(run.marking)
        for visit in marking.open_visits():
            of = {"run": run.pk, "visit": visit.id}
            if visit.incident:
                yield f"skip {of}", lambda of=of: operations.skip_step(request, **of, **by)
            if visit.instances is not None:
                for act in (operations.add_instance, operations.close_instances, operations.finish_instances):
                    yield f"{act.__name__} {of}", lambda of=of, a=act: a(request, **of, actor=world.administrator)
            yield f"cancel {of}", lambda of=of: operations.cancel_visit(request, **of, **by)
        for token in marking.tokens[:1]:
            to = definition_of(run.version_id).steps[-1].id
            yield (
                f"move {token.id}",
                lambda r=run.pk, t=token.id, to=to: operations.move_token(request, run=r, token=t, to=to, **by),
            )


def take(act: Callable[[], object]) -> str:
    """Does it as a face does; a refusal changes nothing."""
    try:
        with transaction.atomic():
            act()
    except DomainError as refused:
        return f"refused: {refused.code}"
    return "done"


def check(requests: list[Request], in_memory: dict[int, Marking]) -> None:
    for request in requests:
        assert_agreement(request)
    for run in WorkflowRun.objects.all():
        assert Marking.from_json(run.marking) == in_memory[run.pk]
    assert not Incident.objects.filter(kind__in=("sweep", "dead_letter")).exists()
    failed = Delivery.objects.exclude(subscriber="realtime").exclude(last_error="")
    assert list(failed.values_list("subscriber", "last_error")) == []


@pytest.mark.parametrize("key", ["office", "letters"])
@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=7)
@given(data=st.data())
def test_after_every_step_of_a_random_walk_the_rows_are_what_the_markings_say(world, items, in_memory, key, data):
    walk(world, items, in_memory, key, data)


@pytest.mark.long
@pytest.mark.parametrize("key", ["office", "letters"])
@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=40)
@given(data=st.data())
def test_after_every_step_of_many_walks_the_rows_are_what_the_markings_say(world, items, in_memory, key, data):
    walk(world, items, in_memory, key, data)


def walk(
    world: World, items: dict[str, CatalogItem], in_memory: dict[int, Marking], key: str, data: st.DataObject
) -> None:
    with transaction.atomic():
        requests = [make_request(items[key], world.requester) for _ in range(2)]
        check(requests, in_memory)
        for _ in range(data.draw(st.integers(5, 25), label="steps")):
            request = data.draw(st.sampled_from(requests), label="request")
            possible = list(steps_of(request, world))
            usual = [step for step in possible if step[0].split()[0] not in RARE]
            rarely = data.draw(st.integers(0, 7), label="rarely") == 0
            name, act = data.draw(st.sampled_from(possible if rarely else usual), label="step")
            event(f"{name.split()[0]}: {take(act)}")
            check(requests, in_memory)
        for request in requests:
            take(lambda one=request: cancel_request(one, actor=world.requester))
        check(requests, in_memory)
        assert not WorkflowRun.objects.filter(stream_id__in=[one.pk for one in requests], ended_at=None).exists()
        transaction.set_rollback(True)
