"""A rebase as work with progress: looked at, confirmed by an administrator, applied by `rebasing_worker.py`."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.calendars.models import CalendarVersion
from apps.core import clock
from apps.core.errors import Conflict, InvalidInput, NotPermitted, NotVisible, TransitionNotAllowed
from apps.core.text import text_problem
from apps.requests.enums import RebasingStatus
from apps.requests.models import Rebasing
from apps.requests.policies import is_administrator
from apps.requests.services.rebasing import Rebase, affected, require_sound
from apps.requests.services.rebasing_worker import look, rebase_of
from apps.requests.services.targets import require_reader
from apps.sla.models import SlaPolicyVersion
from apps.sla.selectors import policy_of

AT_ONCE = 300  # requests that are looked at while somebody waits
LARGEST = 2**31 - 1


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
    """Raises NotVisible to those who see no policy at all, NotPermitted to those who only read."""
    require_reader(actor)
    if not is_administrator(actor):
        raise NotPermitted("Only administrators carry requests over to another version.")


def rebasing_for(actor: User, pk: int) -> Rebasing:
    """One look or change. Raises as `require_may_rebase`, and NotVisible where there is none."""
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
    """Looks at what the rebase would change; beyond 300 requests a worker does, and the row has its progress. Requests
    that cannot be measured are named with the reason.

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
        look(row, rebase)
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


def _target(rebase: Rebase) -> str:
    if rebase.policy is not None:
        return f"policy:{rebase.policy.key}"
    return f"calendar:{CalendarVersion.objects.get(pk=next(iter(rebase.replaced.values()))).key}"
