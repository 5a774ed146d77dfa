import pytest
from django.test import Client

from apps.accounts.models import User
from tests.core.admin_pages import admin_client
from tests.factories import make_person, make_team


@pytest.fixture
def client(db: None) -> Client:
    return admin_client(roles=["administrator"])[0]


@pytest.fixture
def people(db: None) -> dict[str, User]:
    boss = make_person("boss")
    found = {name: make_person(name, manager=boss) for name in ("ann", "bea", "dan")}
    make_person("dora", roles=["director"])
    make_team("it", boss)
    return {"boss": boss, **found}
