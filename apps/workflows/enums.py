"""The states of workflow rows; each member carries a sentence for people."""

from __future__ import annotations

from enum import StrEnum

from django.db import models


class VersionStatus(models.TextChoices):
    DRAFT = "draft", "being drawn"
    PUBLISHED = "published", "in use"
    RETIRED = "retired", "no longer offered; its runs go on"


class VisitStatus(models.TextChoices):
    OPEN = "open", "offered"
    BEGUN = "begun", "somebody is on it"
    ENDED = "ended", "finished"
    WITHDRAWN = "withdrawn", "taken back"


class TaskStatus(models.TextChoices):
    OPEN = "open", "waits for somebody to take it up"
    CLAIMED = "claimed", "somebody is on it"
    DONE = "done", "finished"
    WITHDRAWN = "withdrawn", "taken back"


class TimerKind(models.TextChoices):
    WAIT = "wait", "a waiting step goes on"
    DEADLINE = "deadline", "a step has not been finished in time"
    RETRY = "retry", "an action is tried again"
    APPROVAL = "approval", "a level of an approval is reminded of, or has not been decided in time"


class CallStatus(models.TextChoices):
    PENDING = "pending", "to be carried out"
    DONE = "done", "carried out"
    FAILED = "failed", "given up"
    WITHDRAWN = "withdrawn", "taken back"


class CheckStatus(models.TextChoices):
    PENDING = "pending", "waits for a worker"
    RUNNING = "running", "is being made"
    DONE = "done", "finished"


class WorkflowEvent(StrEnum):
    """What is told of a run."""

    RUN_STARTED = "run.started"
    RUN_ENDED = "run.ended"
    TASK_OPENED = "task.opened"
    TASK_CLAIMED = "task.claimed"
    TASK_RELEASED = "task.released"
    TASK_COMPLETED = "task.completed"
    TASK_WITHDRAWN = "task.withdrawn"
    ACTION_DONE = "action.done"
    WAIT_OPENED = "wait.opened"
    WAIT_DONE = "wait.done"
    WAIT_WITHDRAWN = "wait.withdrawn"
    ACTION_DUE = "action.due"
    ACTION_FAILED = "action.failed"
    DEADLINE_PASSED = "deadline.passed"
    KEY_ASKED = "key.asked"
    KEY_GRANTED = "key.granted"
    KEY_RELEASED = "key.released"
    SUBFLOW_STARTED = "subflow.started"
    SUBFLOW_ENDED = "subflow.ended"
    INSTANCE_ADDED = "instance.added"
    INSTANCES_CLOSED = "instances.closed"
    INSTANCES_FINISHED = "instances.finished"
    CHOICE_TAKEN = "choice.taken"
    MESSAGE_KEPT = "message.kept"
    MESSAGE_LOST = "message.lost"
    WAIVER_SIGNED = "workflow.waived"
    VERSION_PUBLISHED = "workflow.published"
    VERSION_RETIRED = "workflow.retired"
