from __future__ import annotations

from dataclasses import dataclass

import pytest

from apps.accounts.models import User
from apps.requests.models import CatalogItem
from tests.factories import make_item, make_person, make_sla, make_team


@dataclass(frozen=True, kw_only=True)
class World:
    """A requester with a manager, a team that works, a stranger, and an item that joins them."""

    requester: User
    manager: User
    worker: User
    senior: User
    lead: User
    stranger: User
    administrator: User
    item: CatalogItem


@pytest.fixture
def world(db: None) -> World:
    manager = make_person("manager")
    worker, lead = make_person("worker"), make_person("lead")
    senior = make_person("senior", roles=["senior"])
    make_team("it", worker, senior, lead, lead=lead)
    make_sla()
    return World(
        requester=make_person("requester", manager=manager),
        manager=manager,
        worker=worker,
        senior=senior,
        lead=lead,
        stranger=make_person("stranger"),
        administrator=make_person("administrator", roles=["administrator"]),
        item=make_item(sla_key="standard"),
    )
