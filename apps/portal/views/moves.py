"""The buttons: each finds its object, calls one service, and answers with the page as it is then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from apps.core.errors import Conflict, InvalidInput, Misconfigured
from apps.portal.forms import entered
from apps.portal.once import once
from apps.portal.pages import page, reader_of
from apps.portal.request_page import Attempt
from apps.portal.views.requests import request_page
from apps.requests.models import Request
from apps.requests.selectors import get_request_for, get_task_for
from apps.requests.selectors.progress import form_asked_by
from apps.requests.services import lifecycle
from apps.requests.services.comments import add_comment
from apps.requests.services.work import claim_task, complete_task, release_task
from apps.workflows.models import Task

STANDS = "What you see below is how it stands now."


def move(request: HttpRequest, number: str, act: Callable[[], object], *, form: str, done: str) -> HttpResponse:
    """Does it in one transaction and leads back to the request.

    Unfit input comes back beside its field (400), an impossible move as an alert over the present state (409); both
    keep what was entered.
    """
    if request.method != "POST":
        return redirect("portal:request", number=number)
    try:
        with transaction.atomic():
            act()
    except InvalidInput as refusal:
        return request_page(request, number, attempt=_attempt(request, form, refusal), status=400)
    except (Conflict, Misconfigured) as refusal:
        alert = f"{refusal.detail} {STANDS}"
        return request_page(request, number, attempt=_attempt(request, form), alert=alert, status=409)
    messages.success(request, done)
    return redirect("portal:request", number=number)


def _attempt(request: HttpRequest, form: str, refusal: InvalidInput | None = None) -> Attempt:
    values = {name: value for name, value in request.POST.items() if isinstance(value, str) and name != "password"}
    return Attempt(form=form, values=values, errors=refusal.errors if refusal else {})


def _comment(request: HttpRequest) -> str:
    return request.POST.get("comment", "")


@page
def submit(request: HttpRequest, number: str) -> HttpResponse:
    """Hands a draft in; what its form still lacks is shown in the form."""
    found = get_request_for(reader_of(request), number)

    def act() -> None:
        try:
            lifecycle.submit_request(found, actor=reader_of(request))
        except InvalidInput as refusal:
            raise Conflict("The form is not complete yet. Choose “Edit the draft” and hand it in there.") from refusal

    return move(request, number, act, form="submit", done=f"{number} is handed in.")


@page
def cancel(request: HttpRequest, number: str) -> HttpResponse:
    found = get_request_for(reader_of(request), number)
    reason, reader = _comment(request), reader_of(request)
    return move(
        request,
        number,
        lambda: lifecycle.cancel_request(found, reason=reason, actor=reader),
        form="cancel",
        done=f"{number} is cancelled.",
    )


def _with_reason(
    request: HttpRequest, number: str, service: Callable[..., Request], *, form: str, done: str
) -> HttpResponse:
    found = get_request_for(reader_of(request), number)
    reason, reader = _comment(request), reader_of(request)
    return move(request, number, lambda: service(found, reason=reason, actor=reader), form=form, done=done)


@page
def hold(request: HttpRequest, number: str) -> HttpResponse:
    return _with_reason(request, number, lifecycle.hold_request, form="hold", done=f"{number} is on hold.")


@page
def reopen(request: HttpRequest, number: str) -> HttpResponse:
    return _with_reason(request, number, lifecycle.reopen_request, form="reopen", done=f"{number} is open again.")


@page
def resume(request: HttpRequest, number: str) -> HttpResponse:
    found = get_request_for(reader_of(request), number)
    reader = reader_of(request)
    return move(
        request,
        number,
        lambda: lifecycle.resume_request(found, actor=reader),
        form="resume",
        done=f"{number} is taken up again.",
    )


@page
def comment(request: HttpRequest, number: str) -> HttpResponse:
    """Adds a comment, at most once for each showing of the form."""
    found = get_request_for(reader_of(request), number)
    internal, text = request.POST.get("internal") == "on", request.POST.get("text", "")

    def write() -> str:
        return str(add_comment(found, text=text, internal=internal, actor=reader_of(request)).pk)

    token = request.POST.get("form_token", "")
    done = "Your note is added." if internal else "Your comment is added."
    return move(request, number, lambda: once(request, token, write), form="comment", done=done)


# tasks


def _task_move(
    request: HttpRequest, pk: int, service: Callable[[Task], object], done: Callable[[Task], str]
) -> HttpResponse:
    task = get_task_for(reader_of(request), pk)
    number = task.stream.request.number
    return move(request, number, lambda: service(task), form=f"task-{pk}", done=done(task))


@page
def claim(request: HttpRequest, pk: int) -> HttpResponse:
    reader = reader_of(request)
    return _task_move(
        request, pk, lambda task: claim_task(task, actor=reader), lambda task: f"You are working on “{task.name}”."
    )


@page
def release(request: HttpRequest, pk: int) -> HttpResponse:
    reader = reader_of(request)
    return _task_move(
        request, pk, lambda task: release_task(task, actor=reader), lambda task: f"You gave “{task.name}” back."
    )


@page
def complete(request: HttpRequest, pk: int) -> HttpResponse:
    reader = reader_of(request)
    outcome, text = request.POST.get("outcome", ""), _comment(request)
    return _task_move(
        request,
        pk,
        lambda task: complete_task(task, outcome=outcome, data=_data(request, task), comment=text, actor=reader),
        lambda task: f"You finished “{task.name}”.",
    )


def _data(request: HttpRequest, task: Task) -> dict[str, Any] | None:
    """The values of the form that the task asks for; None if it asks for none."""
    form = form_asked_by(task)
    return entered(form, request.POST.dict()) if form else None
