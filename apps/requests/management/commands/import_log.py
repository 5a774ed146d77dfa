"""`manage.py import_log`: the history of another tool, replayed through the services."""

from __future__ import annotations

import csv
import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from apps.core.errors import DomainError
from apps.requests.eventlog.staging import Staging
from apps.requests.services.importing.handover import hand_over
from apps.requests.services.importing.replay import Result
from apps.requests.services.importing.run import Totals, refresh_statistics, replay_cases, stage
from apps.requests.services.importing.setting import Setting, prepare

OUT = ("case_id", "number", "status", "step", "accepted", "refused_at", "reason")
MOST_NAMED = 20


class Command(BaseCommand):
    help = (
        "Replays an event log (CSV or XES, plain or gzip) as requests: each line becomes a call of a service, at its "
        "own time, as its own person. Interrupted, it goes on where it stopped. docs/import.md explains the mapping."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("log", type=Path, help="the event log: .csv, .csv.gz, .xes, .xes.gz")
        parser.add_argument("mapping", type=Path, help="what its activities mean (JSON)")
        parser.add_argument("--json", action="store_true", help="the sums as one JSON object on the last line")
        parser.add_argument("--out", type=Path, help="write a line per case into this CSV file")
        parser.add_argument("--limit", type=_positive, help="only the first so many cases of the log")
        parser.add_argument("--strict", action="store_true", help="stop at the first line or key that is wrong")
        parser.add_argument(
            "--close",
            action="store_true",
            help="hand all cases of the source over to live operation afterwards, for good",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["close"] and options["limit"]:
            raise CommandError("--close hands over every case of the source; it does not go together with --limit.")
        self.named = 0
        began = time.monotonic()
        try:
            setting = prepare(options["mapping"])
            self._warn(setting, strict=options["strict"])
            totals = self._import(setting, options)
            refresh_statistics(totals.taken)
            if options["close"]:
                closed = hand_over(setting.mapping.source)
                self.stderr.write(f"handed {closed:,} cases over to live operation")
        except KeyboardInterrupt:
            raise CommandError("Interrupted. The same command goes on where it stopped.") from None
        except DomainError as error:
            raise CommandError(_told(error)) from error
        self._report(totals, seconds=time.monotonic() - began, as_json=options["json"])

    def _import(self, setting: Setting, options: dict[str, Any]) -> Totals:
        totals, how = Totals(), {"say": self._say, "strict": options["strict"]}
        with Staging() as staging, _table(options["out"]) as table:
            homeless = stage(options["log"], setting, staging, **how)
            if homeless:
                totals.refused["a line without a case"] = homeless
            cases = min(staging.count_cases(), options["limit"] or sys.maxsize)
            with _progress(cases) as bar:
                for result, taken in replay_cases(staging, setting, limit=options["limit"], **how):
                    totals.add(result, taken)
                    table.writerow(_row(result))
                    bar.update()
        return totals

    def _warn(self, setting: Setting, *, strict: bool) -> None:
        for text in setting.broken.values():
            if strict:
                raise CommandError(f"The mapping: {text}")
            self._say(f"the mapping: {text} Cases with this activity are skipped.")

    def _say(self, text: str) -> None:
        """Names the first mistakes one by one; all of them are counted."""
        self.named += 1
        further = "further ones are only counted (--out has the reason of every case)"
        if self.named <= MOST_NAMED + 1:
            with tqdm.external_write_mode(file=sys.stderr):
                self.stderr.write(text if self.named <= MOST_NAMED else further)

    def _report(self, totals: Totals, *, seconds: float, as_json: bool) -> None:
        report = {
            "cases": totals.cases,
            "accepted": totals.accepted,
            "refused": dict(totals.refused.most_common()),
            "final": dict(totals.final.most_common()),
            "seconds": round(seconds, 1),
            "events_per_second": round(totals.taken / seconds, 1),
        }
        if as_json:
            self.stdout.write(json.dumps(report, ensure_ascii=False))
            return
        self.stdout.write(f"{totals.cases:,} cases, {totals.accepted:,} events accepted, {totals.taken:,} of them now")
        self.stdout.write(f"{report['seconds']} s, {report['events_per_second']} events per second")
        for title, counts in (("refused", totals.refused), ("where the cases are", totals.final)):
            self.stdout.write(f"{title}:" if counts else f"{title}: nothing")
            self.stdout.writelines(f"  {count:>8,}  {name}\n" for name, count in counts.most_common())


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError("it must be a whole number from 1 on")
    return int(text)


def _told(error: DomainError) -> str:
    errors: dict[str, list[str]] = getattr(error, "errors", {})
    return "\n".join(f"{place}: {' '.join(messages)}" for place, messages in errors.items()) or error.detail


def _row(result: Result) -> tuple[Any, ...]:
    refused_at = result.refused_at.astimezone(UTC).isoformat() if result.refused_at else ""
    return result.case, result.number, result.status, result.step, result.accepted, refused_at, result.reason


@contextmanager
def _progress(cases: int) -> Iterator[tqdm]:
    """A bar on a terminal; elsewhere a line now and then."""
    often = 0.1 if sys.stderr.isatty() else 15.0
    with tqdm(total=cases, unit=" cases", file=sys.stderr, mininterval=often, maxinterval=often, leave=True) as bar:
        yield bar


class _Nothing:
    def writerow(self, row: object) -> None:
        """Nobody asked for a table."""


@contextmanager
def _table(path: Path | None) -> Iterator[Any]:
    """A CSV file with a line per case; it appears under its name when it is complete."""
    if path is None:
        yield _Nothing()
        return
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(OUT)
            yield table
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    unfinished.replace(path)
