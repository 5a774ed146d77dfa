"""Waking the relay sooner than beat would. Nothing depends on it: every wake-up may be lost."""

from __future__ import annotations

import time

import structlog
from celery import current_app
from django.db import connection, transaction

log = structlog.get_logger(__name__)
QUIET_SECONDS = 10.0
_quiet_until = 0.0


def wake_after_commit() -> None:
    """Asks a worker to run the relay once this transaction has committed, at most once per transaction."""
    if all(hook[1] is not _send for hook in connection.run_on_commit):
        transaction.on_commit(_send, robust=True)


def _send() -> None:
    """Sends the wake-up; after a failure it stays quiet for ten seconds, so that a dead broker slows nobody down."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        current_app.send_task("apps.outbox.tasks.run_relay", retry=False, ignore_result=True)
    except Exception as error:
        _quiet_until = time.monotonic() + QUIET_SECONDS
        log.warning("relay_not_woken", error=type(error).__name__)
