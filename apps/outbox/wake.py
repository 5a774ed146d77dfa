"""Waking the relay sooner than beat would. Nothing depends on it: every wake-up may be lost."""

from __future__ import annotations

import threading
import time

import structlog
from celery import current_app
from django.db import connection, transaction

log = structlog.get_logger(__name__)
QUIET_SECONDS = 10.0
_quiet_until = 0.0
_wanted = threading.Event()
_starting = threading.Lock()
_sender: threading.Thread | None = None


def wake_after_commit() -> None:
    """Asks a worker to run the relay once this transaction has committed, at most once per transaction.

    The asking is done by a thread of its own: a broker that is gone costs seconds to notice, one that hangs thirty.
    """
    if all(hook[1] is not wake for hook in connection.run_on_commit):
        transaction.on_commit(wake, robust=True)


def wake() -> None:
    """Lets the sender send now; wake-ups that are wanted while it is busy become one."""
    global _sender
    _wanted.set()
    with _starting:
        if _sender is None or not _sender.is_alive():  # none yet, or left behind by a fork
            _sender = threading.Thread(target=_send_when_wanted, name="wake-relay", daemon=True)
            _sender.start()


def _send_when_wanted() -> None:
    while _wanted.wait():
        _wanted.clear()
        _send()


def _send() -> None:
    """Sends the wake-up; after a failure it stays quiet for ten seconds: beat comes by more often than that."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        current_app.send_task("apps.outbox.tasks.run_relay", retry=False, ignore_result=True)
    except Exception as error:
        _quiet_until = time.monotonic() + QUIET_SECONDS
        log.warning("relay_not_woken", error=type(error).__name__)
