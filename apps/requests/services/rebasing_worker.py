"""The worker of a rebase: goes on with looks and changes that wait, request by request.

A worker that dies leaves its place to the next one, a minute later; whatever it had committed stays and is not done
again. A request that cannot be measured by the new versions is left out: the look names it, the change opens an
incident.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError, transaction
from django.db.models import F, Q

from apps.core import clock
from apps.outbox.incidents import open_incident
from apps.outbox.publish import lock_streams, publish
from apps.requests.enums import RebasingStatus
from apps.requests.models import Rebasing, Request
from apps.requests.services.rebasing import Rebase, affected, apply_to
from apps.requests.services.rebasing_look import Moved, Preview, chunks, preview_of, reason_of

log = structlog.get_logger(__name__)
LEASE = timedelta(minutes=1)
MOST_SHOWN = 200
UNFINISHED = (RebasingStatus.LOOKING, RebasingStatus.CHANGING)


def rebase_of(row: Rebasing) -> Rebase:
    """What the row is about, as the service's value."""
    replaces = {int(old): new for old, new in row.replaces.items()}
    return Rebase(policy=row.policy, replaces=replaces, retroactive=row.retroactive)


def run_rebasings() -> int:
    """Goes on with every look and every change that waits, one after the other; how many there were."""
    done = 0
    while row := _claim():
        _STEPS[row.status](row, rebase_of(row))
        done += 1
    return done


@transaction.atomic
def _claim() -> Rebasing | None:
    now = clock.now()
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    waiting = Rebasing.objects.filter(free, status__in=UNFINISHED).order_by("id")
    row = waiting.select_for_update(skip_locked=True, of=("self",)).select_related("policy", "asked_by").first()
    if row is not None:
        row.claim, row.claimed_until = row.claim + 1, now + LEASE
        row.save(update_fields=["claim", "claimed_until"])
    return row


def _note(row: Rebasing, **values: Any) -> bool:
    """Writes progress down and keeps the row; False if it is another worker's by now, or was withdrawn."""
    mine = Rebasing.objects.filter(pk=row.pk, claim=row.claim, status=row.status)
    return bool(mine.update(**{"claimed_until": clock.now() + LEASE, **values}))


def look(row: Rebasing, rebase: Rebase) -> None:
    """Sees through every request concerned behind the row's cursor, and writes down what would change."""
    for requests in chunks(rebase, after=row.cursor):
        part = preview_of(requests, rebase, clock.now())
        row.cursor = requests[-1].pk
        row.shown = [*row.shown, *map(_line, (*part.moved, *part.begun))][:MOST_SHOWN]
        row.reasons = [*row.reasons, *map(asdict, part.unmeasured)][:MOST_SHOWN]
        lists = {"shown": row.shown, "reasons": row.reasons}
        if not _note(row, cursor=row.cursor, seen=F("seen") + len(requests), **lists, **_sums(part)):
            return
    _note(row, status=RebasingStatus.LOOKED_AT, claimed_until=None)


def _sums(part: Preview) -> Mapping[str, Any]:
    return {
        "clocks": F("clocks") + part.clocks,
        "moved": F("moved") + len(part.moved),
        "begun": F("begun") + len(part.begun),
        "breached": F("breached") + part.breached,
        "no_longer_breached": F("no_longer_breached") + part.no_longer_breached,
        "timers": F("timers") + part.timers,
        "unmeasured": F("unmeasured") + len(part.unmeasured),
    }


def _line(one: Moved) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(one).items()}


def _change(row: Rebasing, rebase: Rebase) -> None:
    while ids := _next_ids(row, rebase):
        for pk in ids:
            if not _change_one(row, rebase, pk):
                return
            row.cursor = pk
    _note(row, status=RebasingStatus.DONE, finished_at=clock.now(), claimed_until=None)


def _next_ids(row: Rebasing, rebase: Rebase) -> Sequence[int]:
    return list(affected(rebase).filter(pk__gt=row.cursor).values_list("pk", flat=True)[:500])


class _Lost(Exception):
    """The row is another worker's by now: what this one has begun is rolled back."""


def _change_one(row: Rebasing, rebase: Rebase, pk: int) -> bool:
    """The request and the progress in one transaction, so what is counted is what was done; False once it is lost."""
    try:
        with transaction.atomic():
            changed = apply_to(pk, rebase, actor=row.asked_by)
            if not _note(row, cursor=pk, seen=F("seen") + 1, changed=F("changed") + int(changed)):
                raise _Lost
    except _Lost:
        return False
    except (SoftTimeLimitExceeded, OperationalError):  # of the moment: the row is taken up again
        raise
    except Exception as error:
        where = traceback.format_tb(error.__traceback__)[-1]  # not the message: the database puts whole rows there
        log.error("rebase_failed", stream=pk, error=type(error).__name__, where=where)
        return _give_up(row, pk, error)
    return True


def _give_up(row: Rebasing, pk: int, error: Exception) -> bool:
    """The request stays on its versions, an operator is told, and the next one is taken on; False once it is lost."""
    try:
        with transaction.atomic():
            _tell_failed(row, pk, error)
            if not _note(row, cursor=pk, seen=F("seen") + 1, failed=F("failed") + 1):
                raise _Lost
    except _Lost:
        return False
    return True


def _tell_failed(row: Rebasing, pk: int, error: Exception) -> None:
    (stream,) = lock_streams([pk])
    detail = f"The clocks could not be measured by the new version: {reason_of(error)}"
    publish({stream: open_incident(stream, kind="rebase", key=row.target, detail=detail, at=clock.now())})
    Request.objects.filter(pk=pk).update(revision=stream.last_seq)


_STEPS: Mapping[str, Callable[[Rebasing, Rebase], None]] = {
    RebasingStatus.LOOKING: look,
    RebasingStatus.CHANGING: _change,
}
