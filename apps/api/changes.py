"""Who is named in the log of changes for what a call of the API does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from auditlog.context import auditlog_value

from apps.accounts.models import User


class ChangeLog:
    """What the log's middleware notes of the call: it looked at the session, before any token was read.

    Its note is changed in place: a second `set_actor` inside its own would leave the first one's signal connected.
    """

    def __init__(self, note: dict[str, Any]) -> None:
        self.note = note

    def name(self, person: object) -> None:
        """From now on the changes are this person's; where a call names nobody, whoever has the session stays."""
        if isinstance(person, User):
            self.note["actor"] = person


@contextmanager
def change_log() -> Iterator[ChangeLog]:
    """The log of the call; afterwards, also after an error, whoever was named before is named again."""
    note = auditlog_value.get({})
    before = note.get("actor")
    try:
        yield ChangeLog(note)
    finally:
        note["actor"] = before
