"""The import of a whole log: the file is put in order, its cases are replayed one after the other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import transaction

from apps.core.errors import BrokenDocument, DomainError
from apps.core.locks import advisory_lock
from apps.core.text import text_problem
from apps.requests.enums import IMPORT
from apps.requests.eventlog.mapping import LogMapping, dangling, read_mapping
from apps.requests.eventlog.reading import Line, open_log
from apps.requests.eventlog.staging import StagedCase, StagedLine, Staging
from apps.requests.models import CatalogItem, ImportedCase, SelectionRule
from apps.requests.services.catalog import ensure_item, ensure_workflow
from apps.requests.services.importing.people import Company, Figure
from apps.requests.services.importing.replay import Case, Result, Step, replay, result_of
from apps.workflows.selectors import definition_of, published_version

CASES_TOGETHER = 50
LONGEST_NAME = 150
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


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a log is replayed on: mapping and item; `broken` are activities whose mapping leads nowhere, with why."""

    mapping: LogMapping
    company: Company
    item: CatalogItem
    broken: Mapping[str, str]


@dataclass(kw_only=True)
class Totals:
    """The sums over all cases so far; `taken` counts the steps replayed by this run alone."""

    cases: int = 0
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    final: Counter[str] = field(default_factory=Counter)
    taken: int = 0

    def add(self, result: Result, taken: int) -> None:
        self.cases += 1
        self.accepted += result.accepted
        self.final[result.status] += 1
        self.taken += taken
        if result.reason:
            self.refused[result.reason] += 1


@transaction.atomic
def prepare(path: Path) -> Setting:
    """Reads the mapping, and makes what it needs and is not there yet: roles, teams, calendar, form, workflow, item.

    What is there already is left as it is. All or nothing. Raises BrokenDocument with the problems by place, Conflict
    if the workflow is there with another document.
    """
    mapping = read_mapping(_json_of(path))
    advisory_lock("import.prepare")
    company = Company(mapping=mapping)
    company.gather()
    if mapping.workflow is not None:
        _ensure_workflow(mapping.workflow, path.parent)
    item = _item_of(mapping)
    return Setting(mapping=mapping, company=company, item=item, broken=_leads_nowhere(mapping, item))


def stage(log: Path, setting: Setting, staging: Staging, *, say: Callable[[str], None], strict: bool) -> int:
    """Puts the lines of the file in order; returns how many named no case. Raises UnreadableLog, Stopped."""
    mapping, homeless = setting.mapping, 0
    with open_log(log, delimiter=mapping.delimiter, encoding=mapping.encoding) as file:
        _demand_columns(mapping, file.columns if file.kind == "csv" else None)
        for line in file.lines():
            case = _value(line.values, mapping, "case")
            if not case:
                homeless += 1
                _complain(f"line {line.number}: {line.problem or 'it names no case'}", say, strict)
                continue
            at, problem = _time_of(line, mapping)
            staging.add(case=case, at=at, line=line.number, values=line.values, problem=problem)
    return homeless


def replay_cases(
    staging: Staging, setting: Setting, *, limit: int | None, say: Callable[[str], None], strict: bool
) -> Iterator[tuple[Result, int, int]]:
    """Replays case after case: the result, the steps taken now, the lines of the case.

    A case with a line that cannot be used is skipped whole and tried again by the next run. Raises Stopped if `strict`.
    """
    cases = staging.cases(limit=limit)
    while batch := list(islice(cases, CASES_TOGETHER)):
        yield from _replay_batch(batch, setting, say=say, strict=strict)


def _replay_batch(
    batch: list[StagedCase], setting: Setting, *, say: Callable[[str], None], strict: bool
) -> Iterator[tuple[Result, int, int]]:
    read = {staged.case: _case_of(staged, setting, say=say, strict=strict) for staged in batch}
    known = _known(setting.mapping.source, read)
    done = {name: result_of(row) for name, row in known.items() if _is_finished(row, read[name])}
    new = {name: _figures(case) for name, case in read.items() if isinstance(case, Case) and name not in done}
    casts = setting.company.casts(new)
    item = CatalogItem.objects.prefetch_related("audience", "rules__workflow").get(pk=setting.item.pk)
    for staged in batch:
        case = read[staged.case]
        if isinstance(case, str):
            yield Result(case=staged.case, reason=case), 0, len(staged.lines)
        elif staged.case in done:
            yield done[staged.case], 0, len(staged.lines)
        else:
            cast, is_known = casts[staged.case], staged.case in known
            result, taken = replay(case, mapping=setting.mapping, item=item, cast=cast, known=is_known)
            yield result, taken, len(staged.lines)


def _known(source: str, cases: Iterable[str]) -> dict[str, ImportedCase]:
    """What was noted of those cases that were begun before."""
    rows = ImportedCase.objects.filter(source=source, case__in=list(cases)).select_related("request")
    return {row.case: row for row in rows}


def _is_finished(row: ImportedCase, case: Case | str) -> bool:
    whole = isinstance(case, Case) and row.accepted >= len(case.steps)
    return bool(row.reason) or whole or row.request.origin != IMPORT


def _figures(case: Case) -> Iterable[Figure]:
    return [case.requester, *(step.figure for step in case.steps)]


# from lines to steps


