"""`manage.py rotate_keys`: every stored secret under the newest key of DATA_KEYS."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.crypto import data_ring
from apps.workflows.services.secrets import BATCH, reseal_secrets, sealing_keys


def _batch(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise ArgumentTypeError("a whole number from 1 to 10,000")
    return int(text)


class Command(BaseCommand):
    help = (
        "Seals every stored secret that an older key seals anew, under the last entry of DATA_KEYS, in batches of one"
        " transaction each. It can be stopped and run again at any time, and while people work: what is done stays"
        " done. Exit code 0 if nothing is left under an older key, 1 if a secret could not be opened."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch", type=_batch, default=BATCH, help="secrets per transaction (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        sealed, kept, broken = 0, 0, list[str]()
        for batch in reseal_secrets(batch=options["batch"]):
            sealed, kept = sealed + batch.sealed, kept + batch.kept
            broken += [f"{name}: {reason}" for name, reason in batch.broken]
            self.stderr.write(f"{sealed + kept + len(broken):,} secrets seen")
        ring = data_ring()
        self.stdout.write(f"{sealed:,} sealed anew under the key {ring.current!r}, {kept:,} were already.")
        used = sealing_keys()
        for key in ring.keys:
            if key not in used and key != ring.current:
                self.stdout.write(f"The key {key!r} seals no stored secret any more.")
        if broken:
            raise CommandError("\n".join((f"{len(broken):,} could not be opened and are as they were:", *broken)))
