"""The relay as a task: woken after commits, and by beat."""

from celery import shared_task

from apps.outbox import relay, wake

TURN_SECONDS = 1.0


@shared_task(name="apps.outbox.tasks.run_relay")
def run_relay() -> None:
    """A short turn, so that a backlog does not keep the sweeps from a worker; asks for another if there is more."""
    if relay.run_relay_for(TURN_SECONDS):
        wake.wake()
