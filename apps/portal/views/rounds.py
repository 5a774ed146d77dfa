"""The buttons of approvals: an answer, and what some people may change about a round."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_post_parameters

from apps.accounts.models import User
from apps.accounts.throttle import wait_before_password
from apps.approvals.models import Approval
from apps.core.errors import InvalidInput
from apps.portal.once import once
from apps.portal.pages import page, reader_of
from apps.portal.request_page import Attempt
from apps.portal.rounds import SAID
from apps.portal.views.moves import move
from apps.portal.views.operations import number_sent
from apps.portal.views.requests import request_page
from apps.requests.selectors import approval_for
from apps.requests.selectors.people import person_named
from apps.requests.services import rounds
from apps.requests.services.decisions import record_decision

TOO_MANY = "There were too many attempts with a password. Wait a minute, then try again."


@sensitive_post_parameters("password")
@page
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """The reader's answer on the seat that the form was for, once for each showing of it."""
    reader, approval = reader_of(request), approval_for(reader_of(request), pk)
    number, form = approval.stream.request.number, f"approval-{pk}"
    verdict, comment, password = (request.POST.get(name, "") for name in ("decision", "comment", "password"))
    if password and (wait := wait_before_password(request, reader)):
        tried = Attempt(form=form, values={"comment": comment})
        answer = request_page(request, number, attempt=tried, alert=TOO_MANY, status=429)
        answer.headers["Retry-After"] = str(wait)
        return answer

    def answered() -> str:
        seat = number_sent(request, "seat") or None
        record_decision(approval, verdict=verdict, comment=comment, password=password, seat=seat, actor=reader)
        return verdict

    done = SAID.get(verdict, "Your answer is recorded.")
    return move(request, number, lambda: once(request, _token(request, form), answered), form=form, done=done)


@page
def take_back(request: HttpRequest, pk: int) -> HttpResponse:
    """The requester takes a round back."""
    return _change(request, pk, rounds.withdraw_round, form=f"take-back-{pk}", done="The approval was taken back.")


@page
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """The chair ends the vote."""
    return _change(request, pk, rounds.close_vote, form=f"close-vote-{pk}", done="The vote is closed.")


@page
def add(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks one more person."""

    def service(approval: Approval, *, reason: str, actor: User) -> Approval:
        return rounds.add_approver(approval, _person(request), reason=reason, actor=actor)

    return _change(request, pk, service, form=f"add-approver-{pk}", done="One more person is asked.")


@page
def give(request: HttpRequest, pk: int) -> HttpResponse:
    """Gives a seat, the reader's own or another one, to somebody else."""
    seat = number_sent(request, "seat")
    own = request.POST.get("own") == "yes"

    def service(approval: Approval, *, reason: str, actor: User) -> Approval:
        return rounds.reassign(approval, seat, _person(request), reason=reason, actor=actor)

    form = f"give-{seat}" if own else f"reassign-{pk}"
    return _change(request, pk, service, form=form, done="The seat is given to somebody else.")


@page
def override(request: HttpRequest, pk: int) -> HttpResponse:
    """An administrator ends the round over the heads of those who were asked; it wants to be confirmed."""

    def service(approval: Approval, *, reason: str, actor: User) -> Approval:
        if request.POST.get("confirmed") != "on":
            raise InvalidInput({"confirmed": ["Please confirm that you decide over their heads."]})
        return rounds.override(approval, verdict=request.POST.get("decision", ""), reason=reason, actor=actor)

    return _change(request, pk, service, form=f"override-{pk}", done="The approval was overridden.")


def _change(request: HttpRequest, pk: int, service: Callable[..., Approval], *, form: str, done: str) -> HttpResponse:
    reader, reason = reader_of(request), request.POST.get("comment", "")
    approval = approval_for(reader, pk)

    def changed() -> str:
        service(approval, reason=reason, actor=reader)
        return form

    number = approval.stream.request.number
    return move(request, number, lambda: once(request, _token(request, form), changed), form=form, done=done)


def _token(request: HttpRequest, form: str) -> str:
    """The token of this showing of this form, with what was chosen in it; "" if the page sent none."""
    sent = [request.POST.get(name, "") for name in ("form_token", "decision", "seat", "user")]
    return sha256("\0".join([form, *sent]).encode("utf-8", "replace")).hexdigest() if sent[0] else ""


def _person(request: HttpRequest) -> User:
    """Whom the form names by their user name. Raises InvalidInput where there is no such active person."""
    found = person_named(request.POST.get("user", "").strip())
    if found is None:
        raise InvalidInput({"user": ["There is no active person with this user name."]})
    return found
