"""Reading event logs: CSV with any delimiter, XES (IEEE 1849), plain or gzip, a record at a time.

A record that cannot be taken is given with its problem, and reading goes on after it.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from apps.core.errors import InvalidInput

GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
DELIMITERS = (",", ";", "\t", "|")
LONGEST_RECORD = 1_000_000
MOST_LINES = 100
XES_VALUES = frozenset({"string", "date", "int", "float", "boolean", "id"})
BROKEN_FILE = (EOFError, zlib.error, gzip.BadGzipFile, OSError)


class UnreadableLog(InvalidInput):
    """The log cannot be read."""

    code = "unreadable_log"

    def __init__(self, text: str) -> None:
        super().__init__({"log": [text]})


@dataclass(frozen=True, kw_only=True)
class Line:
    """A record of a log. `number` is the line on which it begins (CSV), or which event of the file it is (XES).

    With a `problem` the values are those that could be read.
    """

    number: int
    values: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


class LogFile(Protocol):
    """An open log. `columns` is a CSV's header; XES has none."""

    kind: str
    columns: tuple[str, ...]

    def lines(self) -> Iterator[Line]:
        """Every record in the file's order. Raises UnreadableLog where the file itself breaks off."""


@contextmanager
def open_log(path: Path, *, delimiter: str | None = None, encoding: str = "utf-8") -> Iterator[LogFile]:
    """The log at the path; what it is, is seen from its content. Without `delimiter` it is found out from the header.

    Raises UnreadableLog for what is no file, is empty, or has no usable header.
    """
    try:
        "".encode(encoding)
    except LookupError as error:
        raise UnreadableLog(f"There is no encoding {encoding!r}.") from error
    with _bytes_of(path) as stream:
        start = _peek(stream)
        if not start.strip():
            raise UnreadableLog(f"{path} is empty.")
        yield _Xes(stream) if start.lstrip().startswith(b"<") else _Csv(stream, delimiter, encoding)


@contextmanager
def _bytes_of(path: Path) -> Iterator[IO[bytes]]:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
        with gzip.open(path, "rb") if packed else path.open("rb") as stream:
            yield stream  # type: ignore[misc] # both are binary streams
    except UnreadableLog:
        raise
    except BROKEN_FILE as error:
        what = getattr(error, "strerror", None) or "the file breaks off or is damaged"
        raise UnreadableLog(f"{path}: {what}.") from error


def _peek(stream: IO[bytes]) -> bytes:
    """The first bytes, without a byte order mark, which is skipped for good; the rest stays to be read."""
    start = stream.read(4096)
    stream.seek(len(BOM) if start.startswith(BOM) else 0)
    return start.removeprefix(BOM)


# CSV


class _Csv:
    kind = "csv"

    def __init__(self, stream: IO[bytes], delimiter: str | None, encoding: str) -> None:
        self.stream = _Lines(stream)
        self.encoding = encoding
        number, header = self._header()
        self.delimiter = delimiter or max(DELIMITERS, key=header.count)
        names = [name.strip() for name in next(csv.reader([header], delimiter=self.delimiter), [])]
        self._refuse(names, number)
        self.columns = tuple(names)

    def lines(self) -> Iterator[Line]:
        while record := self.stream.next():
            number, raw = record
            if raw.strip():
                yield self._line(number, raw)

    def _header(self) -> tuple[int, str]:
        while record := self.stream.next():
            if record[1].strip():
                return record[0], record[1].decode(self.encoding, "replace").strip("\r\n")
        raise UnreadableLog("There is no header.")

    @staticmethod
    def _refuse(names: list[str], number: int) -> None:
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or not all(names):
            what = f"the name {twice[0]!r} twice" if twice and twice[0] else "a column without a name"
            raise UnreadableLog(f"Line {number}: the header has {what}.")

    def _line(self, number: int, raw: bytes) -> Line:
        """The record that begins with this line: as many further lines as an open quote asks for, within bounds."""
        whole, mark = raw, self.stream.mark()
        for _ in range(MOST_LINES):
            if whole.count(b'"') % 2 == 0 or len(whole) > LONGEST_RECORD:
                break
            more = self.stream.next()
            if more is None:
                break
            whole += more[1]
        if whole.count(b'"') % 2:  # a quote that never ends does not swallow what comes after it
            self.stream.back_to(mark)
            return self._read(number, raw, "a quote is never closed")
        return self._read(number, whole)

    def _read(self, number: int, raw: bytes, problem: str = "") -> Line:
        try:
            text = raw.decode(self.encoding)
        except UnicodeDecodeError:
            problem, text = problem or f"this is not valid {self.encoding}", raw.decode(self.encoding, "replace")
        if "\0" in text:
            problem, text = problem or "it holds a NUL character", text.replace("\0", "\ufffd")
        try:
            found = next(csv.reader(text.splitlines(keepends=True), delimiter=self.delimiter), [])
        except csv.Error as error:
            problem, found = problem or f"it is broken: {error}", text.split(self.delimiter)
        if not problem and len(found) != len(self.columns):
            problem = f"{len(found)} values, the header has {len(self.columns)}"
        return Line(number=number, values=dict(zip(self.columns, found, strict=False)), problem=problem)


class _Lines:
    """The physical lines of a stream with their numbers, some of which can be taken back."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.source = enumerate(iter(lambda: stream.readline(LONGEST_RECORD), b""), 1)
        self.taken: list[tuple[int, bytes]] = []
        self.waiting: list[tuple[int, bytes]] = []

    def next(self) -> tuple[int, bytes] | None:
        line = self.waiting.pop() if self.waiting else next(self.source, None)
        if line is not None:
            self.taken.append(line)
        return line

    def mark(self) -> int:
        """Where `back_to` leads: after the line taken last. Earlier ones are forgotten."""
        del self.taken[:-1]
        return len(self.taken)

    def back_to(self, mark: int) -> None:
        self.waiting.extend(reversed(self.taken[mark:]))
        del self.taken[mark:]


# XES


class _Xes:
    kind = "xes"
    columns: tuple[str, ...] = ()

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream

    def lines(self) -> Iterator[Line]:
        try:
            yield from self._events()
        except ParseError as error:
            raise UnreadableLog(f"The XML is broken: {error}.") from error
        except DefusedXmlException as error:
            raise UnreadableLog("The XML declares entities or refers to other files; that is not read.") from error

    def _events(self) -> Iterator[Line]:
        number, path = 0, list[Element]()
        waiting: list[dict[str, str]] = []
        for what, element in iterparse(self.stream, events=("start", "end"), forbid_dtd=False):
            if what == "start":
                path.append(element)
                continue
            path.pop()
            kind, parent = _tag(element), _tag(path[-1]) if path else ""
            if kind == "event" and parent == "trace":
                waiting.append(_attributes(element))
                element.clear()
            elif kind == "trace":
                for values in _joined(_attributes(element), waiting):
                    number += 1
                    yield Line(number=number, values=values)
                waiting = []
                element.clear()
                if path:
                    path[-1].remove(element)


def _joined(trace: Mapping[str, str], events: list[dict[str, str]]) -> Iterator[dict[str, str]]:
    """The events' own attributes over those of their trace, which are also there as `case:...`."""
    shared = {f"case:{key}": value for key, value in trace.items()}
    for event in events:
        yield {**trace, **shared, **event}


def _attributes(element: Any) -> dict[str, str]:
    found = {child.get("key", ""): child.get("value", "") for child in element if _tag(child) in XES_VALUES}
    return {key: value for key, value in found.items() if key}


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]
