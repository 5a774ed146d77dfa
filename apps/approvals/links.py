"""Links by which an approval is answered from an e-mail: signed, for one seat of one level, until a time.

A link is no more than its seat: it is dead once that has its answer, was given up, or may not be answered any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.core.signing import BadSignature, Signer

from apps.approvals.enums import ApprovalStatus
from apps.approvals.models import Seat
from apps.approvals.policies import has_answer
from apps.approvals.selectors import with_standing
from apps.core.errors import Conflict, NotVisible

PREFIX = "/answer/"
LONGEST = 200


class BrokenLink(NotVisible):
    """A part of this link is missing or was changed, or it was never one of ours."""

    code = "broken_link"


class DeadLink(Conflict):
    """This link cannot be used any more."""

    code = "dead_link"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a link is for."""

    seat: int
    level: int
    until: datetime


def link_path(*, seat: int, level: int, until: datetime) -> str:
    """The path of the seat's link, the same for the same seat and time (whole seconds count)."""
    return f"{PREFIX}{_signer().sign(f'{seat}-{level}-{int(until.timestamp())}')}/"


def read_token(token: str) -> Claim:
    """What a token was signed for. Raises BrokenLink for every other text; says nothing of what exists."""
    if len(token) > LONGEST:
        raise BrokenLink
    try:
        seat, level, until = map(int, _signer().unsign(token).split("-"))
    except (BadSignature, ValueError):
        raise BrokenLink from None
    return Claim(seat=seat, level=level, until=datetime.fromtimestamp(until, UTC))


def seat_asked(token: str, *, at: datetime) -> Seat:
    """The seat that a link asks, with its approval, request and people, as long as its answer is waited for.

    Raises BrokenLink, and DeadLink saying why: too old, answered, given to somebody else, its level or round decided,
    its person no longer there or in the role or team that was asked.
    """
    claim = read_token(token)
    if at >= claim.until:
        raise DeadLink("This link is too old.")
    seats = with_standing(Seat.objects.filter(pk=claim.seat, level_id=claim.level)).select_related(
        "decision",
        "user",
        "principal",
        "level__approval__visit__run",
        "level__approval__stream__request__item",
        "level__approval__stream__request__requester",
        "level__approval__stream__request__requested_for",
    )
    seat = seats.first()
    if seat is None:
        raise BrokenLink
    if why := _why_dead(seat):
        raise DeadLink(why)
    return seat


def _why_dead(seat: Seat) -> str | None:
    approval = seat.level.approval
    if has_answer(seat):
        return "This was answered already; an answer cannot be changed."
    if seat.left_at is not None:
        return "Somebody else is asked instead of you now."
    if approval.status != ApprovalStatus.PENDING or approval.level != seat.level.index:
        return "This was decided without your answer, or taken back."
    if not seat.user.is_active or not seat.stands:  # type: ignore[attr-defined]  # annotated by with_standing
        return "You are not in the role or team any more that was asked."
    return None


def _signer() -> Signer:
    return Signer(sep=".", salt="apps.approvals.links")
