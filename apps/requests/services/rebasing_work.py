"""A rebase as work with progress: looked at, confirmed by an administrator, applied by a worker request by request.

What concerns few requests is looked at while somebody waits. A worker that dies leaves its place to the next one, a
minute later; whatever it had committed stays and is not done again.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F, Q

from apps.accounts.models import User
from apps.calendars.models import CalendarVersion
from apps.core import clock
from apps.core.errors import Conflict, InvalidInput, NotPermitted, NotVisible, TransitionNotAllowed
from apps.core.text import text_problem
from apps.outbox.incidents import open_incident
from apps.outbox.publish import lock_streams, publish
from apps.requests.enums import RebasingStatus
from apps.requests.models import Rebasing, Request
from apps.requests.policies import is_administrator
from apps.requests.services.rebasing import (
    Moved,
    Preview,
    Rebase,
    affected,
    apply_to,
    chunks,
    preview_of,
    require_sound,
)
from apps.sla.models import SlaPolicyVersion
from apps.sla.selectors import policy_of

log = structlog.get_logger(__name__)
LEASE = timedelta(minutes=1)
AT_ONCE = 300  # requests that are looked at while somebody waits
MOST_SHOWN = 200
LARGEST = 2**31 - 1
UNFINISHED = (RebasingStatus.LOOKING, RebasingStatus.CHANGING)


def rebase_to_policy(key: Any, n: Any = None, *, retroactive: bool | None = None) -> Rebase:
    """Everybody on earlier versions of an SLA policy over to its newest; `n` may say which that is.

    `retroactive` is the policy's own word if None. Raises InvalidInput by `policy` and `n`.
    """
    version = _version(SlaPolicyVersion, "policy", key, n)
    from_start = policy_of(version.pk).retroactive if retroactive is None else retroactive
    return _sound(Rebase(policy=version, retroactive=from_start))


def rebase_to_calendar(key: Any, n: Any = None, *, retroactive: bool | None = None) -> Rebase:
    """Everybody on earlier versions of a calendar over to its newest, as `rebase_to_policy`; if `retroactive` is None
    it is so where some policy that names the calendar says so.
    """
    version = _version(CalendarVersion, "calendar", key, n)
    earlier = CalendarVersion.objects.filter(key=key, n__lt=version.n).values_list("pk", flat=True)
    if not earlier:
        raise InvalidInput({"calendar": [f"{version} is the only version: there is nothing to replace."]})
    from_start = _some_policy_says_so(version.key) if retroactive is None else retroactive
    return _sound(Rebase(replaces=dict.fromkeys(earlier, version.pk), retroactive=from_start))


def _some_policy_says_so(calendar: str) -> bool:
    newest: dict[str, int] = dict(SlaPolicyVersion.objects.order_by("key", "n").values_list("key", "pk"))
    policies = [policy_of(pk) for pk in newest.values()]
    return any(policy.retroactive for policy in policies if calendar in policy.calendars())


def _version(model: type[Any], field: str, key: Any, n: Any) -> Any:
    unfit = not isinstance(key, str) or text_problem(key, max_length=80)
    if unfit or (newest := model.objects.current(key)) is None:
        raise InvalidInput({field: ["There is no such key, or no version of it."]})
    if n is None or n == newest.n:
        return newest
    known = isinstance(n, int) and 0 < n <= LARGEST and model.objects.filter(key=key, n=n).exists()
    said = f"The newest version is {newest.n}; requests are carried over to that one only."
    raise InvalidInput({"n": [said if known else "There is no such version."]})


def _sound(rebase: Rebase) -> Rebase:
    require_sound(rebase)
    return rebase


def require_may_rebase(actor: User) -> None:
    """Raises NotPermitted unless the actor is an administrator."""
    if not is_administrator(actor):
        raise NotPermitted("Only administrators carry requests over to another version.")


def rebasing_for(actor: User, pk: int) -> Rebasing:
    """One look or change. Raises NotPermitted, NotVisible."""
    require_may_rebase(actor)
    found = Rebasing.objects.filter(pk=pk).select_related("policy", "asked_by").first() if 0 < pk <= LARGEST else None
    if found is None:
        raise NotVisible
    return found


def count_on_earlier(rebase: Rebase) -> int:
    """How many open requests still run on a version that is replaced."""
    return affected(rebase).count()


@transaction.atomic
def ask_rebase(rebase: Rebase, *, actor: User) -> Rebasing:
    """Looks at what the rebase would change; beyond 300 requests a worker does, and the row has its progress.

    An unfinished look at the same target is withdrawn for this one. Nothing moves before `confirm_rebase`. Raises
    NotPermitted; InvalidInput as `require_sound`; Conflict while the target is being carried over.
    """
    require_may_rebase(actor)
    require_sound(rebase)
    target = _target(rebase)
    if Rebasing.objects.filter(target=target, status=RebasingStatus.CHANGING).exists():
        raise Conflict("Requests are being carried over already: wait until that is done.")
    Rebasing.objects.filter(target=target, status=RebasingStatus.LOOKING).update(status=RebasingStatus.WITHDRAWN)
    row = Rebasing(
        target=target,
        policy=rebase.policy,
        replaces={str(old): new for old, new in rebase.replaced.items()},
        retroactive=rebase.retroactive,
        asked_by=actor,
        asked_at=clock.now(),
        total=affected(rebase).count(),
    )
    _insert(row)
    if row.total <= AT_ONCE:
        _look(row, rebase)
    row.refresh_from_db()
    return row


def _insert(row: Rebasing) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise Conflict("Somebody else has just asked for the same.") from error


@transaction.atomic
def confirm_rebase(row: Rebasing, *, actor: User) -> Rebasing:
    """A worker applies what was looked at. Confirmed twice it is applied once.

    Raises NotPermitted; TransitionNotAllowed unless the look is finished; Conflict if there is a newer version by now,
    or another change of the same target goes on.
    """
    require_may_rebase(actor)
    found = Rebasing.objects.select_for_update(of=("self",)).select_related("policy").get(pk=row.pk)
    if found.status in (RebasingStatus.CHANGING, RebasingStatus.DONE):
        return found
    if found.status != RebasingStatus.LOOKED_AT:
        raise TransitionNotAllowed("This was not looked at to the end.")
    rebase = rebase_of(found)
    try:
        require_sound(rebase)
    except InvalidInput as refused:
        raise Conflict(f"There is a newer version by now: look again. {refused.detail}") from refused
    found.status, found.confirmed_at, found.cursor, found.seen = RebasingStatus.CHANGING, clock.now(), 0, 0
    found.asked_by, found.total, found.claimed_until = actor, affected(rebase).count(), None
    try:
        with transaction.atomic():
            found.save()
    except IntegrityError as error:
        raise Conflict("Another change of the same goes on; wait until it is done.") from error
    return found


def rebase_of(row: Rebasing) -> Rebase:
    """What the row is about, as the service's value."""
    replaces = {int(old): new for old, new in row.replaces.items()}
    return Rebase(policy=row.policy, replaces=replaces, retroactive=row.retroactive)


