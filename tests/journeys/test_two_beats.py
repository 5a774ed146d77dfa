"""Two Celery beats and two workers with Redis, as in production: what falls due is told once all the same."""

from __future__ import annotations

import pytest
from django.db import connection

from tests.journeys.processes import background, database_url, production_env, redis_server
from tests.journeys.sweepers import requests_that_fall_due, wait_until_settled, wrongs

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.redis,
    pytest.mark.long,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(900),
]


def test_two_beats_at_once_miss_nothing_and_do_nothing_twice(tmp_path, settings):
    with redis_server(tmp_path) as redis:
        env = production_env(tmp_path, database=database_url(connection.settings_dict["NAME"]), redis=redis)
        settings.AUDIT_KEYS = env["AUDIT_KEYS"]  # one chain: the workers sign it too
        requests = requests_that_fall_due(40, seconds=15)
        with background(tmp_path, env=env, workers=2, beats=2):
            wait_until_settled()
        assert wrongs(requests) == []
