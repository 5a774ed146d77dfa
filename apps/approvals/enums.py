"""The states of approvals and the verdicts people give; each member carries a sentence for people."""

from __future__ import annotations

from enum import StrEnum

from django.db import models

SKIPPED_BY_GUARD = "does not apply: "  # begins `ApprovalLevel.skipped`; the guard that did not hold follows


class ApprovalStatus(models.TextChoices):
    PENDING = "pending", "waits for an answer"
    APPROVED = "approved", "approved"
    REJECTED = "rejected", "rejected"
    RETURNED = "returned", "sent back to the requester"
    EXPIRED = "expired", "nobody answered in time"
    WITHDRAWN = "withdrawn", "taken back"


class Verdict(models.TextChoices):
    APPROVE = "approve", "approved"
    REJECT = "reject", "rejected"
    RETURN = "return", "sent back"
    ABSTAIN = "abstain", "abstained"


class Why(models.TextChoices):
    """Why somebody was asked after the level had opened, or gave their seat up; completes "because ..."."""

    FALLBACK = "fallback", "nobody else could answer"
    DELEGATION = "delegation", "they are away"
    RETURNED = "returned", "they are back"
    REASSIGNED = "reassigned", "the seat was given to somebody else"
    ADDED = "added", "they were added"
    ESCALATED = "escalated", "nobody decided in time"
    CHAIR = "chair", "the votes were tied"
    REPLACED = "replaced", "somebody could no longer answer"


class ApprovalEvent(StrEnum):
    """What is told of an approval."""

    OPENED = "approval.opened"
    LEVEL_OPENED = "approval.level_opened"
    LEVEL_SKIPPED = "approval.level_skipped"
    ASKED = "approval.asked"
    REMINDED = "approval.reminded"
    TIMED_OUT = "approval.timed_out"
    DECIDED = "approval.decided"
    VOTE_CLOSED = "approval.vote_closed"
    OVERRIDDEN = "approval.overridden"
    ENDED = "approval.ended"
