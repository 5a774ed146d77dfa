"""Runs a case through the product: a real request, people who claim and complete tasks, sweeps, operators.

Every event reads what it needs from the database: between two events only the request's id is known, and how things
were, to compare.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import TransitionNotAllowed
from apps.outbox.models import Incident
from apps.requests import sweeps
from apps.requests.models import CatalogItem, Request
from apps.requests.services import operations
from apps.requests.services.gate import publish_workflow
from apps.requests.services.keys import KeyTaken
from apps.requests.services.lifecycle import cancel_request
from apps.requests.services.work import claim_task, complete_task, send_message
from apps.workflows.engine.marking import Marking
from apps.workflows.enums import TaskStatus, VisitStatus, WorkflowEvent
from apps.workflows.models import KeyClaim, StepVisit, Task, Timer, WorkflowRun
from apps.workflows.services.drafting import create_workflow, save_draft
from tests.engine.patterns.case import Case, Event, Seen, told_between
from tests.factories import make_item, make_person, make_request

ITEM_STATUS = {
    TaskStatus.OPEN: "open",
    TaskStatus.CLAIMED: "open",
    TaskStatus.DONE: "ended",
    TaskStatus.WITHDRAWN: "withdrawn",
}
MESSAGES = {WorkflowEvent.MESSAGE_KEPT: "go kept", WorkflowEvent.MESSAGE_LOST: "go lost"}
OPEN_VISITS = (VisitStatus.OPEN, VisitStatus.BEGUN)
HOLDER = re.compile(r"step (\w+) of [\w-]+ holds it")


@dataclass(frozen=True, kw_only=True)
class Office:
    """Who takes part: two people of the role that tasks are for, so that nobody works on everything alone."""

    item: CatalogItem
    requester: User
    workers: tuple[User, User]
    administrator: User


def make_office(case: Case) -> Office:
    """The people, an item whose form holds the case's data, and the workflows, which the live check lets through."""
    workers = make_person("ann", roles=["fulfiller"]), make_person("bob", roles=["fulfiller"])
    workflows = [create_workflow(document["workflow"], name=document["name"]) for document in case.documents]
    fields = [{"name": name, "type": "number", "integer": True} for name in case.data]
    form = {"fields": [*fields, {"name": "reason", "type": "text"}]}
    item = make_item("pattern", workflow=workflows[0], form=form)
    for workflow, document in reversed(list(zip(workflows, case.documents, strict=True))):
        save_draft(workflow, document=document, actor=None)
        publish_workflow(workflow, actor=None)
    return Office(
        item=item,
        requester=make_person("requester"),
        workers=workers,
        administrator=make_person("administrator", roles=["administrator"]),
    )


