"""Somebody who works on a request gives it another priority; its clocks follow."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import InvalidInput, TransitionNotAllowed
from apps.requests import policies
from apps.requests.enums import Level
from apps.requests.models import Request
from apps.requests.policies import Act
from apps.requests.services.escalations import change_priority
from apps.requests.services.lifecycle import checked_comment
from apps.requests.services.writing import begin_write


@transaction.atomic(savepoint=False)
def set_priority(request: Request, *, impact: Any, urgency: Any, reason: Any, actor: User) -> Request:
    """Sets impact and urgency, from which the priority follows; what the clocks have counted stays counted.

    Raises InvalidInput by field (an unknown level, no reason, nothing that changes), NotPermitted unless the actor works
    on the request, leads the team or is an administrator, TransitionNotAllowed for a draft and once it has ended.
    """
    wrong = {name: value for name, value in (("impact", impact), ("urgency", urgency)) if value not in Level.values}
    if wrong:
        raise InvalidInput({name: [f"This must be one of {', '.join(Level.values)}."] for name in wrong})
    text = checked_comment(reason, required=True, field="reason")
    write = begin_write(request.pk, actor=actor)
    policies.require(actor, Act.PRIORITISE, write.request)
    if not write.request.is_open:
        raise TransitionNotAllowed(NOT_OPEN)
    if (write.request.impact, write.request.urgency) == (impact, urgency):
        raise InvalidInput({"impact": [UNCHANGED]})
    change_priority(write, impact=impact, urgency=urgency, note=write.note(text))
    return write.finish()
