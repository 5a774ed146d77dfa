"""For load balancers and operators: does the process answer, and is what it needs there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Min
from django.http import HttpRequest, HttpResponse, JsonResponse

from apps.core import clock
from apps.outbox.models import Event
from serviceflow.celery import app

LONGEST_LAG = timedelta(seconds=60)
BROKER_TIMEOUT_S = 2


def alive(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers."""
    return HttpResponse("ok", content_type="text/plain")


def ready(request: HttpRequest) -> JsonResponse:
    """200 if everything needed is there, 503 otherwise; each check with its answer."""
    answers = {name: _answer(check) for name, check in CHECKS.items()}
    fine = all(answer == "ok" for answer in answers.values())
    return JsonResponse({"ready": fine, "checks": answers}, status=200 if fine else 503)


def _answer(check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception as error:
        return type(error).__name__


def _database() -> str:
    connections[DEFAULT_DB_ALIAS].ensure_connection()
    return "ok"


def _migrations() -> str:
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    return "not migrated" if executor.migration_plan(executor.loader.graph.leaf_nodes()) else "ok"


def _broker() -> str:
    if not settings.CELERY_BROKER_URL.startswith("memory:"):
        options = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS, "socket_timeout": BROKER_TIMEOUT_S}
        with app.connection_for_write(settings.CELERY_BROKER_URL, transport_options=options) as connection:
            connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
    return "ok"


def _relay() -> str:
    oldest = Event.objects.filter(position__isnull=True).aggregate(at=Min("at"))["at"]
    return "lagging" if oldest and clock.now() - oldest > LONGEST_LAG else "ok"


CHECKS = {"database": _database, "migrations": _migrations, "broker": _broker, "relay": _relay}
