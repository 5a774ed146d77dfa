"""The keyed hash chain of a stream: each event's hash covers the one before it and all of its own columns.

`hash = HMAC-SHA256(key[key_id], prev_hash || canonical JSON of the columns)`. Left out are `hash` itself, `position`
(given later) and the surrogate `id` (the database hands it out at insert; stream and seq name the event).
"""

from __future__ import annotations

from datetime import UTC, datetime

from apps.core.crypto import KeyRing
from apps.core.models import canonical_json
from apps.outbox.models import Event


def instant_text(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds: one text per instant, however it was read back."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def event_hash(event: Event, *, ring: KeyRing) -> bytes:
    """The 32 bytes that `event.hash` must hold, under the key that `event.key_id` names."""
    prev_hash = bytes(event.prev_hash)
    columns = {
        "stream": event.stream_id,
        "seq": event.seq,
        "type": event.type,
        "version": event.version,
        "actor": event.actor,
        "role": event.role,
        "at": instant_text(event.at),
        "data": event.data,
        "prev_hash": prev_hash.hex(),
        "key_id": event.key_id,
    }
    return ring.mac(prev_hash + canonical_json(columns), key_id=event.key_id)


def first_broken(events: list[Event], *, ring: KeyRing, prev_hash: bytes = b"") -> Event | None:
    """The first event of a stream's run whose seq, link, key or hash does not fit, or None; in seq order."""
    expected_seq = events[0].seq if events else 0
    for event in events:
        linked = event.seq == expected_seq and bytes(event.prev_hash) == prev_hash
        if not linked or event.key_id not in ring.keys or bytes(event.hash) != event_hash(event, ring=ring):
            return event
        prev_hash, expected_seq = bytes(event.hash), event.seq + 1
    return None
