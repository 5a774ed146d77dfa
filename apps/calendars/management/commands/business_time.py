"""`manage.py business_time`: cases of business time in a file, answered and compared with what they expect."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.calendars.business_time.rows import Outcome, judge

FAILED, UNREADABLE = 1, 2  # exit codes


class Command(BaseCommand):
    help = (
        "Answers the rows of a file (a JSON object a line: a calendar, a question, the answer expected) and says which"
        " answers differ. Needs no database. Exit code 0 if all rows pass, 1 if not, 2 if the file cannot be read."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the rows, one JSON object a line")
        parser.add_argument("--json", action="store_true", help="the answer as one JSON object on the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        outcomes = self._outcomes(Path(options["file"]))
        failed = [one for one in outcomes if not one.passed]
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {
                        "rows": len(outcomes),
                        "passed": len(outcomes) - len(failed),
                        "failed": [{"id": one.id, "expected": one.expected, "got": one.got} for one in failed],
                    }
                )
            )
        else:
            self._report(outcomes, failed)
        if failed:
            sys.exit(FAILED)

    def _outcomes(self, path: Path) -> list[Outcome]:
        try:
            with path.open("rb") as lines:
                return [judge(line, number=number) for number, line in enumerate(lines, 1) if line.strip()]
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror or error}", returncode=UNREADABLE) from None

    def _report(self, outcomes: list[Outcome], failed: list[Outcome]) -> None:
        for one in failed:
            self.stdout.write(f"{json.dumps(one.id)[1:-1]} ({json.dumps(one.kind)[1:-1]})")
            self.stdout.write(f"  expected  {json.dumps(one.expected)}")
            self.stdout.write(f"  got       {json.dumps(one.got)}")
        asked, wrong = (Counter(json.dumps(one.kind)[1:-1] for one in these) for these in (outcomes, failed))
        for kind, count in sorted(asked.items()):
            self.stdout.write(f"{kind or 'unreadable':<16} {count - wrong[kind]:>6} of {count}")
        self.stdout.write(f"{'all':<16} {len(outcomes) - len(failed):>6} of {len(outcomes)}")
