"""May this person answer here?"""

from __future__ import annotations

from collections.abc import Sequence

from apps.accounts.models import User
from apps.approvals.models import Seat
from apps.core.errors import NotPermitted


def seat_of(user: User, seats: Sequence[Seat]) -> Seat:
    """The seat this person may decide on. Raises NotPermitted for somebody who was not asked, superusers included."""
    for seat in seats:
        if seat.user_id == user.pk:
            return seat
    raise NotPermitted("You were not asked to decide on this.")
