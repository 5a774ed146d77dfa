"""Which names are time zones that people may choose. Pure."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import available_timezones

# what lies beside the zones of the IANA database: this machine's own zone, rules of POSIX, a placeholder
NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})
OTHER_COUNTS = (
    "posix/",
    "right/",
)  # the same zones again; those of `right` count leap seconds, which no clock here does


def is_zone(name: object) -> bool:
    """Whether it is a zone of the IANA database, or another name of one (US/Eastern, Asia/Calcutta, Etc/UTC)."""
    return isinstance(name, str) and name in _zones()


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(name for name in available_timezones() - NO_ZONES if not name.startswith(OTHER_COUNTS))
