from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.journeys.processes import migrated_template


@pytest.fixture(scope="session")
def template(django_db_setup: None) -> Iterator[str]:
    """The database whose copies the processes of a test work on: migrating takes long, copying does not."""
    with migrated_template() as name:
        yield name
