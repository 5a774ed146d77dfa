"""The sweeps as a task; beat runs it every few seconds, and a second beat does no harm."""

from celery import shared_task

from apps.requests import sweeps
from apps.requests.services import checking, rebasing_worker
from apps.requests.services.gate import check_workflow


@shared_task(name="apps.requests.tasks.run_sweeps")
def run_sweeps() -> None:
    sweeps.run_sweeps()


@shared_task(name="apps.requests.tasks.run_checks", time_limit=600, soft_time_limit=570)
def run_checks() -> None:
    checking.run_checks(lambda document, progress: check_workflow(document, progress=progress))


@shared_task(name="apps.requests.tasks.run_rebasings", time_limit=600, soft_time_limit=570)
def run_rebasings() -> None:
    rebasing_worker.run_rebasings()