def _target(rebase: Rebase) -> str:
    if rebase.policy is not None:
        return f"policy:{rebase.policy.key}"
    return f"calendar:{CalendarVersion.objects.get(pk=next(iter(rebase.replaced.values()))).key}"


# ------------------------------------------------------------------------------------ the worker


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


def _look(row: Rebasing, rebase: Rebase) -> None:
    for requests in chunks(rebase, after=row.cursor):
        part = preview_of(requests, rebase, clock.now())
        row.cursor, row.shown = requests[-1].pk, [*row.shown, *map(_line, part.moved)][:MOST_SHOWN]
        if not _note(row, cursor=row.cursor, shown=row.shown, seen=F("seen") + len(requests), **_sums(part)):
            return
    _note(row, status=RebasingStatus.LOOKED_AT, claimed_until=None)


def _sums(part: Preview) -> Mapping[str, Any]:
    return {
        "clocks": F("clocks") + part.clocks,
        "moved": F("moved") + len(part.moved),
        "breached": F("breached") + part.breached,
        "no_longer_breached": F("no_longer_breached") + part.no_longer_breached,
        "timers": F("timers") + part.timers,
    }


def _line(one: Moved) -> dict[str, Any]:
    return {
        "number": one.number,
        "target": one.target,
        "status": one.status,
        "due_at": one.due_at.isoformat() if one.due_at else None,
        "new_status": one.new_status,
        "new_due_at": one.new_due_at.isoformat() if one.new_due_at else None,
    }


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
    detail = f"The clocks could not be measured by the new version: {type(error).__name__}"
    publish({stream: open_incident(stream, kind="rebase", key=row.target, detail=detail, at=clock.now())})
    Request.objects.filter(pk=pk).update(revision=stream.last_seq)


_STEPS: Mapping[str, Callable[[Rebasing, Rebase], None]] = {
    RebasingStatus.LOOKING: _look,
    RebasingStatus.CHANGING: _change,
}
