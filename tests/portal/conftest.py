"""Readers of pages: Rita asks, her manager Mia decides, Ivo of team IT works, Lea leads it, Stan is nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from apps.accounts.models import User
from apps.approvals.models import Approval
from apps.requests.models import CatalogItem, Request
from apps.requests.services.decisions import record_decision
from apps.workflows.models import Task
from tests.factories import make_item, make_person, make_request, make_sla, make_team

FORM: dict[str, Any] = {
    "fields": [
        {"name": "reason", "type": "text", "required": True, "max_length": 50, "multiline": True, "help": "Why now?"},
        {"name": "price", "type": "money", "label": "Price", "currencies": ["EUR", "USD"]},
        {"name": "needed_on", "type": "date", "label": "Needed on"},
        {"name": "size", "type": "choice", "choices": [{"value": "s", "label": "Small"}, {"value": "l"}]},
        {"name": "pieces", "type": "number", "min": 1, "max": 10, "integer": True},
        {"name": "buddy", "type": "person", "label": "Buddy"},
    ]
}


@dataclass(frozen=True, kw_only=True)
class World:
    """The people of the pages, and the item that joins them."""

    rita: User
    mia: User
    ivo: User
    lea: User
    stan: User
    item: CatalogItem

    def ask(self, **wish: Any) -> Request:
        """A submitted request of Rita's; Mia is asked to approve."""
        return make_request(self.item, self.rita, **wish)

    def approve(self, request: Request) -> Task:
        """Mia approves; team IT gets its task."""
        with transaction.atomic():
            record_decision(approval_of(request), verdict="approve", actor=self.mia)
        return Task.objects.get(stream_id=request.pk)


@pytest.fixture
def world(db: None) -> World:
    mia, ivo, lea = make_person("mia"), make_person("ivo"), make_person("lea")
    make_team("it", ivo, lea, lead=lea)
    make_sla()
    return World(
        rita=make_person("rita", manager=mia, last_name="Roos"),
        mia=mia,
        ivo=ivo,
        lea=lea,
        stan=make_person("stan"),
        item=make_item("laptop", form=FORM, sla_key="standard", name="New laptop", summary="Set up and ready"),
    )


def as_(user: User) -> Client:
    """A browser in which this person is logged in."""
    client = Client()
    client.force_login(user)
    return client


def approval_of(request: Request) -> Approval:
    return Approval.objects.get(stream_id=request.pk)


def text_of(answer: Any) -> str:
    """The words of a page, each element's apart, blanks made single."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode()))).strip()


def page_of(request: Request, *more: str) -> str:
    return "/".join(["", "requests", request.number, *more, ""])


@pytest.fixture
def anonymous() -> Client:
    return Client()
