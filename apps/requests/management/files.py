"""What the commands that read documents share: strict reading of files, and how problems are listed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import OperationalError, ProgrammingError, connection

from apps.core.admin_parts import MOST_CHARACTERS, read_document

PLACE = re.compile(r"(Line [0-9]+, column [0-9]+): ")
WIDEST = 40
REFUSED, UNREADABLE = 1, 2  # exit codes


Answer = TypeVar("Answer")


def with_database(ask: Callable[[], Answer], *, otherwise: Callable[[], Answer]) -> Answer:
    """What `ask` says; what `otherwise` says where there is no database, or none that is migrated.

    A SQLite file that is not there is not made.
    """
    if _is_missing_file():
        return otherwise()
    try:
        return ask()
    except (OperationalError, ProgrammingError):
        return otherwise()


def _is_missing_file() -> bool:
    name = str(connection.settings_dict["NAME"])
    in_memory = name.startswith((":memory:", "file:"))
    return connection.vendor == "sqlite" and not in_memory and not Path(name).exists()


class Unreadable(Exception):
    """A file that is no JSON document; `place` is where in the file, as far as that is known."""

    def __init__(self, path: Path, text: str) -> None:
        found = PLACE.match(text)
        self.place = found[1].lower() if found else ""
        super().__init__(f"{path}: {text}")

    def as_problem(self) -> dict[str, Any]:
        """In the shape of the gate's problems."""
        return {
            "code": "unreadable",
            "severity": "error",
            "step": None,
            "transition": None,
            "message": str(self),
            "path": self.place,
        }


def read_json(path: Path) -> Any:
    """The JSON value in a file, UTF-8, at most a million characters. Raises Unreadable with a sentence."""
    try:
        with path.open("rb") as file:
            content = file.read(4 * MOST_CHARACTERS + 1)
        return read_document(content.decode())
    except OSError as error:
        raise Unreadable(path, f"{error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise Unreadable(path, f"This is not UTF-8 (byte {error.start + 1:,}).") from error
    except ValidationError as refusal:
        raise Unreadable(path, refusal.messages[0]) from refusal


def listed(problems: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line per problem: severity, place, message, in columns."""
    rows = [(str(one["severity"]), place_of(one), str(one["message"])) for one in problems]
    width = min(WIDEST, max((len(place) for _, place, _ in rows), default=0))
    return [f"{severity:<8} {place:<{width}}  {message}" for severity, place, message in rows]


def place_of(problem: Mapping[str, Any]) -> str:
    """The step, else the transition, else the path in the document or the script."""
    if problem["step"] is not None:
        return str(problem["step"])
    if problem["transition"] is not None:
        return f"transitions/{problem['transition']}"
    return str(problem["path"]) or "document"
