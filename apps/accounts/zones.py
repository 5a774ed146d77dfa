"""The time zone in which somebody reads."""

from __future__ import annotations

import zoneinfo

from apps.accounts.models import User


def zone_of(user: User) -> zoneinfo.ZoneInfo | None:
    """The person's zone; None where it is unknown, then the site's counts."""
    try:
        return zoneinfo.ZoneInfo(user.time_zone) if user.time_zone else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None
