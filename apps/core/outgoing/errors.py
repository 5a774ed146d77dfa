"""Why a call came to nothing. The sentences name the host only: addresses, paths and queries may be secret."""

from __future__ import annotations

from apps.core.errors import DomainError


class OutgoingFailed(DomainError):
    """The call came to nothing."""

    code = "outgoing_failed"


class Refused(OutgoingFailed):
    """This address may not be called. Permanent: trying again does not help."""

    code = "outgoing_refused"


class Unreachable(OutgoingFailed):
    """The other side could not be reached, or did not speak proper HTTP. Temporary."""

    code = "outgoing_unreachable"


class TooSlow(OutgoingFailed):
    """The other side did not answer in time; it may have carried out what was asked. Temporary."""

    code = "outgoing_too_slow"


class TooLarge(OutgoingFailed):
    """The head of the answer is larger than is read. Temporary."""

    code = "outgoing_too_large"
