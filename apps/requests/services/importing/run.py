"""The import of a whole log: the file is put in order, its cases are replayed one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from django.db import connection

from apps.core.errors import BrokenDocument
from apps.requests.enums import IMPORT
from apps.requests.eventlog.mapping import LogMapping
from apps.requests.eventlog.reading import open_log
from apps.requests.eventlog.staging import StagedCase, Staging
from apps.requests.models import CatalogItem, ImportedCase
from apps.requests.services.importing.cases import case_of, complain, time_of, value_of
from apps.requests.services.importing.people import Figure
from apps.requests.services.importing.replay import Case, Result, replay, result_of
from apps.requests.services.importing.setting import Setting

CASES_TOGETHER = 50
MANY = 1_000


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


def stage(log: Path, setting: Setting, staging: Staging, *, say: Callable[[str], None], strict: bool) -> int:
    """Puts the lines of the file in order; returns how many named no case. Raises UnreadableLog, Stopped."""
    mapping, homeless = setting.mapping, 0
    with open_log(log, delimiter=mapping.delimiter, encoding=mapping.encoding) as file:
        _demand_columns(mapping, file.columns if file.kind == "csv" else None)
        for line in file.lines():
            case = value_of(line.values, mapping, "case")
            if not case:
                homeless += 1
                complain(f"line {line.number}: {line.problem or 'it names no case'}", say, strict=strict)
                continue
            at, problem = time_of(line, mapping)
            staging.add(case=case, at=at, line=line.number, values=line.values, problem=problem)
    return homeless


def replay_cases(
    staging: Staging, setting: Setting, *, limit: int | None, say: Callable[[str], None], strict: bool
) -> Iterator[tuple[Result, int]]:
    """Replays case after case: the result, and how many steps were taken now.

    A case with a line that cannot be used is skipped whole and tried again by the next run. Raises Stopped if `strict`.
    """
    cases = staging.cases(limit=limit)
    while batch := list(islice(cases, CASES_TOGETHER)):
        yield from _replay_batch(batch, setting, say=say, strict=strict)


def refresh_statistics(taken: int) -> None:
    """After many new rows PostgreSQL's planner learns of them at once, not only when autovacuum comes by."""
    if taken >= MANY and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def _replay_batch(
    batch: list[StagedCase], setting: Setting, *, say: Callable[[str], None], strict: bool
) -> Iterator[tuple[Result, int]]:
    read = {staged.case: case_of(staged, setting, say=say, strict=strict) for staged in batch}
    known = _known(setting.mapping.source, read)
    done = {name: result_of(row) for name, row in known.items() if _is_finished(row, read[name])}
    new = {name: _figures(case) for name, case in read.items() if isinstance(case, Case) and name not in done}
    casts = setting.company.casts(new)
    item = CatalogItem.objects.prefetch_related("audience", "rules__workflow").get(pk=setting.item.pk)
    for staged in batch:
        case = read[staged.case]
        if isinstance(case, str):
            yield Result(case=staged.case, reason=case), 0
        elif staged.case in done:
            yield done[staged.case], 0
        else:
            cast, is_known = casts[staged.case], staged.case in known
            yield replay(case, mapping=setting.mapping, item=item, cast=cast, known=is_known)


def _known(source: str, cases: Iterable[str]) -> dict[str, ImportedCase]:
    """What was noted of those cases that were begun before."""
    rows = ImportedCase.objects.filter(source=source, case__in=list(cases)).select_related("request")
    return {row.case: row for row in rows}


def _is_finished(row: ImportedCase, case: Case | str) -> bool:
    whole = isinstance(case, Case) and row.accepted >= len(case.steps)
    return bool(row.reason) or whole or row.request.origin != IMPORT


def _figures(case: Case) -> Iterable[Figure]:
    return [case.requester, *(step.figure for step in case.steps)]


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
