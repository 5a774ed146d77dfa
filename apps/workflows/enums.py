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
    CHOICE_TAKEN = "choice.taken"
    MESSAGE_KEPT = "message.kept"
    MESSAGE_LOST = "message.lost"
    VERSION_PUBLISHED = "workflow.published"
    VERSION_RETIRED = "workflow.retired"
