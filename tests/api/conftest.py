"""Clients with tokens and a small world: Rita asks, her manager Mia decides, Ivo of team IT works, Stan is nobody."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.api.tokens import new_pair
from apps.requests.models import CatalogItem, Request
from tests.api.openapi import Operation, check_answer, operation_of
from tests.factories import make_item, make_person, make_sla, make_team

API = "/api/v1"
DATA = {"reason": "Mine is broken"}
FORM: dict[str, Any] = {
    "fields": [
        {"name": "reason", "type": "text", "required": True, "max_length": 500},
        {"name": "price", "type": "money"},
        {"name": "needed_on", "type": "date"},
        {"name": "size", "type": "choice", "choices": [{"value": "small"}, {"value": "large"}]},
        {"name": "amount", "type": "number", "min": 1, "max": 10},
        {"name": "buddy", "type": "person"},
    ]
}


class Client(APIClient):
    """A JSON client below `/api/v1`; `api("get", "/me/")`. Every answer is held against the OpenAPI document."""

    answered: ClassVar[set[Operation]] = set()

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        data = b"" if body is None else _encoded(body)
        answer = self.generic(method.upper(), API + path, data=data, content_type="application/json", headers=headers)
        operation = operation_of(method, API + path)
        if operation:
            check_answer(operation, answer)
        if operation and answer.status_code < 300:
            self.answered.add(operation)
        return answer

    def of(self, user: User) -> Client:
        self.credentials(HTTP_AUTHORIZATION=f"Bearer {new_pair(user)['access']}")
        return self


def _encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


@dataclass(frozen=True, kw_only=True)
class World:
    """The people and the item of most tests."""

    rita: User
    mia: User
    ivo: User
    stan: User
    item: CatalogItem

    def client(self, name: str) -> Client:
        return Client().of(getattr(self, name))

    def ask(self, **body: Any) -> Request:
        """A request of Rita's through the API."""
        answer = self.client("rita").api("post", "/requests/", {"item": "laptop", "data": DATA, **body})
        assert answer.status_code == 201, answer.content
        return Request.objects.get(number=answer.json()["number"])


@pytest.fixture
def world(db: None) -> World:
    mia = make_person("mia")
    rita = make_person("rita", manager=mia)
    ivo, stan = make_person("ivo"), make_person("stan")
    make_team("it", ivo, lead=ivo)
    make_sla("laptop")
    return World(rita=rita, mia=mia, ivo=ivo, stan=stan, item=make_item("laptop", form=FORM, sla_key="laptop"))


@pytest.fixture
def sla(world: World) -> None:
    """The policy that the world's item names."""
    make_sla()
