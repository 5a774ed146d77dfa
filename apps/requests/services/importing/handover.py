"""The end of an import: its cases become requests like any other."""

from __future__ import annotations

from django.db import transaction

from apps.approvals import services as approvals
from apps.approvals.enums import ApprovalStatus
from apps.core import clock
from apps.outbox.incidents import open_incident
from apps.outbox.publish import end_quiet
from apps.requests.enums import IMPORT, IMPORTED, RequestEvent
from apps.requests.models import Request
from apps.requests.selectors import approvals_of
from apps.requests.selectors.work import OPEN
from apps.requests.services.approving import take_over, terms_of
from apps.requests.services.writing import Write, begin_write
from apps.workflows.enums import TaskStatus, WorkflowEvent
from apps.workflows.models import Task

TOGETHER = 200


def hand_over(source: str) -> int:
    """Hands every case of the source over to live operation, for good; returns how many.

    Open work of people who were made up goes to whom today's rules name: their tasks back to the team or role, their
    approvals asked again; where that names nobody an incident opens. From then on timers, SLA clocks and archiving act
    on them, and people are told what happens to them; what the history told stays untold. Such a case takes no further
    lines of the log.
    """
    done = 0
    while batch := _next(source):
        done += _hand_over_together(batch)
    return done


def _next(source: str) -> list[int]:
    waiting = Request.objects.filter(origin=IMPORT, imported_case__source=source)
    return list(waiting.order_by("pk").values_list("pk", flat=True)[:TOGETHER])


@transaction.atomic
def _hand_over_together(ids: list[int]) -> int:
    return sum(_hand_over(pk) for pk in ids)


def _hand_over(pk: int) -> bool:
    write = begin_write(pk, actor=None, at=clock.now())
    if write.request.origin != IMPORT:
        return False
    write.request.origin = IMPORTED
    end_quiet(write.request.stream)
    write.tell_by_itself(RequestEvent.HANDED_OVER)
    _give_tasks_back(write)
    _ask_again(write)
    write.finish()
    return True


def _give_tasks_back(write: Write) -> None:
    """Tasks that somebody inactive took up are offered again; one that is for such a person alone needs an operator."""
    held = Task.objects.filter(stream=write.request.stream, status__in=OPEN, assignee__is_active=False)
    for task in held.select_related("visit"):
        if task.group_id is None:
            detail = f"The task {task.visit.step} is for somebody who is not active."
            write.events += open_incident(
                write.request.stream, kind="task_without_assignee", key=f"task:{task.pk}", detail=detail, at=write.at
            )
            continue
        task.assignee, task.claimed_at, task.status = None, None, TaskStatus.OPEN
        task.save(update_fields=["assignee", "claimed_at", "status"])
        write.tell_by_itself(WorkflowEvent.TASK_RELEASED, task=task.pk, step=task.visit.step)


def _ask_again(write: Write) -> None:
    for approval in approvals_of(write.request).filter(status=ApprovalStatus.PENDING).select_related("visit"):
        policy, people = terms_of(write, approval)
        outcome = approvals.keep_answerable(approval, policy=policy, people=people)
        take_over(write, outcome, visit=approval.visit.number, run=write.passage_of(approval.visit.run_id))
