"""Putting a log in order, however large it is: a temporary SQLite file, removed at the end."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOGETHER = 2_000
NEVER = 2**62
TABLES = """
CREATE TABLE kase (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE line (kase INTEGER NOT NULL, at INTEGER NOT NULL, number INTEGER NOT NULL, content TEXT NOT NULL,
                   PRIMARY KEY (kase, at, number)) WITHOUT ROWID;
"""
IN_ORDER = "SELECT kase.name, at, number, content FROM line JOIN kase ON kase.id = line.kase"


@dataclass(frozen=True, kw_only=True)
class StagedLine:
    """A record of the log; `at` is None where it says no time that can be read, and then there is a problem."""

    line: int
    at: datetime | None
    values: Mapping[str, str]
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class StagedCase:
    """A case with its lines by time, then by place in the file; those without time last.

    `unsorted` is the first line of the case that is earlier than one before it in the file.
    """

    case: str
    lines: tuple[StagedLine, ...]
    unsorted: int | None = None


class Staging:
    """The lines of a log by case. Memory does not grow with the log."""

    def __enter__(self) -> Self:
        self.folder = tempfile.TemporaryDirectory(prefix="log-")
        self.database = sqlite3.connect(Path(self.folder.name) / "lines.sqlite3")
        self.database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + TABLES)
        self.waiting: list[tuple[str, int, int, str]] = []
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()
        self.folder.cleanup()

    def add(self, *, case: str, at: datetime | None, line: int, values: Mapping[str, str], problem: str = "") -> None:
        """Takes a record in. `at` is aware."""
        since = NEVER if at is None else (at - EPOCH) // timedelta(microseconds=1)
        content = json.dumps([dict(values), problem])
        self.waiting.append((case.encode("utf-8", "replace").decode(), since, line, content))
        if len(self.waiting) >= TOGETHER:
            self._write()

    def count_cases(self) -> int:
        """How many cases there are."""
        return self._count("kase")

    def count_events(self) -> int:
        """How many lines there are."""
        return self._count("line")

    def cases(self, *, limit: int | None = None) -> Iterator[StagedCase]:
        """The cases, in the order in which they first occur in the file; with `limit` the first so many."""
        self._write()
        first = f"{IN_ORDER} WHERE line.kase <= ? ORDER BY line.kase, at, number"
        rows = self.database.execute(first, [NEVER if limit is None else limit])
        for name, lines in groupby(rows, key=lambda row: row[0]):
            yield _case(name, [_line(*row[1:]) for row in lines])

    def _count(self, table: str) -> int:
        self._write()
        return int(self.database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - our own name

    def _write(self) -> None:
        names = [(name,) for name, *_ in self.waiting]
        self.database.executemany("INSERT INTO kase (name) VALUES (?) ON CONFLICT DO NOTHING", names)
        insert = "INSERT INTO line SELECT id, ?2, ?3, ?4 FROM kase WHERE name = ?1"
        self.database.executemany(insert, self.waiting)
        self.waiting = []


def _line(since: int, number: int, content: str) -> StagedLine:
    values, problem = json.loads(content)
    at = None if since == NEVER else EPOCH + timedelta(microseconds=since)
    return StagedLine(line=number, at=at, values=values, problem=problem)


def _case(name: str, lines: list[StagedLine]) -> StagedCase:
    latest, unsorted = None, None
    for line in sorted(lines, key=lambda one: one.line):
        if line.at and latest and line.at < latest:
            unsorted = line.line
            break
        latest = line.at or latest
    return StagedCase(case=name, lines=tuple(lines), unsorted=unsorted)
