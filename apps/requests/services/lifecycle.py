"""The life of a request: drafted, submitted, held and resumed, cancelled, reopened, archived.

The caller (a face, a sweep) opens the transaction; nothing here catches a domain error.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from apps.accounts.cast import Cast
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import InvalidInput, Misconfigured, NotPermitted, TransitionNotAllowed
from apps.core.text import is_blank, text_problem
from apps.outbox.models import Stream
from apps.outbox.publish import new_stream
from apps.requests import policies
from apps.requests.enums import ENDED_STATES, OPEN_STATES, Level, Relation, RequestEvent, RequestStatus, priority_of
from apps.requests.facts import current_form, facts_of, form_of
from apps.requests.models import CatalogItem, FormVersion, Request
from apps.requests.policies import Act
from apps.requests.services.children import next_number
from apps.requests.services.deadlines import put_deadlines_off
from apps.requests.services.effects import carry_out
from apps.requests.services.pins import pins_of
from apps.requests.services.selection import select_sla, select_workflow
from apps.requests.services.writing import Write, begin_write
from apps.workflows.engine.triggers import Cancel, Start
from apps.workflows.enums import WorkflowEvent
from apps.workflows.selectors import definition_of
from apps.workflows.services.running import begin_run

MOST_TAGS, TAG_LENGTH = 20, 60
TITLE_LENGTH = 200
COMMENT_LENGTH = 10_000


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What somebody asks for, as it came in: every value is still to be checked. Tags of None stay as they are."""

    title: Any = ""
    data: Any = None
    requested_for: User | None = None
    impact: Any = Level.MEDIUM
    urgency: Any = Level.MEDIUM
    tags: Any = None


@transaction.atomic(savepoint=False)
def create_request(
    item: CatalogItem,
    wish: Wish,
    *,
    actor: User,
    submit: bool = True,
    origin: str = "portal",
    at: datetime | None = None,
) -> Request:
    """Writes the wish down as a draft and, with `submit`, hands it in in the same transaction.

    Raises NotPermitted if the item is not for the actor, InvalidInput with every problem by field; then nothing is
    written. A draft may lack required fields, but what it holds fits its form.
    """
    return create(item, wish, actor=actor, submit=submit, origin=origin, at=at or clock.now()).finish()


def create(
    item: CatalogItem,
    wish: Wish,
    *,
    actor: User,
    submit: bool,
    origin: str,
    external_id: str = "",
    quiet: bool = False,
    cast: Cast | None = None,
    at: datetime,
) -> Write:
    """`create_request` within a write, which it begins. A `quiet` request tells nobody what happens to it."""
    if not policies.may_request(actor, item):
        raise NotPermitted(f"{item.name} is not offered to you.")
    form = _form(item)
    checked = _check(wish, item, form, actor=actor, partial=not submit)
    stream = new_stream(Stream.Kind.REQUEST, quiet=quiet)
    request = Request(
        stream=stream,
        number=f"SR-{at.year}-{stream.pk:06d}",
        item=item,
        requester=actor,
        requested_for=wish.requested_for or actor,
        edited_by=actor,
        origin=origin,
        external_id=external_id,
        created_at=at,
        updated_at=at,
        **checked,
    )
    request.save(force_insert=True)
    write = Write(request=request, actor=actor, at=at, cast=cast)
    write.concerns(f"user:{actor.pk}", Relation.REQUESTER)
    write.concerns(f"user:{request.requested_for_id}", Relation.REQUESTED_FOR)
    write.tell(RequestEvent.DRAFTED, role="requester", item=item.pk, fields=sorted(request.data))
    if submit:
        _submit(write, form)
    return write


@transaction.atomic(savepoint=False)
def edit_draft(request: Request, wish: Wish, *, actor: User) -> Request:
    """Replaces the content of a draft. Raises TransitionNotAllowed once it was submitted, InvalidInput by field."""
    write = begin_write(request.pk, actor=actor)
    policies.require(actor, Act.EDIT, write.request)
    _demand(write.request, RequestStatus.DRAFT)
    checked = _check(wish, write.request.item, _form(write.request.item), actor=actor, partial=True)
    for name, value in checked.items():
        setattr(write.request, name, value)
    write.request.edited_by = actor
    if wish.requested_for is not None:
        write.request.participants.filter(relation=Relation.REQUESTED_FOR).delete()
        write.request.requested_for = wish.requested_for
        write.concerns(f"user:{wish.requested_for.pk}", Relation.REQUESTED_FOR)
    write.tell(RequestEvent.EDITED, role="requester", fields=sorted(write.request.data))
    return write.finish()


