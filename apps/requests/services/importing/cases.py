"""From the lines of a log to cases that can be replayed; or why a line cannot be used."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from apps.core.errors import DomainError
from apps.core.text import text_problem
from apps.requests.eventlog.mapping import LogMapping
from apps.requests.eventlog.reading import Line
from apps.requests.eventlog.staging import StagedCase, StagedLine
from apps.requests.services.importing.people import Figure
from apps.requests.services.importing.replay import Case, Step
from apps.requests.services.importing.setting import Setting

LONGEST_NAME = 150
YEARS = range(1950, 2200)
STANDARD = {
    "case": "case:concept:name",
    "activity": "concept:name",
    "timestamp": "time:timestamp",
    "resource": "org:resource",
    "role": "org:role",
}


class Stopped(DomainError):
    """The import was stopped: the log or the mapping has a mistake, and `strict` was asked for."""

    code = "stopped"


def case_of(staged: StagedCase, setting: Setting, *, say: Callable[[str], None], strict: bool) -> Case | str:
    """The case as steps, or why it cannot be used: as it is counted; the line is named on the way."""
    if strict and staged.unsorted is not None:
        raise Stopped(f"line {staged.unsorted}: earlier than a line of case {staged.case!r} before it")
    problem = text_problem(staged.case, max_length=LONGEST_NAME)
    found = (problem, staged.lines[0].line) if problem else _first_problem(staged, setting)
    if found:
        complain(f"line {found[1]} (case {staged.case[:80]!r}): {found[0]}", say, strict=strict)
        return found[0]
    requester = staged.lines[0].values.get(setting.mapping.requester_column, "")
    if requester and (problem := text_problem(requester, max_length=LONGEST_NAME)):
        complain(
            f"line {staged.lines[0].line} (case {staged.case[:80]!r}): the requester: {problem}", say, strict=strict
        )
        return f"the requester cannot be stored: {problem}"
    steps = [_step_of(line, setting.mapping) for line in staged.lines]
    return Case(name=staged.case, steps=steps, requester=_requester(staged.lines[0], steps[0], setting.mapping))


def _first_problem(staged: StagedCase, setting: Setting) -> tuple[str, int] | None:
    problems = ((_line_problem(line, setting), line.line) for line in sorted(staged.lines, key=lambda line: line.line))
    return next(((text, line) for text, line in problems if text), None)


def _line_problem(line: StagedLine, setting: Setting) -> str:
    mapping = setting.mapping
    if line.problem:
        return line.problem
    name = value_of(line.values, mapping, "activity")
    activity = mapping.activities.get(name)
    if activity is None:
        return f"unknown activity {name[:80]!r}"
    if name in setting.broken:
        return f"activity {name!r}: {setting.broken[name]}"
    role = _role_of(line, mapping, activity.role)
    if role not in mapping.roles:
        return f"unknown role {role[:80]!r}" if role else f"activity {name!r} names no role"
    resource = value_of(line.values, mapping, "resource")
    problem = text_problem(resource, max_length=LONGEST_NAME) if resource else None
    return f"the resource cannot be stored: {problem}" if problem else ""


def _step_of(line: StagedLine, mapping: LogMapping) -> Step:
    activity = mapping.activities[value_of(line.values, mapping, "activity")]
    role = _role_of(line, mapping, activity.role)
    assert line.at is not None
    return Step(
        line=line.line,
        at=line.at,
        activity=activity,
        role=role,
        figure=_figure(role, value_of(line.values, mapping, "resource"), mapping),
        values=line.values,
    )


def _requester(line: StagedLine, first: Step, mapping: LogMapping) -> Figure:
    if not mapping.requester_column and not mapping.requester_role:
        return first.figure
    return _figure(mapping.requester_role or first.role, line.values.get(mapping.requester_column, ""), mapping)


def _figure(role: str, name: str, mapping: LogMapping) -> Figure:
    return Figure(role=role, name="" if name in mapping.anonymous else name)


def _role_of(line: StagedLine, mapping: LogMapping, otherwise: str) -> str:
    return value_of(line.values, mapping, "role") or otherwise


def value_of(values: Mapping[str, str], mapping: LogMapping, what: str) -> str:
    """What the line says in the column of the mapping, or under the standard's name; "" if nothing."""
    column = getattr(mapping.columns, what)
    return values.get(column, values.get(STANDARD[what], "")) if column else ""


def time_of(line: Line, mapping: LogMapping) -> tuple[datetime | None, str]:
    """The time in UTC, read in the mapping's zone where it says none itself; or the problem."""
    if line.problem:
        return None, line.problem
    text = value_of(line.values, mapping, "timestamp").strip()
    try:
        iso = mapping.timestamp == "iso"
        at = datetime.fromisoformat(text) if iso else datetime.strptime(text, mapping.timestamp)  # noqa: DTZ007 - below
        at = (at if at.tzinfo else at.replace(tzinfo=mapping.zone)).astimezone(UTC)
    except (ValueError, OverflowError, re.error):  # strptime's pattern may be none
        return None, "the time cannot be read"
    return (at, "") if at.year in YEARS else (None, f"the time is not within {YEARS[0]} to {YEARS[-1]}")


def complain(text: str, say: Callable[[str], None], *, strict: bool) -> None:
    """Names a mistake; with `strict` that stops the import (Stopped)."""
    if strict:
        raise Stopped(text)
    say(text)
