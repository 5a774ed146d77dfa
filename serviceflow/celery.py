"""Workers and beat: `celery -A serviceflow worker`, `celery -A serviceflow beat`. A second beat is harmless."""

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "serviceflow.settings.production")
app = Celery("serviceflow")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()  # also in threads that did not make it
app.autodiscover_tasks()


@app.on_after_configure.connect
def set_schedule(sender: Celery, **_: object) -> None:
    """The static schedule: beat brings round what no wake-up announced."""
    sender.conf.beat_schedule = {
        "relay": {"task": "apps.outbox.tasks.run_relay", "schedule": settings.RELAY_EVERY_SECONDS},
        "checks": {"task": "apps.requests.tasks.run_checks", "schedule": settings.SWEEP_EVERY_SECONDS},
        "rebasings": {"task": "apps.requests.tasks.run_rebasings", "schedule": settings.SWEEP_EVERY_SECONDS},
        "sweeps": {"task": "apps.requests.tasks.run_sweeps", "schedule": settings.SWEEP_EVERY_SECONDS},
    }
