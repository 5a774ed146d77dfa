"""`manage.py seed_demo`: a small believable organisation to try things with."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from serviceflow.demo import seed


class Command(BaseCommand):
    help = "Writes the demonstration organisation: people, teams, a calendar, catalogue items, workflows, requests."

    def handle(self, *args: Any, **options: Any) -> None:
        made = seed(say=lambda what: self.stdout.write(f"  seeding {what} ..."))
        self.stdout.write(
            "  the demonstration data is in place" if made else "  the demonstration data is there already"
        )
