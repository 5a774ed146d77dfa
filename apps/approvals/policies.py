"""May this person answer here?"""

from __future__ import annotations

from collections.abc import Sequence

from apps.accounts.models import User
from apps.approvals.models import Seat
from apps.core.errors import AlreadyDecided, NotPermitted


def seat_of(user: User, seats: Sequence[Seat], *, approval_id: int) -> Seat:
    """The seat of the open level that is this person's.

    Raises AlreadyDecided for somebody of an earlier level, NotPermitted for everybody else, superusers included.
    """
    for seat in seats:
        if seat.user_id == user.pk:
            return seat
    if Seat.objects.filter(level__approval_id=approval_id, user=user).exists():
        raise AlreadyDecided("You were asked at an earlier level, which is closed.")
    raise NotPermitted("You were not asked to decide on this.")
