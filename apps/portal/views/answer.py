"""Answering an approval by the link of an e-mail: opening it shows what is asked, only sending the form decides."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import decorator_from_middleware
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from apps.accounts.throttle import wait_before_link
from apps.accounts.zones import zone_of
from apps.approvals.enums import Verdict
from apps.approvals.links import BrokenLink, DeadLink, seat_asked
from apps.approvals.models import Seat
from apps.core import clock
from apps.core.errors import AlreadyDecided, Conflict, InvalidInput, Misconfigured, NotPermitted
from apps.portal.request_page import Attempt, rows_of
from apps.portal.rounds import SAID, decision_box
from apps.requests.selectors.rounds import levels_of, with_round_parts
from apps.requests.services.decisions import record_decision

BROKEN = "This link does not work"
DEAD = "This link cannot be used any more"
TOO_MANY = "There were too many visits from your network. Wait a minute, then try again."
SIGNED = "This answer is signed with your password, so it is given in the portal."


class OwnToken(CsrfViewMiddleware):
    """The form's token alone: a page that is `no-referrer` sends its own form with `Origin: null` and no `Referer`."""

    def _origin_verified(self, request: HttpRequest) -> bool:
        if request.META["HTTP_ORIGIN"] == "null":
            return True
        return bool(super()._origin_verified(request))  # type: ignore[misc]  # Django's own, missing in its types

    def _check_referer(self, request: HttpRequest) -> None:
        return


def kept_to_itself(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The address is the right to answer: it is told to no other page, stored nowhere and found by no search."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> HttpResponseBase:
        answer = view(*args, **kwargs)
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["X-Robots-Tag"] = "noindex, nofollow"
        return answer

    return csrf_exempt(never_cache(guarded))


@kept_to_itself
@decorator_from_middleware(OwnToken)
@require_http_methods(["GET", "HEAD", "POST"])
def by_link(request: HttpRequest, token: str) -> HttpResponse:
    """Shows what the link's seat is asked, and records its answer (POST). A link that is none says nothing of anything.

    404: no link of ours; 410: dead; 403: somebody else is logged in here, or the answer needs a password; 429.
    """
    if wait := wait_before_link(request):
        answer = _closed(request, "Too many visits", TOO_MANY, status=429)
        answer.headers["Retry-After"] = str(wait)
        return answer
    try:
        seat = seat_asked(token, at=clock.now())
    except BrokenLink as refusal:
        return _closed(request, BROKEN, refusal.detail, status=404)
    except DeadLink as refusal:
        return _closed(request, DEAD, refusal.detail, status=410)
    if request.user.is_authenticated and request.user.pk != seat.user_id:
        why = f"You are logged in as {request.user}, and this link is somebody else's. Log out first if it is yours."
        return _closed(request, "This link is not yours", why, status=403)
    with timezone.override(zone_of(seat.user)):
        return _decide(request, seat, token) if request.method == "POST" else _show(request, seat)


def _decide(request: HttpRequest, seat: Seat, token: str) -> HttpResponse:
    verdict, comment = request.POST.get("decision", ""), request.POST.get("comment", "")
    approval = seat.level.approval
    tried = Attempt(form=f"approval-{approval.pk}", values={"comment": comment})
    if _is_signed(seat):
        return _show(request, seat, tried=tried, alert=f"{SIGNED} Nothing was recorded.", status=403)
    try:
        with transaction.atomic():
            record_decision(approval, verdict=verdict, comment=comment, seat=seat.pk, actor=seat.user)
    except InvalidInput as refusal:
        return _show(
            request, seat, tried=Attempt(form=tried.form, values=tried.values, errors=refusal.errors), status=400
        )
    except AlreadyDecided:
        return _closed(request, DEAD, _why_dead(token), status=410)
    except (Conflict, Misconfigured) as refusal:
        return _show(request, seat, tried=tried, alert=refusal.detail, status=409)
    except NotPermitted as refusal:
        return _show(request, seat, tried=tried, alert=refusal.detail, status=403)
    shown = {"said": SAID[Verdict(verdict)], "asked": approval.stream.request}
    return render(request, "portal/answer_done.html", shown)


def _why_dead(token: str) -> str:
    """Why the link died while its form was being sent."""
    try:
        seat_asked(token, at=clock.now())
    except DeadLink as refusal:
        return refusal.detail
    raise PermissionDenied


def _show(
    request: HttpRequest, seat: Seat, *, tried: Attempt | None = None, alert: str = "", status: int = 200
) -> HttpResponse:
    approval = with_round_parts(seat.level.approval)
    asked = approval.stream.request
    level = next(one for one in levels_of(approval) if one.row.pk == seat.level_id)
    shown = {
        "asked": asked,
        "box": decision_box(seat, level),
        "values": rows_of(asked),
        "mine": tried or Attempt(),
        "alert": alert,
        "signed_in_portal": SIGNED,
    }
    return render(request, "portal/answer.html", shown, status=status)


def _is_signed(seat: Seat) -> bool:
    levels = levels_of(with_round_parts(seat.level.approval))
    return any(one.level.meaning for one in levels if one.row.pk == seat.level_id)


def _closed(request: HttpRequest, title: str, why: str, *, status: int) -> HttpResponse:
    """A page that says why the link has no effect, and nothing of any request."""
    return render(request, "portal/answer_closed.html", {"title": title, "why": why}, status=status)
