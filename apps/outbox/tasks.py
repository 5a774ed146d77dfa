"""The relay as a task: woken after commits, and by beat."""

from celery import shared_task

from apps.outbox import relay


@shared_task(name="apps.outbox.tasks.run_relay")
def run_relay() -> None:
    relay.run_relay()
