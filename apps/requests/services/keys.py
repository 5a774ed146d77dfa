"""`exclusive` keys: one holder at a time over all requests, a line in order of asking. Rows and marking in one write.

To decide who holds a key a transaction needs the key's advisory lock; who asks only tries for it, so nobody who waits
for one lock holds another. Whoever is left in line is served by the event that tells of it, else by the sweep.
"""

from __future__ import annotations

from django.db.models import QuerySet

from apps.core.errors import Conflict
from apps.core.locks import advisory_lock, try_advisory_lock
from apps.requests.models import Request
from apps.requests.services.children import ancestors
from apps.requests.services.writing import Write, within
from apps.workflows.engine import effects
from apps.workflows.engine.triggers import KeyGranted
from apps.workflows.enums import WorkflowEvent
from apps.workflows.models import KeyClaim
from apps.workflows.services.running import Passage


class KeyTaken(Conflict):
    """Somebody else is working with this just now."""

    code = "key_taken"


def take_key(write: Write, run: Passage, effect: effects.TakeKey) -> None:
    """A person begins: takes the key at once. Raises KeyTaken, naming the holder or who is next in line."""
    if _held_above(run, effect.key):
        return
    advisory_lock(_lock_name(effect.key))
    first = line(effect.key).first()
    if first is not None:
        raise KeyTaken(f"{effect.key} is taken: {_named(first)}.")
    claim = _claim(write, run, effect)
    claim.granted_at = write.at
    claim.save(force_insert=True)


def ask_key(write: Write, run: Passage, effect: effects.AskKey) -> None:
    """The visit goes to the end of the line; it is served at once if it is the only one there."""
    if _held_above(run, effect.key):
        write.triggers.append((run, KeyGranted(visit=effect.visit)))
        return
    claim = _claim(write, run, effect)
    claim.save(force_insert=True)
    if not grant_first(write, claim.key):
        write.tell_by_itself(
            WorkflowEvent.KEY_ASKED, step=effect.step, visit=effect.visit, claim=claim.pk, **within(run.run)
        )


def give_key(write: Write, run: Passage, effect: effects.GiveKey) -> None:
    """Ends the visit's claim. The next in line is served now if it is of this request, else by the event's subscriber.

    A key that a visit above holds is not given back by those below it.
    """
    claim = KeyClaim.objects.filter(run=run.run, visit=effect.visit, ended_at=None).first()
    if claim is not None:
        end_claim(write, claim)
        grant_first(write, claim.key)


def end_claim(write: Write, claim: KeyClaim) -> None:
    """The claim is over; whoever waits behind it hears of it."""
    claim.ended_at = write.at
    claim.save(update_fields=["ended_at"])
    write.tell_by_itself(WorkflowEvent.KEY_RELEASED, step=claim.step, visit=claim.visit, claim=claim.pk)


def grant_first(write: Write, key: str) -> bool:
    """Grants the key to the first in line if that is a visit of this request and nobody holds it. Whether it did."""
    if not try_advisory_lock(_lock_name(key)):
        return False
    first = line(key).first()
    if first is None or first.granted_at is not None or first.stream_id != write.request.stream_id:
        return False
    first.granted_at = write.at
    first.save(update_fields=["granted_at"])
    served = write.passage_of(first.run_id)
    write.tell_by_itself(
        WorkflowEvent.KEY_GRANTED, step=first.step, visit=first.visit, claim=first.pk, **within(served.run)
    )
    write.triggers.append((served, KeyGranted(visit=first.visit)))
    return True


def line(key: str) -> QuerySet[KeyClaim]:
    """Who holds the key and who waits for it, in order."""
    return KeyClaim.objects.filter(key=key, ended_at=None).order_by("id")


def _claim(write: Write, run: Passage, effect: effects.TakeKey | effects.AskKey) -> KeyClaim:
    return KeyClaim(
        key=effect.key,
        stream=write.request.stream,
        run=run.run,
        visit=effect.visit,
        step=effect.step,
        asked_at=write.at,
        check_at=write.at,
    )


def _held_above(run: Passage, key: str) -> bool:
    """Whether a visit that this run is a child of holds the key already."""
    above = ancestors(run.run)
    return any(KeyClaim.objects.filter(run=pk, visit=visit, key=key, ended_at=None).exists() for pk, visit in above)


def _named(claim: KeyClaim) -> str:
    number = Request.objects.filter(pk=claim.stream_id).values_list("number", flat=True).first()
    does = "holds it" if claim.granted_at else "is next in line"
    return f"step {claim.step} of {number} {does}"


def _lock_name(key: str) -> str:
    return f"workflows.key:{key}"
