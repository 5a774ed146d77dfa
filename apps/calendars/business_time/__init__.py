"""Business time: when a calendar is open, and arithmetic on the seconds for which it is. Pure.

Conventions:
- instants are aware (what comes back is in UTC) and arithmetic is on elapsed seconds, exact to the microsecond;
- an ambiguous wall time is its first occurrence, a missing one moves forward by the gap; a window that is thereby
  empty or inverted is not there on that date, and a date the zone skipped has no windows at all;
- a window belongs to the date on which it opens and runs on into the next ("22:00-06:00", "18:00-26:00"); an override
  replaces the windows that open on its date;
- breaks, and holidays from their midnight to their midnight, are cut out of whatever is open, overrides included;
- opening instants are open, closing instants are not; what ends exactly at closing time is due at closing time, counted
  backwards it is due at opening time; zero seconds from a closed instant is the next opening, counted backwards, from
  an opening too, the closing before.

Cost: the weeks are laid end to end in a spine with running sums, built as far as it was asked for and kept with the
calendar; a week without exception or clock change shares one pattern. Every question is then a few binary searches.
"""

from apps.calendars.business_time.questions import (
    Calendar,
    Span,
    add,
    add_days,
    between,
    explain,
    is_open,
    next_close,
    next_open,
    open_intervals,
    previous_close,
    previous_open,
    previous_opening,
    wall_to_instant,
)

__all__ = [
    "Calendar",
    "Span",
    "add",
    "add_days",
    "between",
    "explain",
    "is_open",
    "next_close",
    "next_open",
    "open_intervals",
    "previous_close",
    "previous_open",
    "previous_opening",
    "wall_to_instant",
]