def _case_of(staged: StagedCase, setting: Setting, *, say: Callable[[str], None], strict: bool) -> Case | str:
    """The case as steps, or why it cannot be used: as it is counted; the line is named on the way."""
    if strict and staged.unsorted is not None:
        raise Stopped(f"line {staged.unsorted}: earlier than a line of case {staged.case!r} before it")
    problem = text_problem(staged.case, max_length=LONGEST_NAME)
    found = (problem, staged.lines[0].line) if problem else _first_problem(staged, setting)
    if found:
        _complain(f"line {found[1]} (case {staged.case[:80]!r}): {found[0]}", say, strict)
        return found[0]
    steps = [_step_of(line, setting.mapping) for line in staged.lines]
    return Case(name=staged.case, steps=steps, requester=_requester(staged.lines[0], steps[0], setting.mapping))


def _first_problem(staged: StagedCase, setting: Setting) -> tuple[str, int] | None:
    problems = ((_line_problem(line, setting), line.line) for line in sorted(staged.lines, key=lambda line: line.line))
    return next(((text, line) for text, line in problems if text), None)


def _line_problem(line: StagedLine, setting: Setting) -> str:
    mapping = setting.mapping
    if line.problem:
        return line.problem
    name = _value(line.values, mapping, "activity")
    activity = mapping.activities.get(name)
    if activity is None:
        return f"unknown activity {name[:80]!r}"
    if name in setting.broken:
        return f"activity {name!r}: {setting.broken[name]}"
    role = _role_of(line, mapping, activity.role)
    if role not in mapping.roles:
        return f"unknown role {role[:80]!r}" if role else f"activity {name!r} names no role"
    resource = _value(line.values, mapping, "resource")
    return (
        f"the resource cannot be stored: {text_problem(resource, max_length=LONGEST_NAME)}"
        if (resource and text_problem(resource, max_length=LONGEST_NAME))
        else ""
    )


def _step_of(line: StagedLine, mapping: LogMapping) -> Step:
    activity = mapping.activities[_value(line.values, mapping, "activity")]
    role = _role_of(line, mapping, activity.role)
    assert line.at is not None
    return Step(
        line=line.line,
        at=line.at,
        activity=activity,
        role=role[:64],
        figure=_figure(role, _value(line.values, mapping, "resource"), mapping),
        values=line.values,
    )


def _requester(line: StagedLine, first: Step, mapping: LogMapping) -> Figure:
    if not mapping.requester_column and not mapping.requester_role:
        return first.figure
    return _figure(mapping.requester_role or first.role, line.values.get(mapping.requester_column, ""), mapping)


def _figure(role: str, name: str, mapping: LogMapping) -> Figure:
    return Figure(role=role, name="" if name in mapping.anonymous else name)


def _role_of(line: StagedLine, mapping: LogMapping, otherwise: str) -> str:
    return _value(line.values, mapping, "role") or otherwise


def _value(values: Mapping[str, str], mapping: LogMapping, what: str) -> str:
    """What the line says in the column of the mapping, or under the standard's name; "" if nothing."""
    column = getattr(mapping.columns, what)
    return values.get(column, values.get(STANDARD[what], "")) if column else ""


def _time_of(line: Line, mapping: LogMapping) -> tuple[datetime | None, str]:
    """The time in the log's zone where it says none itself; or the problem."""
    if line.problem:
        return None, line.problem
    text = _value(line.values, mapping, "timestamp").strip()
    try:
        iso = mapping.timestamp == "iso"
        at = datetime.fromisoformat(text) if iso else datetime.strptime(text, mapping.timestamp)  # noqa: DTZ007 - below
        at = at if at.tzinfo else at.replace(tzinfo=mapping.zone)
        at.timestamp()
    except (ValueError, OverflowError):
        return None, "the time cannot be read"
    return at, ""


def _demand_columns(mapping: LogMapping, columns: tuple[str, ...] | None) -> None:
    """Raises BrokenDocument naming every column that the mapping wants and a CSV log does not have."""
    if columns is None:
        return
    missing = {
        place: [f"The log has no column {name!r}; it has {', '.join(columns)}."]
        for name, place in mapping.columns_needed().items()
        if name not in columns
    }
    if missing:
        raise BrokenDocument(missing)


def _complain(text: str, say: Callable[[str], None], strict: bool) -> None:  # noqa: FBT001 - private
    if strict:
        raise Stopped(text)
    say(text)


# what the mapping needs


def _json_of(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BrokenDocument({str(path): [f"It cannot be read: {error.strerror}."]}) from error
    except ValueError as error:
        raise BrokenDocument({str(path): [f"It is no JSON: {error}"]}) from error


def _ensure_workflow(workflow: str | Mapping[str, Any], folder: Path) -> None:
    document = _json_of(folder / workflow) if isinstance(workflow, str) else workflow
    ensure_workflow(document)


def _item_of(mapping: LogMapping) -> CatalogItem:
    if isinstance(mapping.item, str):
        item = CatalogItem.objects.filter(slug=mapping.item).first()
        if item is None:
            known = ", ".join(CatalogItem.objects.values_list("slug", flat=True)) or "none"
            raise BrokenDocument({"item": [f"There is no catalogue item {mapping.item!r}; there are {known}."]})
        return item
    return ensure_item(mapping.item)


def _leads_nowhere(mapping: LogMapping, item: CatalogItem) -> dict[str, str]:
    """Activities whose mapping fits none of the workflows that may carry the item out."""
    rules = SelectionRule.objects.filter(item=item)
    versions = [published_version(pk) for pk in rules.values_list("workflow_id", flat=True).distinct()]
    found = [dangling(mapping, definition_of(version.pk)) for version in versions if version]
    if not found:
        raise BrokenDocument({"item": [f"No published workflow carries {item.slug} out."]})
    return {name: text for name, text in found[0].items() if all(name in other for other in found)}
