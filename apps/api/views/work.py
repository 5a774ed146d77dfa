"""Tasks: what waits for me, and dealing with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework.request import Request as HttpRequest
from rest_framework.response import Response

from apps.api.bodies import read_body, shape, text
from apps.api.idempotency import one_effect
from apps.api.preconditions import check_revision
from apps.api.query import read_query
from apps.api.schema import lists, reads, writes
from apps.api.serializers.work import TaskSerializer
from apps.api.views.base import NEWEST, ApiView, actor_of, shown
from apps.requests.selectors import get_task_for, tasks_for
from apps.requests.services.work import claim_task, complete_task, release_task
from apps.workflows.models import Task

NOTHING = shape()
COMPLETION = shape(
    {
        "outcome": text("One of the task's outcomes", default="done"),
        "data": {"type": "object", "description": "The values of the form the task asks for"},
        "comment": text(maxLength=10_000),
    }
)


class TasksView(ApiView):
    @lists("Open tasks for me, my teams and roles", TaskSerializer)
    def get(self, http: HttpRequest) -> Response:
        read_query(http)
        return self.paged(http, tasks_for(actor_of(http)), NEWEST, TaskSerializer)


class TaskView(ApiView):
    @reads("A task", TaskSerializer)
    def get(self, http: HttpRequest, task_id: int) -> Response:
        read_query(http, paged=False)
        return Response(shown(TaskSerializer, get_task_for(actor_of(http), task_id)))


class TaskMoveView(ApiView):
    """A move of one task; subclasses say which."""

    def move(self, http: HttpRequest, task_id: int, service: Callable[..., Task], **given: Any) -> Response:
        actor = actor_of(http)
        task = get_task_for(actor, task_id)
        check_revision(http, task.stream.request)
        service(task, actor=actor, **given)
        return Response(shown(TaskSerializer, get_task_for(actor, task_id)))


class ClaimView(TaskMoveView):
    @writes("Take a task up", TaskSerializer, body=NOTHING, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, task_id: int) -> Response:
        read_body(http.data, NOTHING)
        return self.move(http, task_id, claim_task)


class ReleaseView(TaskMoveView):
    @writes("Give a task back to its team or role", TaskSerializer, body=NOTHING, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, task_id: int) -> Response:
        read_body(http.data, NOTHING)
        return self.move(http, task_id, release_task)


class CompleteView(TaskMoveView):
    @writes("Finish a task by one of its outcomes", TaskSerializer, body=COMPLETION, conditional=True)
    @one_effect
    def post(self, http: HttpRequest, task_id: int) -> Response:
        return self.move(http, task_id, complete_task, **read_body(http.data, COMPLETION))
