"""Clocks measured anew by a rebase: what becomes of those that are there, and which there would be besides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from apps.outbox.publish import NewEvent
from apps.sla import clock
from apps.sla.clock import ClockEvent, ClockState, Context, Crossing, Target
from apps.sla.clock.context import is_retroactive
from apps.sla.enums import ClockStatus, SlaEvent
from apps.sla.models import SlaClock
from apps.sla.selectors import CALENDARS, policy_of, state_told, target_of
from apps.sla.stored import crossings_of, event_of, state_of

ENDS = {ClockStatus.MET: SlaEvent.MET, ClockStatus.VOID: SlaEvent.VOIDED}


def begins_clocks(event: ClockEvent) -> bool:
    """Whether clocks may begin by it that were never there: where it says that a policy had always been in force."""
    return is_retroactive(event) and bool(event.data.get("policy"))


def measured_anew(
    row: SlaClock, context: Context, event: ClockEvent, past: Sequence[ClockEvent] | None
) -> tuple[ClockState, tuple[Crossing, ...], bool]:
    """A live clock after the rebase that `event` tells of: its state, what it has newly behind it, and whether it is
    dropped, because the policy does not measure it any more (its row keeps the version it ran under).

    `context` is that after the event; `past` are all events up to it where the rebase is retroactive, else None. Raises
    InvalidInput where the new version cannot measure it.
    """
    assert context.policy is not None
    was, target = target_of(row), policy_of(context.policy).target(row.target)
    if target is not None and past is None:
        return *clock.advance(state_of(row), target, context, CALENDARS, event, was=was), False
    state = state_told(target, past, event.at) if target is not None and past is not None else None
    if state is not None:
        return state, newly_crossed(state_of(row), state, target or was, event.at), False
    state, crossings = clock.check(state_of(row), was, CALENDARS, event.at)
    return clock.dropped(state, was, CALENDARS, event.at), crossings, True


def newly_begun(
    context: Context, event: ClockEvent, past: Sequence[ClockEvent], rows: Iterable[SlaClock]
) -> list[tuple[Target, ClockState]]:
    """The clocks that no row keeps and that there would be, had the policy always been in force (`begins_clocks`): the
    latest of each target, live, met or breached.

    `rows` are all clocks of the request as they were before. One that had stopped is left alone, whatever it would be
    by the new rules; one that by the new rules still runs begins beside it. Raises as `measured_anew`.
    """
    assert context.policy is not None
    known = list(rows)
    live = {row.target for row in known if row.stopped_at is None}
    kept = {row.target for row in known if row.stopped_at is not None and row.status != ClockStatus.VOID}
    found = []
    for target in policy_of(context.policy).targets:
        state = state_told(target, past, event.at) if target.id not in live else None
        if state is None or state.status == ClockStatus.VOID:
            continue
        if state.is_live or target.id not in kept:
            found.append((target, state))
    return found


def newly_crossed(before: ClockState | None, state: ClockState, target: Target, at: datetime) -> tuple[Crossing, ...]:
    """What a clock that is measured anew has behind it now and had not before: of one that is over its breach only, as
    a warning or an escalation would come for something that is done.
    """
    breached = before is not None and before.status == ClockStatus.BREACHED
    found = []
    if state.breached_at is not None and not breached:
        found.append(Crossing(kind="breached", at=state.breached_at))
    if not state.is_live:
        return tuple(found)
    warned, escalated = (before.warned, before.escalated) if before is not None else ((), ())
    warnings = [Crossing(kind="warned", at=at, percent=percent) for percent in state.warned if percent not in warned]
    new = [one for one in target.escalations if one.id in state.escalated and one.id not in escalated]
    return (*warnings, *found, *(Crossing(kind="escalated", at=at, escalation=one) for one in new))


def ended(row: SlaClock, state: ClockState, at: datetime) -> list[NewEvent]:
    """What is told of a clock of which it turns out, at `at`, that it was met or void; nothing of others."""
    kind = ENDS.get(ClockStatus(state.status)) if not state.is_live else None
    return [event_of(kind, row, at)] if kind else []


def told_of_begun(row: SlaClock, target: Target, at: datetime) -> list[NewEvent]:
    """What is told of a clock that a rebase has begun: that it started, what it has behind it, and its end."""
    state = state_of(row)
    crossings = crossings_of(row, newly_crossed(None, state, target, at))
    return [event_of(SlaEvent.STARTED, row, at), *crossings, *ended(row, state, at)]