@contextmanager
def one_order() -> Iterator[None]:
    """The database is afterwards as it was before."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


class Stored:
    """One request of a case."""

    def __init__(self, case: Case, office: Office) -> None:
        self.case = case
        self.office = office
        self.request_id = 0
        self.last_seen: dict[Any, Seen] = {}

    # what a case asks

    def start(self) -> list[str]:
        request = make_request(self.office.item, self.office.requester, data=dict(self.case.data))
        self.request_id = request.pk
        return [*self._news(), *self._end()]

    def send(self, event: Event) -> list[str]:
        was_open = self._request().is_open
        try:
            with transaction.atomic():
                answers = self._act(event)
        except TransitionNotAllowed:
            return self._refused(event)
        except KeyTaken as refusal:
            (holder,) = HOLDER.findall(str(refusal))
            return [f"{line}, {holder} has the key" for line in self._refused(event)]
        return [*answers, *self._news(), *(self._end() if was_open else [])]

    def offered(self) -> list[str]:
        return sorted(item.place for item in self._items().values() if item.status == "open")

    def holds_nothing(self) -> bool:
        mine = {"stream": self.request_id}
        runs = WorkflowRun.objects.filter(**mine)
        markings = [Marking.from_json(run.marking) for run in runs]
        return not (
            any(marking.tokens or marking.joins or marking.kept for marking in markings)
            or runs.filter(ended_at=None).exists()
            or Timer.objects.filter(**mine, closed_at=None).exists()
            or KeyClaim.objects.filter(**mine, ended_at=None).exists()
            or StepVisit.objects.filter(run__stream=self.request_id, status__in=OPEN_VISITS).exists()
            or Task.objects.filter(**mine, status__in=[TaskStatus.OPEN, TaskStatus.CLAIMED]).exists()
            or Request.objects.get(pk=self.request_id).is_open
        )

    def incidents(self) -> list[str]:
        """What needed an operator."""
        return [incident.detail for incident in Incident.objects.filter(stream=self.request_id)]

    # acting

    def _act(self, event: Event) -> list[str]:
        if event.verb in ("message", "cancel"):
            return self._act_on_all(event)
        visit = self._visit(event)
        if visit is None:
            return [f"{event.name} not offered"]
        if event.verb in ("complete", "begin"):
            return self._work(event, visit)
        if event.verb == "timer":
            return self._let_pass(event, visit)
        OPERATORS[event.verb](self, visit, event)
        return []

    def _act_on_all(self, event: Event) -> list[str]:
        request, administrator = self._request(), self.office.administrator
        if event.verb == "cancel":
            cancel_request(request, actor=administrator)
            return []
        told = send_message(request, name=event.step, actor=administrator)
        return [MESSAGES[WorkflowEvent(new.type)] for new in told if new.type in MESSAGES]

    def _work(self, event: Event, visit: StepVisit) -> list[str]:
        task = Task.objects.filter(visit=visit, instance=event.instance).first()
        if task is None:
            return [f"{event.name} not offered"]
        worker = self.office.workers[ord(event.step[0]) % 2]
        if event.verb == "begin":
            claim_task(task, actor=worker)
        else:
            complete_task(task, outcome=event.outcome, actor=worker)
        return []

    def _let_pass(self, event: Event, visit: StepVisit) -> list[str]:
        """The sweep looks at the moment at which the timer is, or would have been, due."""
        timer = Timer.objects.get(run=visit.run, visit=visit.number, deadline=event.deadline or "")
        sweeps.run_sweeps(timer.due_at)
        return []

    def _cancel_visit(self, visit: StepVisit, event: Event) -> None:
        administrator = self.office.administrator
        operations.cancel_visit(
            self._request(), run=visit.run_id, visit=visit.number, reason="not needed", actor=administrator
        )

    def _add(self, visit: StepVisit, event: Event) -> None:
        administrator = self.office.administrator
        operations.add_instance(
            self._request(), run=visit.run_id, visit=visit.number, item=event.item, actor=administrator
        )

    def _close(self, visit: StepVisit, event: Event) -> None:
        administrator = self.office.administrator
        operations.close_instances(self._request(), run=visit.run_id, visit=visit.number, actor=administrator)

    def _finish(self, visit: StepVisit, event: Event) -> None:
        administrator = self.office.administrator
        operations.finish_instances(self._request(), run=visit.run_id, visit=visit.number, actor=administrator)

    def _refused(self, event: Event) -> list[str]:
        """A refusal leaves everything as it was."""
        assert self._seen() == self.last_seen
        return [f"{event.name} refused"]

    # reading

    def _news(self) -> list[str]:
        """What has changed since the last event."""
        before, self.last_seen = self.last_seen, self._seen()
        return told_between(before, self.last_seen)

    def _request(self) -> Request:
        return Request.objects.get(pk=self.request_id)

    def _visit(self, event: Event) -> StepVisit | None:
        visits = StepVisit.objects.filter(run__stream=self.request_id, step=event.step).select_related("run")
        found = list(visits.order_by("run__n", "number"))
        if event.visit is not None:
            return found[event.visit - 1] if len(found) >= event.visit else None
        still = [visit for visit in found if visit.status in OPEN_VISITS]
        return next(iter(still or found[-1:]), None)

    def _seen(self) -> dict[Any, Seen]:
        items = self._items()
        several = {key[:2] for key in items if key[2] is not None}
        claims = KeyClaim.objects.filter(stream=self.request_id, ended_at=None, granted_at=None)
        in_line = set(claims.values_list("run__n", "visit"))
        visits = StepVisit.objects.filter(run__stream=self.request_id).order_by("run__n", "number")
        seen = {
            (n, number): Seen(
                place=step,
                status=status,
                outcome=outcome,
                in_line=(n, number) in in_line,
                with_instances=(n, number) in several,
            )
            for n, number, step, status, outcome in visits.values_list("run__n", "number", "step", "status", "outcome")
        }
        return {**seen, **{key: item for key, item in items.items() if key[2] is not None}}

    def _items(self) -> dict[tuple[int, int, int | None], Seen]:
        tasks = Task.objects.filter(stream=self.request_id).select_related("visit__run").order_by("pk")
        return {
            (task.visit.run.n, task.visit.number, task.instance): Seen(
                place=task.visit.step if task.instance is None else f"{task.visit.step}[{task.instance}]",
                status=ITEM_STATUS[TaskStatus(task.status)],
                outcome=task.outcome,
            )
            for task in tasks
        }

    def _end(self) -> list[str]:
        """How the request and its own run have ended; both say the same."""
        request = Request.objects.select_related("run").get(pk=self.request_id)
        if request.is_open:
            return []
        assert request.run is not None
        assert request.outcome == request.run.outcome
        return [f"run {request.outcome}"]


OPERATORS: dict[str, Callable[[Stored, StepVisit, Event], None]] = {
    "cancel_visit": Stored._cancel_visit,
    "add": Stored._add,
    "close": Stored._close,
    "finish": Stored._finish,
}
