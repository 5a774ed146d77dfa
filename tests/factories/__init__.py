"""Small worlds for tests, made by the real services."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import transaction

from apps.accounts.models import Team, User
from apps.accounts.services import create_person, create_team
from apps.calendars.models import CalendarVersion
from apps.core.errors import DomainError
from apps.outbox.models import Delivery, Event, Incident, Note
from apps.requests.models import CatalogItem, Comment, FormVersion, Request, SelectionRule
from apps.requests.services.lifecycle import Wish, create_request
from apps.sla.models import SlaClock, SlaPolicyVersion
from apps.workflows.engine import gate
from apps.workflows.models import StepVisit, Task, Timer, Workflow, WorkflowRun, WorkflowVersion
from apps.workflows.services.drafting import create_workflow, save_draft
from apps.workflows.services.publishing import publish_version

Json = dict[str, Any]
PASSWORD = "correct-horse-battery"
RUNTIME_TABLES = (Event, Note, Delivery, Incident, WorkflowRun, StepVisit, Task, Timer, Request, Comment, SlaClock)

FORM: Json = {
    "fields": [
        {"name": "reason", "type": "text", "required": True, "max_length": 500},
        {"name": "amount", "type": "money", "max": 100000},
        {"name": "needed_by", "type": "date"},
    ]
}
MANAGER_LEVEL: Json = {
    "id": "manager",
    "name": "Line manager",
    "approvers": [{"manager_of": "requester", "up": 1}],
    "rule": {"kind": "any"},
    "comment": "on_reject",
}
FINANCE_LEVEL: Json = {
    "id": "finance",
    "name": "Finance",
    "approvers": [{"role": "finance"}],
    "rule": {"kind": "all"},
}
FALLBACK: list[Json] = [{"role": "administrator"}]


def make_person(username: str, *, roles: Iterable[str] = (), manager: User | None = None, **fields: Any) -> User:
    """An active person whose password is PASSWORD."""
    fields = {"first_name": username.capitalize(), "email": f"{username}@example.org", **fields}
    return create_person(username, password=PASSWORD, roles=roles, manager=manager, **fields)


def make_team(key: str, *members: User, lead: User | None = None) -> Team:
    return create_team(key, name=key.capitalize(), lead=lead, members=members)


def make_workflow(document: Json) -> Workflow:
    """The document as a published workflow."""
    workflow = create_workflow(document["workflow"], name=document["name"])
    publish_document(workflow, document)
    return workflow


def publish_document(workflow: Workflow, document: Json) -> WorkflowVersion:
    """The document as the workflow's next version, past the engine's gate; whom it names need not exist."""
    save_draft(workflow, document=document, actor=None)
    return publish_version(workflow, actor=None, result=gate.check(document))


def approval_document(key: str = "simple", *, levels: Iterable[Json] = (MANAGER_LEVEL,), team: str = "it") -> Json:
    """start -> approval -> task of a team -> end, with a way back to the requester: the shape most tests need."""
    return {
        "format": 1,
        "workflow": key,
        "name": key.capitalize(),
        "stages": [{"id": "approval", "name": "Approval"}, {"id": "work", "name": "Work"}],
        "steps": [
            {"id": "start", "kind": "start"},
            {
                "id": "approve",
                "kind": "approval",
                "name": "Approval",
                "stage": "approval",
                "policy": {"levels": deepcopy(list(levels)), "fallback": FALLBACK},
            },
            {"id": "mend", "kind": "task", "name": "Mend", "stage": "approval", "assign": {"requester": True}},
            {
                "id": "work",
                "kind": "task",
                "name": "Work",
                "stage": "work",
                "assign": {"team": team},
                "outcomes": [
                    {"id": "done", "label": "Done"},
                    {"id": "refused", "label": "Refused", "comment": "required", "by": {"role": "senior"}},
                ],
            },
            {"id": "end", "kind": "end", "outcome": "completed"},
            {"id": "no", "kind": "end", "outcome": "rejected"},
        ],
        "transitions": [
            {"from": "start", "to": "approve"},
            {"from": "approve", "to": "work", "outcome": "approved"},
            {"from": "approve", "to": "no", "outcome": "rejected"},
            {"from": "approve", "to": "mend", "outcome": "returned"},
            {"from": "mend", "to": "approve"},
            {"from": "work", "to": "end", "outcome": "done"},
            {"from": "work", "to": "no", "outcome": "refused"},
        ],
    }


def line_document(key: str, *middle: Json) -> Json:
    """start -> the given steps in a row -> end."""
    steps = [{"id": "start", "kind": "start"}, *middle, {"id": "end", "kind": "end", "outcome": "completed"}]
    arrows = [{"from": a["id"], "to": b["id"]} for a, b in pairwise(steps)]
    return {"format": 1, "workflow": key, "name": key.capitalize(), "steps": steps, "transitions": arrows}


def choice_document(guard: str, key: str = "fails") -> Json:
    """start -> a choice that ends completed where the guard holds, else rejected."""
    return {
        "format": 1,
        "workflow": key,
        "name": key.capitalize(),
        "steps": [
            {"id": "start", "kind": "start"},
            {"id": "which", "kind": "choice", "name": "Which?"},
            {"id": "a", "kind": "end", "outcome": "completed"},
            {"id": "b", "kind": "end", "outcome": "rejected"},
        ],
        "transitions": [
            {"from": "start", "to": "which"},
            {"from": "which", "to": "a", "when": guard},
            {"from": "which", "to": "b", "otherwise": True},
        ],
    }


def make_sla(key: str = "standard", *, response_s: int = 3600, resolution_s: int = 36000) -> SlaPolicyVersion:
    """Targets in plain hours, the same for every priority, with a warning of the response at half its time."""
    priorities = ("critical", "high", "medium", "low")
    document = {
        "targets": [
            {
                "id": metric,
                "metric": metric,
                "durations": {priority: {"seconds": seconds} for priority in priorities},
                "warn_at": warn_at,
            }
            for metric, seconds, warn_at in (("response", response_s, [50]), ("resolution", resolution_s, []))
        ]
    }
    return SlaPolicyVersion.freeze(key, document)


def make_calendar(key: str = "office") -> CalendarVersion:
    """Monday to Friday 09:00-17:00 in Amsterdam, without holidays."""
    week = {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
    return CalendarVersion.freeze(key, {"time_zone": "Europe/Amsterdam", "week": week, "holidays": {}})


def make_item(
    slug: str = "thing",
    *,
    workflow: Workflow | None = None,
    rules: Iterable[Mapping[str, Any]] = (),
    form: Json = FORM,
    sla_key: str = "",
    archive_after: timedelta = timedelta(days=30),
    **fields: Any,
) -> CatalogItem:
    """An item of its own form; by default everything goes through one simple approval and a task of team `it`."""
    FormVersion.freeze(slug, form)
    fields = {"name": slug.capitalize(), **fields}
    item = CatalogItem.objects.create(slug=slug, form_key=slug, sla_key=sla_key, archive_after=archive_after, **fields)
    chosen = list(rules) or [
        {"name": "always", "guard": "", "workflow": workflow or make_workflow(approval_document())}
    ]
    for order, rule in enumerate(chosen, 1):
        SelectionRule.objects.create(item=item, order=order, **rule)
    return item


def make_request(item: CatalogItem, requester: User, **wish: Any) -> Request:
    """A submitted request."""
    wish = {"title": "Please", "data": {"reason": "I need it"}, **wish}
    return create_request(item, Wish(**wish), actor=requester)


def row_counts() -> dict[str, int]:
    """How many rows every runtime table has: equal before and after a refusal."""
    return {model.__name__: model.objects.count() for model in RUNTIME_TABLES}


@contextmanager
def refusal(error: type[DomainError], match: str | None = None) -> Iterator[pytest.ExceptionInfo[DomainError]]:
    """The block raises the error, as it leaves a face's transaction, and no runtime table has gained or lost a row."""
    before = row_counts()
    with pytest.raises(error, match=match) as refused, transaction.atomic():
        yield refused
    assert row_counts() == before
