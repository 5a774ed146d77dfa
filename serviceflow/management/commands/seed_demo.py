"""`manage.py seed_demo`: a small believable organisation to try things with."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from serviceflow.demo import seed


class Command(BaseCommand):
    help = "Writes the demonstration organisation: people, teams, a calendar, catalogue items, workflows, requests."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--history", type=int, default=0, help="so many cases of an imported history as well")

    def handle(self, *args: Any, **options: Any) -> None:
        made = seed(say=lambda what: self.stdout.write(f"  seeding {what} ..."), history=options["history"])
        self.stdout.write(
            "  the demonstration data is in place" if made else "  the demonstration data is there already"
        )
