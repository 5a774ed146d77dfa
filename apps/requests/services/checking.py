"""The long check of a drawn workflow: asked for, made by a worker outside any request, with progress; and waivers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import Conflict, InvalidInput, TransitionNotAllowed
from apps.core.text import is_blank, text_problem
from apps.outbox.publish import NewEvent, lock_streams, publish
from apps.workflows.engine.document import document_hash
from apps.workflows.engine.gate import GateResult, Progress
from apps.workflows.engine.problems import Problem
from apps.workflows.enums import CheckStatus, WorkflowEvent
from apps.workflows.models import GateCheck, Workflow

LEASE = timedelta(minutes=5)
Check = Callable[[Any, Progress], GateResult]


@transaction.atomic
def ask_check(workflow: Workflow, document: Any) -> GateCheck:
    """The check of the document: the one that was asked for already, else a new one that a worker will make."""
    check, _ = GateCheck.objects.get_or_create(
        workflow=workflow,
        hash=document_hash(document),
        defaults={"document": document, "asked_at": clock.now()},
    )
    return check


def finished_check(workflow: Workflow, result: GateResult, *, publisher: User | None = None) -> GateResult | None:
    """The result with what a worker's check of the same document has found about its runs, or None.

    A signature counts as long as the publisher is another person.
    """
    check = GateCheck.objects.filter(workflow=workflow, hash=result.hash, status=CheckStatus.DONE).first()
    if check is None:
        return None
    seen = tuple(Problem.from_json(one) for one in check.problems)
    kept = tuple(one for one in result.problems if one.code != "not_verified")
    problems = tuple(dict.fromkeys((*kept, *seen)))
    waived = check.waived_by_id is not None and (publisher is None or check.waived_by_id != publisher.pk)
    return replace(result, problems=problems, verified=check.verified or waived)


def progress_of(workflow: Workflow, hash: str) -> str:  # noqa: A002 - the term
    """How far the whole check of the document is, as people read it."""
    check = GateCheck.objects.filter(workflow=workflow, hash=hash).first()
    if check is None:
        return "Not every way a run can go was seen yet. “Save and check” asks for the whole check."
    if check.status == CheckStatus.PENDING:
        return "The whole check waits for a worker."
    if check.status == CheckStatus.RUNNING:
        return f"The whole check is being made: {check.markings:,} positions seen so far."
    return "The whole check could not see every way a run can go: a second person must sign before it is published."


def run_checks(check: Check) -> int:
    """Makes every check that waits, one after the other; returns how many. A worker that dies leaves its check to the
    next one, five minutes later."""
    made = 0
    while row := _claim():
        result = check(row.document, lambda markings, pk=row.pk: _note_progress(pk, markings))  # type: ignore[misc]
        GateCheck.objects.filter(pk=row.pk).update(
            status=CheckStatus.DONE,
            verified=result.verified,
            problems=[problem.as_json() for problem in result.problems],
            claimed_until=None,
            finished_at=clock.now(),
        )
        made += 1
    return made


@transaction.atomic
def sign_waiver(workflow: Workflow, *, hash: str, reason: Any, actor: User) -> GateCheck:  # noqa: A002 - the term
    """A second person signs that a document may be published although not every way a run can go was seen.

    Raises InvalidInput without a reason; TransitionNotAllowed where the check is not finished, found errors or has seen
    everything, and where it is signed already; Conflict if the actor has drawn it.
    """
    problem = "Please say why." if is_blank(reason) else text_problem(reason, max_length=10_000)
    if problem:
        raise InvalidInput({"reason": [problem]})
    (stream,) = lock_streams([workflow.stream_id])
    check = GateCheck.objects.filter(workflow=workflow, hash=hash).first()
    if check is None or not _may_be_waived(check):
        raise TransitionNotAllowed("There is no finished check of this draft that needs a signature.")
    if workflow.versions.filter(status="draft", created_by=actor).exists():
        raise Conflict("Whoever has drawn the workflow cannot sign for it; a second person must.")
    check.waived_by, check.waived_at, check.waived_because = actor, clock.now(), reason
    check.save(update_fields=["waived_by", "waived_at", "waived_because"])
    data = {"workflow": workflow.pk, "hash": hash, "check": check.pk}
    publish({stream: [NewEvent(type=WorkflowEvent.WAIVER_SIGNED, actor=f"user:{actor.pk}", at=clock.now(), data=data)]})
    return check


def _may_be_waived(check: GateCheck) -> bool:
    errors = any(problem["severity"] == "error" for problem in check.problems)
    return check.status == CheckStatus.DONE and not check.verified and not errors and check.waived_by_id is None


@transaction.atomic
def _claim() -> GateCheck | None:
    now = clock.now()
    waiting = GateCheck.objects.exclude(status=CheckStatus.DONE).filter(
        Q(claimed_until=None) | Q(claimed_until__lt=now)
    )
    row = waiting.order_by("id").select_for_update(skip_locked=True).first()
    if row is not None:
        row.status, row.claimed_until, row.markings = CheckStatus.RUNNING, now + LEASE, 0
        row.save(update_fields=["status", "claimed_until", "markings"])
    return row


def _note_progress(pk: int, markings: int) -> None:
    GateCheck.objects.filter(pk=pk).update(markings=markings, claimed_until=clock.now() + LEASE)
