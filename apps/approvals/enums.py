"""The states of approvals and the verdicts people give; each member carries a sentence for people."""

from __future__ import annotations

from enum import StrEnum

from django.db import models


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


class ApprovalEvent(StrEnum):
    """What is told of an approval."""

    OPENED = "approval.opened"
    LEVEL_OPENED = "approval.level_opened"
    LEVEL_SKIPPED = "approval.level_skipped"
    DECIDED = "approval.decided"
    ENDED = "approval.ended"
