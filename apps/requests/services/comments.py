"""What people write on a request."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import TransitionNotAllowed
from apps.outbox.publish import write_note
from apps.requests import policies
from apps.requests.enums import RequestEvent, RequestStatus
from apps.requests.models import Comment, Request
from apps.requests.policies import Act
from apps.requests.services.lifecycle import checked_comment
from apps.requests.services.writing import Write, begin_write


@transaction.atomic(savepoint=False)
def add_comment(request: Request, *, text: Any, internal: bool = False, actor: User) -> Comment:
    """Writes a comment; an internal one only by and for those who work on it. Raises NotPermitted, InvalidInput."""
    write = begin_write(request.pk, actor=actor)
    added = comment(write, text=text, internal=internal, actor=actor)
    write.finish()
    return added


def comment(write: Write, *, text: Any, internal: bool = False, actor: User) -> Comment:
    """`add_comment` within a write."""
    checked = checked_comment(text, required=True, field="text")
    policies.require(actor, Act.COMMENT_INTERNALLY if internal else Act.COMMENT, write.request)
    if write.request.status == RequestStatus.ARCHIVED:
        raise TransitionNotAllowed("The request is archived.")
    note = write_note(write.request.stream, checked)
    added = Comment.objects.create(request=write.request, author=actor, note=note, internal=internal, at=write.at)
    write.tell(RequestEvent.COMMENTED, note=note, comment=added.pk, internal=internal)
    return added
