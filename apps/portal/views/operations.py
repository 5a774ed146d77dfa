"""What operators do about incidents, and what those who work on an open-ended step do about its instances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.core.errors import InvalidInput, NotVisible
from apps.core.text import text_problem
from apps.portal.once import once
from apps.portal.pages import page, reader_of
from apps.portal.repairs import TRIES_AGAIN
from apps.portal.views.moves import move
from apps.requests.models import Request
from apps.requests.selectors import get_request_for
from apps.requests.selectors.incidents import get_incident_for
from apps.requests.services import operations

LONGEST_ID = 18
LONGEST_ITEM = 500


def _once(request: HttpRequest, number: str, act: Callable[[], object], *, form: str, done: str) -> HttpResponse:
    """A move that is done at most once for each showing of its form."""

    def work() -> str:
        act()
        return form

    given = request.POST.get("form_token", "")
    token = f"{given}:{request.path.split('/')[-2]}:{form}" if given else ""
    return move(request, number, lambda: once(request, token, work), form=form, done=done)


def number_sent(request: HttpRequest, name: str) -> int:
    """The number that a page's own form sends; 0, which nothing has, for anything else."""
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_ID else 0


@page
def retry(request: HttpRequest, number: str, pk: int) -> HttpResponse:
    """Tries again what an incident stopped."""
    reader = reader_of(request)
    incident = get_incident_for(reader, pk)
    if incident.stream.request.number != number:
        raise NotVisible
    reason = request.POST.get("reason", "")
    return _once(
        request,
        number,
        lambda: operations.retry_incident(incident, reason=reason, actor=reader),
        form=f"retry-{pk}",
        done="It was tried again." if incident.kind in TRIES_AGAIN else "The call for an operator is closed.",
    )


@page
def skip(request: HttpRequest, number: str, run: int) -> HttpResponse:
    """Lets a step in incident go on as if it had ended."""
    visit, instance = number_sent(request, "visit"), request.POST.get("instance", "")
    given = {
        "visit": visit,
        "instance": number_sent(request, "instance") if instance else None,
        "outcome": request.POST.get("outcome") or None,
    }
    done = "The step was skipped."
    return _repair(request, number, run, operations.skip_step, given, form=f"skip-{run}-{visit}", done=done)


@page
def move_on(request: HttpRequest, number: str, run: int) -> HttpResponse:
    """Takes a token to another step."""
    given = {"token": number_sent(request, "token"), "to": request.POST.get("to", "")}
    form, done = f"move-{run}-{given['token']}", "It was moved."
    return _repair(request, number, run, operations.move_token, given, form=form, done=done)


@page
def withdraw(request: HttpRequest, number: str, run: int) -> HttpResponse:
    """Takes one open step back."""
    given = {"visit": number_sent(request, "visit")}
    form, done = f"withdraw-{run}-{given['visit']}", "The step was taken back."
    return _repair(request, number, run, operations.cancel_visit, given, form=form, done=done)


def _repair(
    request: HttpRequest,
    number: str,
    run: int,
    service: Callable[..., Request],
    given: Mapping[str, object],
    *,
    form: str,
    done: str,
) -> HttpResponse:
    reader, reason = reader_of(request), request.POST.get("reason", "")
    found = get_request_for(reader, number)
    return _once(
        request,
        number,
        lambda: service(found, run=run, reason=reason, actor=reader, **given),
        form=form,
        done=done,
    )


@page
def add(request: HttpRequest, number: str, run: int) -> HttpResponse:
    """One more of an open-ended step."""
    item = request.POST.get("item", "").strip() or None

    def add_checked(found: Request, **given: Any) -> Request:
        if item and (problem := text_problem(item, max_length=LONGEST_ITEM)):
            raise InvalidInput({"item": [problem]})
        return operations.add_instance(found, item=item, **given)

    return _of_instances(request, number, run, add_checked, done="One more was added.")


@page
def close(request: HttpRequest, number: str, run: int) -> HttpResponse:
    """No more of an open-ended step."""
    return _of_instances(request, number, run, operations.close_instances, done="No more can be added.")


@page
def finish(request: HttpRequest, number: str, run: int) -> HttpResponse:
    """Ends an open-ended step with what is done."""
    return _of_instances(request, number, run, operations.finish_instances, done="The step is finished.")


def _of_instances(
    request: HttpRequest, number: str, run: int, service: Callable[..., Request], *, done: str
) -> HttpResponse:
    reader, visit = reader_of(request), number_sent(request, "visit")
    found = get_request_for(reader, number)
    return _once(
        request,
        number,
        lambda: service(found, run=run, visit=visit, actor=reader),
        form=f"instances-{run}-{visit}",
        done=done,
    )
