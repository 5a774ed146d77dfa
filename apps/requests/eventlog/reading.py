"""Reading an event log: CSV or XES, plain or gzip, told apart by what is in the file."""

from __future__ import annotations

import codecs
import gzip
import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from apps.requests.eventlog.csv_log import CsvLog
from apps.requests.eventlog.lines import Line, UnreadableLog, naming
from apps.requests.eventlog.xes_log import XesLog

__all__ = ["Line", "LogFile", "UnreadableLog", "open_log"]

BUFFER = 1 << 16
GZIP = b"\x1f\x8b"
WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(kw_only=True)
class LogFile:
    """An open log. `kind` is "csv" or "xes"; `columns` is a CSV's header, () for XES."""

    path: Path
    kind: str
    columns: tuple[str, ...]
    _log: CsvLog | XesLog
    _files: ExitStack = field(repr=False)

    def lines(self) -> Iterator[Line]:
        """The records in the file's order, once. One that cannot be taken carries its problem, and reading goes on.

        Raises UnreadableLog where nothing after it can be read: damaged compression, malformed XML.
        """
        with naming(self.path):
            yield from self._log.lines()

    def close(self) -> None:
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def open_log(path: str | Path, *, delimiter: str | None = None, encoding: str = "utf-8") -> LogFile:
    """Opens the log and reads a CSV's header; use it with `with`.

    `delimiter` and `encoding` are for CSV alone; without a delimiter it is the one of comma, semicolon, tab and bar
    that the header has most of. Raises UnreadableLog naming what is wrong: no file, nothing in it, no usable header.
    """
    path = Path(path)
    with ExitStack() as files, naming(path):
        stream = _unpacked(files.enter_context(path.open("rb")), files)
        log: CsvLog | XesLog
        if _is_xml(stream):
            log = XesLog(path=path, stream=stream)
        else:
            log = CsvLog(path=path, stream=stream, encoding=encoding, delimiter=delimiter)
        return LogFile(path=path, kind=log.kind, columns=log.columns, _log=log, _files=files.pop_all())
    raise AssertionError("naming() swallows nothing")


def _unpacked(raw: io.BufferedReader, files: ExitStack) -> io.BufferedReader:
    if raw.peek(2)[:2] != GZIP:
        return raw
    unzipped = files.enter_context(gzip.GzipFile(fileobj=raw))
    # GzipFile reads and peeks like any raw stream; the buffer makes reading line by line twice as fast
    return io.BufferedReader(cast("io.RawIOBase", unzipped), BUFFER)


def _is_xml(stream: io.BufferedReader) -> bool:
    """Whether the first character that is not blank opens a tag."""
    start = stream.peek(BUFFER)
    if start.startswith(WIDE_MARKS):
        return start.decode("utf-16", errors="ignore").lstrip().startswith("<")
    return start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<")
