"""Opening approvals, taking answers, changing who is asked, ending rounds.

The caller holds the stream's lock, carries the `Outcome` into its write and publishes the events.
"""

from apps.approvals.services.absences import follow_absences, holder_of
from apps.approvals.services.changes import add_approver, close_vote, is_chair, override, reassign, withdraw_round
from apps.approvals.services.deadlines import remind, time_out
from apps.approvals.services.liveness import keep_answerable
from apps.approvals.services.outcome import Outcome
from apps.approvals.services.rounds import Signature, open_approval, record_decision, withdraw_approval

__all__ = [
    "Outcome",
    "Signature",
    "add_approver",
    "close_vote",
    "follow_absences",
    "holder_of",
    "is_chair",
    "keep_answerable",
    "open_approval",
    "override",
    "reassign",
    "record_decision",
    "remind",
    "time_out",
    "withdraw_approval",
    "withdraw_round",
]
