"""The states of a request and its scales; each member carries a sentence for people."""

from __future__ import annotations

from enum import StrEnum

from django.db import models


class RequestStatus(models.TextChoices):
    DRAFT = "draft", "Draft"
    SUBMITTED = "submitted", "Submitted"
    IN_PROGRESS = "in_progress", "In progress"
    ON_HOLD = "on_hold", "On hold"
    COMPLETED = "completed", "Completed"
    REJECTED = "rejected", "Rejected"
    CANCELLED = "cancelled", "Cancelled"
    ARCHIVED = "archived", "Archived"


ESCALATED_BY = "sla:"  # begins the step that an escalation names, as it belongs to none; its target follows
IMPORT = "import"  # the origin of a request while its history is imported: sweeps leave it alone
IMPORTED = "imported"  # its origin once it was handed over to live operation
OPEN_STATES = (RequestStatus.SUBMITTED, RequestStatus.IN_PROGRESS, RequestStatus.ON_HOLD)
ENDED_STATES = (RequestStatus.COMPLETED, RequestStatus.REJECTED, RequestStatus.CANCELLED)


class RebasingStatus(models.TextChoices):
    """Of requests that are carried over to a new version of an SLA policy or a calendar."""

    LOOKING = "looking", "being looked at"
    LOOKED_AT = "looked_at", "waits for somebody to apply it"
    CHANGING = "changing", "being applied"
    DONE = "done", "applied"
    WITHDRAWN = "withdrawn", "withdrawn for another look"


class Level(models.TextChoices):
    """Impact and urgency, as the requester sees them."""

    HIGH = "high", "High"
    MEDIUM = "medium", "Medium"
    LOW = "low", "Low"


class Priority(models.TextChoices):
    CRITICAL = "critical", "Critical"
    HIGH = "high", "High"
    MEDIUM = "medium", "Medium"
    LOW = "low", "Low"


_BY_WEIGHT = {2: Priority.CRITICAL, 3: Priority.HIGH, 4: Priority.MEDIUM, 5: Priority.LOW, 6: Priority.LOW}
_WEIGHT = {Level.HIGH: 1, Level.MEDIUM: 2, Level.LOW: 3}


def priority_of(impact: str, urgency: str) -> Priority:
    """The priority of impact x urgency: both high is critical, both medium is medium."""
    return _BY_WEIGHT[_WEIGHT[Level(impact)] + _WEIGHT[Level(urgency)]]


class Relation(models.TextChoices):
    """Why somebody may see a request."""

    REQUESTER = "requester", "requester"
    REQUESTED_FOR = "requested_for", "requested for"
    ASSIGNEE = "assignee", "works on it"
    TEAM = "team", "their team works on it"
    APPROVER = "approver", "was asked to approve"
    WATCHER = "watcher", "watches"


class RequestEvent(StrEnum):
    """What is told of a request."""

    DRAFTED = "request.drafted"
    EDITED = "request.edited"
    VALIDATED = "request.validated"
    WORKFLOW_SELECTED = "request.workflow_selected"
    SUBMITTED = "request.submitted"
    FIRST_RESPONSE = "request.first_response"
    PRIORITY_CHANGED = "request.priority_changed"
    OWNER_CHANGED = "request.owner_changed"
    STAGE_ENTERED = "request.stage_entered"
    HELD = "request.held"
    RESUMED = "request.resumed"
    COMPLETED = "request.completed"
    REJECTED = "request.rejected"
    CANCELLED = "request.cancelled"
    CANCEL_ASKED = "request.cancel_asked"
    REOPENED = "request.reopened"
    ARCHIVED = "request.archived"
    FIELDS_SET = "request.fields_set"
    COMMENTED = "comment.added"
    NOTICE = "notice.sent"
    HANDED_OVER = "request.handed_over"
    ASSIGNED = "request.assigned"
    STEP_SKIPPED = "step.skipped"
    TOKEN_MOVED = "token.moved"  # noqa: S105 - no password
    VISIT_CANCELLED = "visit.cancelled"
