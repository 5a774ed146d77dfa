"""Acts at the same moment: each in a thread with a connection of its own, as other processes would do them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connection, transaction

Act = Callable[[], object]
PATIENCE_S = 120
"""How long a thread may take: a machine may be slow, so this bounds only a wait in vain."""


def at_once(*acts: Act) -> list[BaseException]:
    """Runs the acts in threads that start together; what they raised, in the order in which it happened."""
    start, raised = threading.Barrier(len(acts)), []

    def run(act: Act) -> None:
        try:
            start.wait(PATIENCE_S)
            act()
        except BaseException as error:
            raised.append(error)

    threads = [beside(lambda act=act: run(act)) for act in acts]
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads)
    return raised


def beside(act: Act) -> threading.Thread:
    """A thread that has begun the act, and closes its connection at the end."""

    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def in_one_transaction(act: Act) -> None:
    with transaction.atomic():
        act()
