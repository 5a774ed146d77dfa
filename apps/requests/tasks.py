"""The sweeps as a task; beat runs it every few seconds, and a second beat does no harm."""

from celery import shared_task

from apps.requests import sweeps


@shared_task(name="apps.requests.tasks.run_sweeps")
def run_sweeps() -> None:
    sweeps.run_sweeps()
