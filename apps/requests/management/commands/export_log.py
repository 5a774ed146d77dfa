"""`manage.py export_log`: what people did, as an event log for process mining."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import TextIOBase
from pathlib import Path
from typing import Any, cast

from django.core.management.base import BaseCommand, CommandError

from apps.requests.eventlog.writing import LoggedEvent, write_csv, write_xes
from apps.requests.models import CatalogItem
from apps.requests.selectors.eventlog import ATTRIBUTES, logged_events

Writer = Callable[[Iterable[LoggedEvent], TextIOBase], int]
FORMATS: dict[str, Writer] = {
    "csv": lambda events, stream: write_csv(events, stream, attributes=ATTRIBUTES),
    "xes": write_xes,
}


class Command(BaseCommand):
    help = (
        "Writes what people did as an event log, CSV or XES (IEEE 1849): a line per activity, times in the item's "
        "zone. Imported history comes out in the words of its log. docs/import.md says more."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=FORMATS, default="csv")
        parser.add_argument("--item", metavar="SLUG", help="only the requests of this catalogue item")
        parser.add_argument("--out", type=Path, metavar="FILE", help="a file instead of standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        item, out = options["item"], options["out"]
        if item is not None:
            _demand_item(item)
        events = _Counted(logged_events(item=item))
        try:
            with _file(out) if out else self._standard_output() as stream:
                count = FORMATS[options["format"]](events, stream)
        except BrokenPipeError:
            self._forget_the_rest()
            return
        self.stderr.write(f"exported {count:,} events of {events.cases:,} cases")

    @contextmanager
    def _standard_output(self) -> Iterator[TextIOBase]:
        """Standard output as UTF-8, its line ends left as they are written; flushed while a closed pipe is expected."""
        self.stdout.ending = ""
        if reconfigure := getattr(self.stdout, "reconfigure", None):
            reconfigure(encoding="utf-8", newline="")
        yield cast("TextIOBase", self.stdout)
        self.stdout.flush()

    def _forget_the_rest(self) -> None:
        """What is still buffered for a closed pipe goes nowhere, so that the end of the process says nothing of it."""
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), self.stdout.fileno())


class _Counted:
    """The events, and how many cases they were of."""

    def __init__(self, events: Iterator[LoggedEvent]) -> None:
        self.cases = 0
        self._events = events

    def __iter__(self) -> Iterator[LoggedEvent]:
        case = None
        for event in self._events:
            self.cases += event.case != case
            case = event.case
            yield event


def _demand_item(slug: str) -> None:
    known = list(CatalogItem.objects.order_by("slug").values_list("slug", flat=True))
    if slug not in known:
        raise CommandError(f"There is no catalogue item {slug!r}; there are {', '.join(known) or 'none'}.")


@contextmanager
def _file(path: Path) -> Iterator[TextIOBase]:
    """The file appears under its name when it is complete; until then, and after a failure, an older one stays."""
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise CommandError(f"{path} is no file.")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            yield file
        unfinished.replace(path)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
