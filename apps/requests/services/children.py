"""Child runs: a step that runs another workflow, within the same request and its stream."""

from __future__ import annotations

from typing import Any

from django.db.models import Max

from apps.core.errors import Misconfigured
from apps.requests.services.pins import pin_more
from apps.requests.services.writing import Write
from apps.workflows.engine import effects
from apps.workflows.engine.triggers import ActionFailed, Cancel, Start
from apps.workflows.enums import WorkflowEvent
from apps.workflows.models import Workflow, WorkflowRun, WorkflowVersion
from apps.workflows.selectors import definition_of, published_version
from apps.workflows.services.running import Passage, begin_run

DEEPEST = 20


def start_child(write: Write, run: Passage, effect: effects.StartChild) -> None:
    """Starts the newest published version of the workflow as a child; it stays on it.

    Without one, where it names what does not exist, or nested more than 20 deep, the step fails: an incident opens at
    it.
    """
    try:
        version = _version(write, run, effect.workflow)
    except Misconfigured as missing:
        reason = missing.detail
        write.triggers.append((run, ActionFailed(visit=effect.visit, instance=effect.instance, reason=reason)))
        return
    child = begin_run(
        write.request.stream,
        version_id=version.pk,
        n=next_number(write.request.stream_id),
        at=write.at,
        parent=run.run,
        parent_visit=effect.visit,
        parent_instance=effect.instance,
        input=dict(effect.input),
    )
    child.save_visits()
    write.child_passages[child.run.pk] = child
    above: dict[str, Any] = {} if run.run.parent_id is None else {"parent": run.run.n}
    write.tell_by_itself(
        WorkflowEvent.SUBFLOW_STARTED,
        step=effect.step,
        visit=effect.visit,
        run=child.run.n,
        version=version.pk,
        **above,
    )
    write.triggers.append((child, Start()))


def withdraw_child(write: Write, run: Passage, effect: effects.WithdrawChild) -> None:
    """Cancels the child runs of the visit (that of the instance), which cancel theirs in turn.

    What else was to move them in this write moves them no more.
    """
    found = WorkflowRun.objects.filter(parent=run.run, parent_visit=effect.visit, ended_at=None)
    if effect.instance is not None:
        found = found.filter(parent_instance=effect.instance)
    for pk in found.order_by("pk").values_list("pk", flat=True):
        child = write.passage_of(pk)
        write.triggers = [(moving, trigger) for moving, trigger in write.triggers if moving is not child]
        if child.marking.tokens:
            write.triggers.append((child, Cancel()))
        elif not child.marking.started:
            _call_off(write, child)


def _call_off(write: Write, child: Passage) -> None:
    """Ends a run that has not started yet."""
    child.run.outcome, child.run.ended_at, child.moved = "cancelled", write.at, True
    write.tell_by_itself(WorkflowEvent.RUN_ENDED, run=child.run.n, outcome=child.run.outcome)


def next_number(stream_id: int) -> int:
    """The number of the stream's next run; children count too."""
    newest = WorkflowRun.objects.filter(stream=stream_id).aggregate(n=Max("n"))["n"]
    return (newest or 0) + 1


def ancestors(run: WorkflowRun) -> list[tuple[int, int]]:
    """Run and visit of every step that this run is a child of, the nearest first."""
    found: list[tuple[int, int]] = []
    while run.parent is not None and len(found) <= DEEPEST:
        found.append((run.parent.pk, run.parent_visit or 0))
        run = run.parent
    return found


def _version(write: Write, run: Passage, key: str) -> WorkflowVersion:
    """The version to start, with what it names pinned. Raises Misconfigured; then nothing was pinned."""
    workflow = Workflow.objects.filter(key=key).first()
    version = published_version(workflow.pk) if workflow else None
    if version is None:
        raise Misconfigured(f"The workflow {key!r} has no published version.")
    if len(ancestors(run.run)) >= DEEPEST:
        raise Misconfigured(f"Workflows call each other more than {DEEPEST} deep.")
    pin_more(write.request, definition_of(version.pk))
    return version
