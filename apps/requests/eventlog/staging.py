"""A log put in order: every line waits in a temporary SQLite file, and comes back with its case, by time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from types import TracebackType
from typing import Any, Self

TOGETHER = 5000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NEVER = 2**63 - 1

# A database without a name lives in a file that SQLite removes from its folder the moment it has opened it.
SCHEMA = """
    PRAGMA synchronous = OFF;
    PRAGMA journal_mode = OFF;
    PRAGMA temp_store = FILE;
    PRAGMA cache_size = -32000;
    CREATE TABLE cases (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE);
    CREATE TABLE lines (case_id INTEGER NOT NULL, instant INTEGER NOT NULL, line INTEGER NOT NULL, rest TEXT NOT NULL);
"""
ADD_CASE = "INSERT OR IGNORE INTO cases (name) VALUES (?)"
ADD_LINE = "INSERT INTO lines SELECT id, ?2, ?3, ?4 FROM cases WHERE name = ?1"
INDEX = "CREATE INDEX IF NOT EXISTS in_order ON lines (case_id, instant, line)"
READ = """
    SELECT cases.id, name, line, rest FROM cases CROSS JOIN lines ON case_id = cases.id
    WHERE cases.id <= ? ORDER BY cases.id, instant, line
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedLine:
    """A line with its time; one without a time has a problem."""

    line: int
    at: datetime | None
    values: Mapping[str, str]
    problem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedCase:
    """A case with its lines by time, then by place in the file; those without a time come last.

    `unsorted` is the first line whose time is earlier than that of a line of the case before it in the file.
    """

    case: str
    lines: tuple[StagedLine, ...]
    unsorted: int | None


class Staging:
    """Lines go in in the file's order and come out case by case; memory holds a batch of them, and one case.

    Use it with `with`: at the end the temporary file is gone. It lies where SQLite puts such files: `SQLITE_TMPDIR`,
    `TMPDIR`, else `/var/tmp`.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(SCHEMA)
        self._batch: list[tuple[bytes, int, int, str]] = []
        self._events = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()

    def add(self, *, case: str, at: datetime | None, line: int, values: Mapping[str, str], problem: str = "") -> None:
        """Takes a line in. `at` is aware."""
        rest = json.dumps([at.isoformat() if at else None, values, problem])
        self._batch.append((case.encode("utf-8", "surrogatepass"), _instant(at), line, rest))
        self._events += 1
        if len(self._batch) >= TOGETHER:
            self._write()

    def count_cases(self) -> int:
        self._write()
        (count,) = self._database.execute("SELECT count(*) FROM cases").fetchone()
        return int(count)

    def count_events(self) -> int:
        """All lines, those with problems too."""
        return self._events

    def cases(self, *, limit: int | None = None) -> Iterator[StagedCase]:
        """The cases in the order in which they first occur in the file: all of them, or the first so many."""
        self._write()
        self._database.execute(INDEX)
        rows = self._database.execute(READ, [NEVER if limit is None else limit])
        for (_, name), of_case in groupby(rows, key=itemgetter(0, 1)):
            yield _case(name, of_case)

    def _write(self) -> None:
        if self._batch:
            self._database.execute("BEGIN")
            self._database.executemany(ADD_CASE, ((row[0],) for row in self._batch))
            self._database.executemany(ADD_LINE, self._batch)
            self._database.execute("COMMIT")
            self._batch = []


def _instant(at: datetime | None) -> int:
    return NEVER if at is None else (at - EPOCH) // MICROSECOND


def _case(name: bytes, rows: Iterable[tuple[Any, ...]]) -> StagedCase:
    lines = tuple(_line(line, rest) for _, _, line, rest in rows)
    return StagedCase(case=name.decode("utf-8", "surrogatepass"), lines=lines, unsorted=_first_unsorted(lines))


def _line(line: int, rest: str) -> StagedLine:
    at, values, problem = json.loads(rest)
    return StagedLine(line=line, at=datetime.fromisoformat(at) if at else None, values=values, problem=problem)


def _first_unsorted(lines: Iterable[StagedLine]) -> int | None:
    """The first line by its place whose time is earlier than the latest before it."""
    latest: datetime | None = None
    for line in sorted(lines, key=lambda line: line.line):
        if line.at is None:
            continue
        if latest is not None and line.at < latest:
            return line.line
        latest = line.at
    return None
