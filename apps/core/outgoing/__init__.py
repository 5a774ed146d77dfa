"""The only HTTP client of the apps: everything that is called by an address somebody wrote down goes through `send`."""

from apps.core.outgoing.addresses import address_problem
from apps.core.outgoing.client import DEFAULT_LIMITS, Answer, Limits, allowed_networks, send
from apps.core.outgoing.errors import OutgoingFailed, Refused, TooLarge, TooSlow, Unreachable

__all__ = [
    "DEFAULT_LIMITS",
    "Answer",
    "Limits",
    "OutgoingFailed",
    "Refused",
    "TooLarge",
    "TooSlow",
    "Unreachable",
    "address_problem",
    "allowed_networks",
    "send",
]
