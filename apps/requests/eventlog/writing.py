"""Writing an event log, as CSV and as XES: both are streamed, and read back as they were written."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import TextIOBase
from itertools import groupby
from xml.sax.saxutils import XMLGenerator

COLUMNS = ("case_id", "activity", "timestamp", "resource", "role")
NAMESPACE = "http://www.xes-standard.org/"
EXTENSIONS = (("Concept", "concept"), ("Time", "time"), ("Organizational", "org"))
NAME, TIME, RESOURCE, ROLE = "concept:name", "time:timestamp", "org:resource", "org:role"
DEFAULTS = {NAME: "", TIME: "1970-01-01T00:00:00+00:00", RESOURCE: "", ROLE: ""}
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedEvent:
    """A line of a log. `at` is aware, in the zone in which it is to be written."""

    case: str
    activity: str
    at: datetime
    resource: str
    role: str
    attributes: Mapping[str, str] = field(default_factory=dict)


def write_csv(events: Iterable[LoggedEvent], stream: TextIOBase, *, attributes: Sequence[str] = ()) -> int:
    """Writes a header and a line per event, with the named attributes as further columns; returns how many events.

    Times are ISO 8601 with their offset, fractions of a second only where there are any. A log is data: a value that a
    spreadsheet would take for a formula is written as it is, so open the file there as text. Open `stream` with
    newline="". Raises ValueError if an attribute has the name of another column.
    """
    header = (*COLUMNS, *attributes)
    if len(set(header)) < len(header):
        raise ValueError(f"Two columns of one name: {', '.join(header)}")
    # with this line terminator a lone carriage return is quoted as well
    table = csv.writer(stream, lineterminator="\r\n")
    table.writerow(header)
    count = 0
    for count, event in enumerate(events, 1):  # noqa: B007 - the last one is the sum
        fixed = (event.case, event.activity, event.at.isoformat(), event.resource, event.role)
        table.writerow([*fixed, *(event.attributes.get(name, "") for name in attributes)])
    return count


def write_xes(events: Iterable[LoggedEvent], stream: TextIOBase) -> int:
    """Writes XES 1.0 (IEEE 1849) with a trace per case and returns how many events.

    The events come grouped by case: where the case changes, a new trace begins. Further attributes are strings; one
    with the key of a standard attribute is left out. What XML 1.0 forbids is written as U+FFFD.
    """
    xes = _Xes(stream)
    count = 0
    with xes.log():
        for case, of_case in groupby(events, key=lambda event: event.case):
            with xes.inside("trace"):
                xes.attribute("string", NAME, case)
                for event in of_case:
                    count += 1
                    xes.event(event)
    return count


class _Xes:
    """XES elements onto a stream, each on a line of its own, indented."""

    def __init__(self, stream: TextIOBase) -> None:
        self._xml = XMLGenerator(stream, encoding="utf-8", short_empty_elements=True)
        self._depth = 0

    @contextmanager
    def log(self) -> Iterator[None]:
        self._xml.startDocument()
        head = {"xes.version": "1.0", "xes.features": "", "xmlns": NAMESPACE}
        self._xml.startElement("log", head)  # type: ignore[arg-type]
        self._depth = 1
        for name, prefix in EXTENSIONS:
            self._empty("extension", name=name, prefix=prefix, uri=f"{NAMESPACE}{prefix}.xesext")
        self._globals()
        self._empty("classifier", name="Activity", keys=NAME)
        yield
        self._depth = 0
        self._end("log")
        self._xml.characters("\n")

    @contextmanager
    def inside(self, name: str, /, **attributes: str) -> Iterator[None]:
        self._start(name, attributes)
        self._depth += 1
        yield
        self._depth -= 1
        self._end(name)

    def event(self, event: LoggedEvent) -> None:
        with self.inside("event"):
            self.attribute("string", NAME, event.activity)
            self.attribute("date", TIME, event.at.isoformat())
            self.attribute("string", RESOURCE, event.resource)
            self.attribute("string", ROLE, event.role)
            for key, value in event.attributes.items():
                if key not in DEFAULTS:
                    self.attribute("string", key, value)

    def attribute(self, kind: str, key: str, value: str) -> None:
        self._empty(kind, key=key, value=value)

    def _globals(self) -> None:
        with self.inside("global", scope="trace"):
            self.attribute("string", NAME, DEFAULTS[NAME])
        with self.inside("global", scope="event"):
            for key, value in DEFAULTS.items():
                self.attribute("date" if key == TIME else "string", key, value)

    def _empty(self, name: str, /, **attributes: str) -> None:
        self._start(name, attributes)
        self._xml.endElement(name)

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._indent()
        clean = {key: _FORBIDDEN.sub("\ufffd", value) for key, value in attributes.items()}
        self._xml.startElement(name, clean)  # type: ignore[arg-type]

    def _end(self, name: str) -> None:
        self._indent()
        self._xml.endElement(name)

    def _indent(self) -> None:
        self._xml.ignorableWhitespace("\n" + "  " * self._depth)
