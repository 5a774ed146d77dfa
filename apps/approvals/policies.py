"""May this person answer here?"""

from __future__ import annotations

from collections.abc import Sequence

from apps.accounts.models import User
from apps.approvals.models import Seat
from apps.core.errors import AlreadyDecided, NotPermitted


def seat_of(user: User, seats: Sequence[Seat], *, approval_id: int) -> Seat:
    """The seat of the open level that is this person's: one that waits for an answer before one that has it.

    Raises AlreadyDecided for somebody of an earlier level or whose seat went to somebody else, NotPermitted for
    everybody else, superusers included.
    """
    mine = [seat for seat in seats if seat.user_id == user.pk]
    for seat in sorted(mine, key=lambda one: (has_answer(one), -one.decides)):
        return seat
    before = Seat.objects.filter(level__approval_id=approval_id, user=user).select_related("level").last()
    if before is None:
        raise NotPermitted("You were not asked to decide on this.")
    if before.left_at is not None:
        raise AlreadyDecided("Your seat was given to somebody else.")
    raise AlreadyDecided("You were asked at an earlier level, which is closed.")


def has_answer(seat: Seat) -> bool:
    return getattr(seat, "decision", None) is not None