@transaction.atomic(savepoint=False)
def submit_request(request: Request, *, actor: User, at: datetime | None = None) -> Request:
    """Validates the draft again, selects its workflow, pins every version it will run on, starts run and clocks."""
    write = begin_write(request.pk, actor=actor, at=at)
    submit(write, actor=actor)
    return write.finish()


def submit(write: Write, *, actor: User) -> None:
    """`submit_request` within a write."""
    policies.require(actor, Act.SUBMIT, write.request)
    _demand(write.request, RequestStatus.DRAFT)
    if not policies.may_request(actor, write.request.item):
        raise NotPermitted(f"{write.request.item.name} is no longer offered to you.")
    form = _form(write.request.item)
    write.request.data = form_of(form.pk).accept(write.request.data)
    _submit(write, form)


def _submit(write: Write, form: FormVersion) -> None:
    request = write.request
    write.tell_by_itself(RequestEvent.VALIDATED, form=form.pk, fields=sorted(request.data))
    facts = facts_of(request, form_of(form.pk))
    selection = select_workflow(request.item, facts, now=write.at)
    sla = select_sla(request.item, facts, now=write.at)
    request.selection = selection.reason() | ({"sla": sla.reason()} if sla.key else {})
    write.tell_by_itself(
        RequestEvent.WORKFLOW_SELECTED,
        workflow=selection.version.workflow_id,
        version=selection.version.pk,
        rule=selection.rule.pk,
    )
    definition = definition_of(selection.version.pk)
    pins = pins_of(request.item, form, definition, sla_key=sla.key, requester=request.requester)
    request.pins = pins | {"workflow": selection.version.pk}
    request.submit(at=write.at)
    write.tell(RequestEvent.SUBMITTED, role="requester", priority=request.priority, pins=request.pins)
    write.let_clocks_follow()
    _start_run(write, n=1, at_step=None)


def _start_run(write: Write, *, n: int, at_step: str | None) -> None:
    version_id = write.request.pins["workflow"]
    for passage in write.passages:
        passage.save()
    write.child_passages = {}
    write.passage = begin_run(write.request.stream, version_id=version_id, n=n, at=write.at)
    write.request.run, write.tasks = write.passage.run, {}
    write.tell_by_itself(WorkflowEvent.RUN_STARTED, run=n, version=version_id)
    carry_out(write, Start(at=at_step))


@transaction.atomic(savepoint=False)
def hold_request(request: Request, *, reason: str, actor: User) -> Request:
    """Stops the SLA clocks; people go on working and dated waits go on. Raises TransitionNotAllowed unless open."""
    write = begin_write(request.pk, actor=actor)
    hold(write, reason=reason, actor=actor)
    return write.finish()


def hold(write: Write, *, reason: Any, actor: User) -> None:
    """`hold_request` within a write."""
    policies.require(actor, Act.HOLD, write.request)
    _demand(write.request, RequestStatus.SUBMITTED, RequestStatus.IN_PROGRESS)
    note = write.note(checked_comment(reason, required=True))
    write.request.hold(since=write.request.status)
    write.tell(RequestEvent.HELD, note=note)


@transaction.atomic(savepoint=False)
def resume_request(request: Request, *, actor: User) -> Request:
    """Back to where it was held; the clocks go on. Raises TransitionNotAllowed unless it is on hold."""
    write = begin_write(request.pk, actor=actor)
    resume(write, actor=actor)
    return write.finish()


def resume(write: Write, *, actor: User) -> None:
    """`resume_request` within a write."""
    request = write.request
    policies.require(actor, Act.RESUME, request)
    _demand(request, RequestStatus.ON_HOLD)
    began = request.held_from == RequestStatus.IN_PROGRESS
    (request.resume_in_progress if began else request.resume_submitted)()
    put_deadlines_off(write)
    write.tell(RequestEvent.RESUMED)


@transaction.atomic(savepoint=False)
def cancel_request(request: Request, *, reason: str = "", actor: User) -> Request:
    """Takes everything open back and ends the request as cancelled. Raises TransitionNotAllowed once it has ended."""
    write = begin_write(request.pk, actor=actor)
    cancel(write, reason=reason, actor=actor)
    return write.finish()


def cancel(write: Write, *, reason: Any = "", actor: User) -> None:
    """`cancel_request` within a write."""
    policies.require(actor, Act.CANCEL, write.request)
    _demand(write.request, RequestStatus.DRAFT, *OPEN_STATES)
    note = write.note(checked_comment(reason))
    if write.request.run is None:
        write.request.cancel(at=write.at, archive_at=write.at + write.request.item.archive_after)
        write.tell(RequestEvent.CANCELLED, note=note)
    else:
        if note:
            write.tell(RequestEvent.CANCEL_ASKED, note=note)
        carry_out(write, Cancel())


