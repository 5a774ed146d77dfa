"""Records of a CSV, each with its place. One that is broken is named and swallows nothing after it."""

from __future__ import annotations

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from apps.requests.eventlog.lines import Line, unreadable

DELIMITERS = (",", ";", "\t", "|")
MOST_LINES = 100
MOST_BYTES = 1 << 20
ENDLESS = f"has a quote that is not closed within {MOST_LINES} lines and 1 MB"
TOO_LONG = "is longer than 1 MB"
csv.field_size_limit(MOST_BYTES)
_QUOTED = re.compile(r'"[^"]*(?:"|$)')


class CsvLog:
    """A CSV file behind its header. A byte order mark and blank lines are passed over."""

    kind = "csv"

    def __init__(self, *, path: Path, stream: BufferedReader, encoding: str, delimiter: str | None) -> None:
        _demand_usable(encoding, delimiter)
        self._lines = _PhysicalLines(stream, encoding)
        first = self._lines.first()
        if first is None:
            raise unreadable(f"{path} has no header." if self._lines.count else f"{path} is empty.")
        self._delimiter = delimiter or _sniffed(first)
        self._reader = csv.reader(self._lines, delimiter=self._delimiter, strict=True)
        self.columns: tuple[str, ...] = ()
        self.columns = self._header(path)

    def lines(self) -> Iterator[Line]:
        """The records behind the header; a problem does not end them."""
        while (record := self._next()) is not None:
            if not record.is_blank:
                yield self._line(record)

    def _header(self, path: Path) -> tuple[str, ...]:
        record = self._next()
        assert record is not None
        if record.problem:
            raise unreadable(f"The header of {path} (line {record.number}) {record.problem}.")
        columns = tuple(name.strip() for name in record.row)
        twice = next((name for place, name in enumerate(columns) if name in columns[:place]), None)
        if twice is not None:
            raise unreadable(f"{path} has two columns {f'named {twice!r}' if twice else 'without a name'}.")
        return columns

    def _line(self, record: _Record) -> Line:
        values = dict(zip(self.columns, record.row, strict=False))
        return Line(number=record.number, values=values, problem=record.problem or self._miscount(record.row))

    def _miscount(self, row: Sequence[str]) -> str:
        wanted, there = len(self.columns), len(row)
        return "" if there == wanted else f"has {there} value{'s' * (there != 1)}, the header has {wanted}"

    def _next(self) -> _Record | None:
        self._lines.begin()
        try:
            row = next(self._reader)
        except StopIteration:
            return None
        except _Endless:
            return self._broken(ENDLESS)
        except csv.Error as error:
            return self._broken(f"is no CSV: {error}")
        if len(self._lines.taken) > 1 and self.columns and self._miscount(row):
            return self._broken(self._miscount(row))
        return _Record(self._lines.number, row, self._lines.problem)

    def _broken(self, problem: str) -> _Record:
        """The record ends with its first line, and the lines after it are read again, as records of their own.

        Its last value is left out: it is the one in which a quote was never closed.
        """
        first = self._lines.give_back()
        try:
            row = next(csv.reader([first.text], delimiter=self._delimiter), [])
        except csv.Error:
            row = []
        return _Record(first.number, row[:-1], first.problem or problem)


class _Record(NamedTuple):
    number: int
    row: list[str]
    problem: str

    @property
    def is_blank(self) -> bool:
        return not self.problem and (not self.row or (len(self.row) == 1 and self.row[0].isspace()))


class _PhysicalLine(NamedTuple):
    number: int
    text: str
    problem: str


class _Endless(Exception):
    """A record goes on for longer than any record does."""


class _PhysicalLines:
    """The physical lines of a file as an iterator, which remembers what it gave since `begin` and takes it back."""

    def __init__(self, stream: BufferedReader, encoding: str) -> None:
        self.count = 0
        self.taken: list[_PhysicalLine] = []
        self._length = 0
        self._ahead: deque[_PhysicalLine] = deque()
        self._stream = stream
        self._encoding = encoding

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else self._read()
        self.taken.append(line)
        self._length += len(line.text)
        if len(self.taken) > MOST_LINES or (self._length > MOST_BYTES and len(self.taken) > 1):
            raise _Endless
        return line.text

    def begin(self) -> None:
        """A new record begins here."""
        self.taken = []
        self._length = 0

    def give_back(self) -> _PhysicalLine:
        """The record's first line; those after it will be given again."""
        first, *others = self.taken
        self._ahead.extendleft(reversed(others))
        return first

    def first(self) -> str | None:
        """The first line that is not blank, which will be given again; None if there is none."""
        for text in self:
            if text.strip() or self.problem:
                self._ahead.append(self.taken[-1])
                return text
            self.begin()
        return None

    @property
    def number(self) -> int:
        return self.taken[0].number

    @property
    def problem(self) -> str:
        return next((line.problem for line in self.taken if line.problem), "")

    def _read(self) -> _PhysicalLine:
        raw = self._stream.readline(MOST_BYTES + 1)
        if not raw:
            raise StopIteration
        self.count += 1
        if len(raw) > MOST_BYTES:
            self._pass_over(raw)
            return _PhysicalLine(self.count, "", TOO_LONG)
        return self._decoded(raw.removeprefix(codecs.BOM_UTF8) if self.count == 1 else raw)

    def _pass_over(self, raw: bytes) -> None:
        while raw and not raw.endswith(b"\n"):
            raw = self._stream.readline(MOST_BYTES)

    def _decoded(self, raw: bytes) -> _PhysicalLine:
        problem = "holds a NUL character" if b"\0" in raw else ""
        try:
            return _PhysicalLine(self.count, raw.decode(self._encoding), problem)
        except UnicodeDecodeError:
            text = raw.decode(self._encoding, errors="replace")
            return _PhysicalLine(self.count, text, f"is not valid {self._encoding}")


def _demand_usable(encoding: str, delimiter: str | None) -> None:
    try:
        by_line = b"\n,".decode(encoding) == "\n,"
    except (LookupError, UnicodeError):
        raise unreadable(f"There is no encoding {encoding!r}.") from None
    if not by_line:
        raise unreadable(f"The encoding {encoding!r} cannot be read line by line; save the log as UTF-8.")
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0'):
        raise unreadable(f"{delimiter!r} cannot be a delimiter.")


def _sniffed(header: str) -> str:
    """The delimiter that the header has most of outside of quotes; a comma if it has none."""
    bare = _QUOTED.sub("", header)
    return max(DELIMITERS, key=bare.count)
