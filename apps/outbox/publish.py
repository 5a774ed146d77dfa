"""Writing events: the last act of every write, in the transaction of what it tells of."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.core.crypto import KeyRing, audit_ring
from apps.core.locks import lock_rows, require_transaction
from apps.core.rows import insert_rows, update_rows
from apps.outbox.chain import event_hash
from apps.outbox.models import Event, Note, Stream
from apps.outbox.subscribers import require_known_types
from apps.outbox.wake import wake_after_commit

SYSTEM = "system"
QUIET = 2_147_483_647  # for ever, until somebody ends it; the largest a PositiveIntegerField takes
HEAD = ["last_seq", "last_hash", "last_at"]


@dataclass(frozen=True, kw_only=True)
class NewEvent:
    """An event on its way into a stream. `data`: ids, enum values, field names and numbers only; a text is a `note`."""

    type: str
    actor: str
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
    role: str = ""
    note: Note | None = None
    version: int = 1


def new_stream(kind: Stream.Kind, *, quiet: bool = False) -> Stream:
    """A stream of its own for something new. Nobody else can see it yet, so it counts as locked.

    What happens in a `quiet` one is told to nobody, until `end_quiet`.
    """
    require_transaction()
    return Stream.objects.create(kind=kind, quiet_until=QUIET if quiet else 0)


def end_quiet(stream: Stream) -> None:
    """From now on the events of the locked stream are told; those of its quiet time never are, placed yet or not.

    Does nothing to a stream that is not quiet: what it has told stays told.
    """
    require_transaction()
    stream.quiet_until = min(stream.quiet_until, stream.last_seq)
    stream.save(update_fields=["quiet_until"])


def lock_streams(ids: Sequence[int], *, skip_locked: bool = False) -> list[Stream]:
    """The streams, locked in id order: the first lock of every write. With `skip_locked` busy ones are left out."""
    return lock_rows(Stream.objects.filter(pk__in=ids), skip_locked=skip_locked)


def write_note(stream: Stream, text: str) -> Note:
    """A text for events of this stream to point at."""
    return Note.objects.create(stream=stream, salt=os.urandom(16), text=text)


def publish(batches: Mapping[Stream, Sequence[NewEvent]]) -> list[Event]:
    """Writes the events of locked streams: `seq` without gap, hashes chained, one INSERT, one write of the heads.

    `at` never decreases within a stream: an earlier one is lifted to the one before it. An event type that the
    subscribers table does not know is refused. After the commit the relay is woken, unless the streams are quiet.
    Returns the events in order.
    """
    require_transaction()
    require_known_types(event.type for events in batches.values() for event in events)
    ring = audit_ring()
    rows = [row for stream, events in batches.items() for row in _chained(stream, events, ring)]
    if not rows:
        return []
    insert_rows(rows)
    update_rows([stream for stream, events in batches.items() if events], HEAD)
    if any(row.seq > row.stream.quiet_until for row in rows):
        wake_after_commit()
    return rows


def _chained(stream: Stream, events: Sequence[NewEvent], ring: KeyRing) -> list[Event]:
    rows = []
    for new in events:
        row = Event(
            stream=stream,
            seq=stream.last_seq + 1,
            type=new.type,
            version=new.version,
            actor=new.actor,
            role=new.role,
            at=max(new.at, stream.last_at or new.at),
            data={**new.data, **_note_data(new.note, ring)},
            prev_hash=bytes(stream.last_hash),
            key_id=ring.current,
        )
        row.hash = event_hash(row, ring=ring)
        stream.last_seq, stream.last_hash, stream.last_at = row.seq, row.hash, row.at
        rows.append(row)
    return rows


def _note_data(note: Note | None, ring: KeyRing) -> dict[str, Any]:
    if note is None:
        return {}
    return {"note": note.pk, "note_mac": ring.mac(bytes(note.salt) + note.text.encode()).hex()}