@transaction.atomic(savepoint=False)
def reopen_request(request: Request, *, reason: str, actor: User) -> Request:
    """Starts the next run on the same pins: at the document's `reopen` step if it was completed, else at its start, so
    that nothing which was refused or never asked is skipped.

    Possible within the item's number of days after the end, and before archiving; raises TransitionNotAllowed.
    """
    write = begin_write(request.pk, actor=actor)
    reopen(write, reason=reason, actor=actor)
    return write.finish()


def reopen(write: Write, *, reason: Any, actor: User) -> None:
    """`reopen_request` within a write."""
    policies.require(actor, Act.REOPEN, write.request)
    _demand(write.request, *ENDED_STATES)
    if write.request.run is None or not _within_reopen_days(write):
        raise TransitionNotAllowed("This request can no longer be reopened.")
    note = write.note(checked_comment(reason, required=True))
    n = max(next_number(write.request.pk), write.run.run.n + 1)  # the run may not be written yet
    was_completed = write.run.run.outcome == "completed"
    write.request.reopen()
    write.tell(RequestEvent.REOPENED, run=n, note=note)
    definition = definition_of(write.request.pins["workflow"])
    _start_run(write, n=n, at_step=definition.reopen if was_completed else None)


def _within_reopen_days(write: Write) -> bool:
    ended = write.request.ended_at
    return ended is not None and write.at <= ended + timedelta(days=write.request.item.reopen_days)


def archive(write: Write) -> Request:
    """Puts an ended request away; its outcome stays. The sweep has locked it and found it due."""
    write.request.archive(at=write.at)
    write.tell_by_itself(RequestEvent.ARCHIVED, outcome=write.request.outcome)
    return write.finish()


def first_response(write: Write) -> None:
    """The first claim, decision or completed task puts the request in progress; later ones change nothing."""
    if write.request.status == RequestStatus.SUBMITTED:
        write.request.begin()
        write.tell(RequestEvent.FIRST_RESPONSE)
    elif write.request.status == RequestStatus.ON_HOLD and write.request.held_from == RequestStatus.SUBMITTED:
        write.request.held_from = RequestStatus.IN_PROGRESS
        write.tell(RequestEvent.FIRST_RESPONSE)


def checked_comment(text: Any, *, required: bool = False, field: str = "comment") -> str:
    """The comment as text ("" for an empty one). Raises InvalidInput naming the field."""
    if is_blank(text):
        if required:
            raise InvalidInput({field: ["Please say why."]})
        return ""
    problem = text_problem(text, max_length=COMMENT_LENGTH)
    if problem:
        raise InvalidInput({field: [problem]})
    return str(text)


def _demand(request: Request, *states: str) -> None:
    if request.status not in states:
        raise TransitionNotAllowed(
            f"The request is {RequestStatus(request.status).label.lower()}; that is not possible."
        )


def _form(item: CatalogItem) -> FormVersion:
    form = current_form(item)
    if form is None:
        raise Misconfigured(f"The form {item.form_key!r} of {item.name} does not exist.")
    return form


def _check(wish: Wish, item: CatalogItem, form: FormVersion, *, actor: User, partial: bool) -> dict[str, Any]:
    """The wish as columns. Raises InvalidInput with the problems of all fields at once."""
    errors: dict[str, list[str]] = {}
    title = item.name if is_blank(wish.title) else wish.title
    if problem := text_problem(title, max_length=TITLE_LENGTH):
        errors["title"] = [problem]
    for name in ("impact", "urgency"):
        if getattr(wish, name) not in Level.values:
            errors[name] = [f"This must be one of {', '.join(Level.values)}."]
    data: dict[str, Any] = {}
    try:
        data = form_of(form.pk).accept({} if wish.data is None else wish.data, partial=partial)
    except InvalidInput as refused:
        errors |= refused.errors
    if wish.tags is not None and (problem := _tags_problem(wish.tags)):
        errors["tags"] = [problem]
    if errors:
        raise InvalidInput(errors)
    priority = priority_of(wish.impact, wish.urgency)
    columns = {"title": title, "data": data, "impact": wish.impact, "urgency": wish.urgency, "priority": priority}
    return columns if wish.tags is None else {**columns, "tags": list(dict.fromkeys(wish.tags))}


def _tags_problem(tags: Any) -> str | None:
    if not isinstance(tags, list) or len(tags) > MOST_TAGS or any(is_blank(tag) for tag in tags):
        return f"This must be a list of at most {MOST_TAGS} words."
    return next((problem for tag in tags if (problem := text_problem(tag, max_length=TAG_LENGTH))), None)
