"""The errors of the domain. A class's docstring is its message; each face maps the tree once.

Pure: no Django here, so the engine and the other pure cores can raise them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import cleandoc
from typing import Any


class DomainError(Exception):
    """The request could not be carried out."""

    code = "error"

    def __init__(self, detail: str | None = None, **context: Any) -> None:
        self.detail = detail or cleandoc(type(self).__doc__ or "")
        self.context = context
        super().__init__(self.detail)


class InvalidInput(DomainError):
    """Some of what was entered cannot be accepted."""

    code = "invalid"

    def __init__(self, errors: Mapping[str, Sequence[str]], detail: str | None = None) -> None:
        self.errors = {field: list(messages) for field, messages in errors.items()}
        named = "; ".join(f"{field}: {' '.join(messages)}" for field, messages in self.errors.items())
        super().__init__(detail or named)


class BrokenDocument(InvalidInput):
    """The document has problems and was not accepted."""

    code = "broken_document"


class WouldBreak(InvalidInput):
    """What is published already would no longer fit."""

    code = "would_break"


class NotPermitted(DomainError):
    """You may see this, but not do that."""

    code = "not_permitted"


class NotVisible(DomainError):
    """There is nothing here, or nothing that you may see."""

    code = "not_found"


class Conflict(DomainError):
    """This is not possible now."""

    code = "conflict"


class TransitionNotAllowed(Conflict):
    """That step is not possible in the present state."""

    code = "transition_not_allowed"


class AlreadyDecided(Conflict):
    """A decision was already given for this seat, or the round has ended."""

    code = "already_decided"


class AlreadyClaimed(Conflict):
    """Somebody else is already working on this."""

    code = "already_claimed"


class PreconditionFailed(DomainError):
    """The resource is not in the version that the condition names."""

    code = "precondition_failed"


class PreconditionRequired(DomainError):
    """A condition is missing."""

    code = "precondition_required"


class IdempotencyKeyReused(DomainError):
    """This idempotency key was used before with another body."""

    code = "idempotency_key_reused"


class Misconfigured(DomainError):
    """A setting or a piece of configuration is missing or wrong."""

    code = "misconfigured"
