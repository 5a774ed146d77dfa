"""What waits for the reader: answers, one by one or several at once, and work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from apps.accounts.models import User
from apps.approvals.enums import Verdict
from apps.approvals.models import Decision, Seat
from apps.core.errors import AlreadyDecided, DomainError, InvalidInput
from apps.outbox.selectors import feed_position
from apps.portal.pages import page, reader_of
from apps.portal.rounds import DecisionBox, decision_box
from apps.requests.selectors import tasks_for, waiting_approvals
from apps.requests.selectors.progress import next_clocks
from apps.requests.selectors.rounds import levels_of, round_parts
from apps.requests.selectors.work import seats_of
from apps.requests.services.decisions import record_decision

MOST_SHOWN = 100
SEVERAL = (Verdict.APPROVE, Verdict.REJECT)
DONE = {Verdict.APPROVE: "approved", Verdict.REJECT: "rejected"}


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What became of one of several answers."""

    seat: Seat
    went_through: bool
    why: str


def waiting_for_reader(reader: User, *, most: int = MOST_SHOWN) -> dict[str, Any]:
    """The newest approvals and tasks that wait for somebody, each with the clock of its request; three statements."""
    return _waiting(list(waiting_approvals(reader)[:most]), reader, most)


def _waiting(seats: Sequence[Seat], reader: User, most: int) -> dict[str, Any]:
    tasks = list(tasks_for(reader)[:most])
    streams = [seat.level.approval.stream_id for seat in seats] + [task.stream_id for task in tasks]
    clocks = next_clocks(streams, reader=reader) if streams else {}
    return {
        "approvals": [{"seat": seat, "clock": clocks.get(seat.level.approval.stream_id)} for seat in seats],
        "tasks": [{"task": task, "clock": clocks.get(task.stream_id)} for task in tasks],
        "full": max(len(seats), len(tasks)) == most,
    }


@page
@require_safe
def show(request: HttpRequest) -> HttpResponse:
    return _inbox(request)


@page
def decide(request: HttpRequest) -> HttpResponse:
    """Gives the same answer on several seats of the reader, each judged by itself, and says what became of each.

    An answer that was given already in the same words counts as gone through, so sending it twice does no harm.
    """
    if request.method != "POST":
        return redirect("portal:inbox")
    reader, verdict, comment = reader_of(request), request.POST.get("decision", ""), request.POST.get("comment", "")
    ticked = [int(pk) for pk in request.POST.getlist("seat")[:MOST_SHOWN] if _is_id(pk)]
    if verdict not in SEVERAL or not ticked:
        what = "Choose whether to approve or to reject." if ticked else "Tick at least one approval."
        return _inbox(request, ticked=ticked, alert=what, status=400)
    results = [_answer(seat, verdict=verdict, comment=comment, reader=reader) for seat in seats_of(reader, ticked)]
    missed = [one for one in results if not one.went_through]
    shown = {
        "went_through": [one for one in results if one.went_through],
        "missed": missed,
        "verb": DONE[Verdict(verdict)],
    }
    kept = [one.seat.pk for one in missed]
    return _inbox(request, ticked=kept, comment=comment if missed else "", results=shown)


def _answer(seat: Seat, *, verdict: str, comment: str, reader: User) -> Answered:
    try:
        with transaction.atomic():
            record_decision(seat.level.approval, verdict=verdict, comment=comment, seat=seat.pk, actor=reader)
    except AlreadyDecided as refusal:
        given = Decision.objects.filter(seat=seat, by=reader, verdict=verdict).exists()
        return Answered(seat=seat, went_through=given, why="" if given else refusal.detail)
    except InvalidInput as refusal:
        why = " ".join(text for texts in refusal.errors.values() for text in texts)
        return Answered(seat=seat, went_through=False, why=why)
    except DomainError as refusal:
        return Answered(seat=seat, went_through=False, why=refusal.detail)
    return Answered(seat=seat, went_through=True, why="")


def _inbox(
    request: HttpRequest,
    *,
    ticked: Sequence[int] = (),
    comment: str = "",
    alert: str = "",
    results: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The inbox as it is now, with what was ticked and written and did not go through."""
    after, reader = feed_position(), reader_of(request)
    seats = list(waiting_approvals(reader).prefetch_related(*round_parts("level__approval__"))[:MOST_SHOWN])
    shown = _waiting(seats, reader, MOST_SHOWN)
    for one in shown["approvals"]:
        one["box"] = _box(one["seat"])
    together = [one["box"] for one in shown["approvals"] if not one["box"].meaning]
    more = {
        "after": after,
        "ticked": ticked,
        "comment": comment,
        "alert": alert,
        "results": results,
        "together": len(together) > 1,
        "comment_needed": any(box.comment_required for box in together),
    }
    return render(request, "portal/inbox.html", shown | more, status=status)


def _box(seat: Seat) -> DecisionBox:
    levels = levels_of(seat.level.approval)
    return decision_box(seat, next(one for one in levels if one.row.pk == seat.level_id))


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19
