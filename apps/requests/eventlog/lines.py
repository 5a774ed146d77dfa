"""What is read of a log, whatever its format: lines, and why a file cannot be read at all."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apps.core.errors import InvalidInput


class UnreadableLog(InvalidInput):
    """The event log cannot be read."""

    code = "unreadable_log"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One record of a log, its values as they are written.

    `number` is the physical line on which a CSV's record begins (the header is line 1), or the ordinal of a XES event.
    With a `problem` the record cannot be taken; `values` then holds what could be read of it.
    """

    number: int
    values: Mapping[str, str]
    problem: str = ""


def unreadable(problem: str) -> UnreadableLog:
    return UnreadableLog({"log": [problem]})


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Whatever keeps the file's bytes from being read becomes an UnreadableLog that names the file."""
    try:
        yield
    except EOFError as error:
        raise unreadable(f"{path} breaks off: the compressed data has no end.") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise unreadable(f"{path} is damaged: {error}.") from error
    except OSError as error:
        raise unreadable(f"{path} cannot be read: {error.strerror or error}.") from error
