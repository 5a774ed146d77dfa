"""Reports as CSV: a header, and a line for each row. Pure; every face that offers CSV gives this text.

Things have two columns, the key they are filtered by and their name. Times are seconds, instants ISO 8601; what is not
known is empty. A text that a spreadsheet would take for a formula gets an apostrophe before it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import singledispatch
from io import StringIO
from typing import Any

from apps.requests.reports.figures import (
    Bottlenecks,
    Compliance,
    ComplianceRow,
    DueClock,
    DueSoon,
    Group,
    Named,
    Place,
    Throughput,
    ThroughputRow,
)
from apps.requests.stays import Spread

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
SPREAD = ("count", "median", "p90")
FLOW = ("submitted", "reopened", "completed", "rejected", "cancelled", "ended", "open")
Line = Mapping[str, Any]


@singledispatch
def sheet_of(report: Any) -> str:
    """The report as CSV, its totals left out."""
    raise TypeError(f"{type(report).__name__} is no report.")


@sheet_of.register
def _(report: Compliance) -> str:
    times = [f"{kind}_{name}" for kind in ("plain", "counted") for name in SPREAD]
    counts = ("met", "breached", "share", "running", "paused")
    header = ["metric", *_columns(("ola_team", *report.by)), *counts, *times]
    return _written(header, map(_of_clocks, (*report.rows, *report.ola_rows)))


@sheet_of.register
def _(report: Throughput) -> str:
    return _written([report.per, *_columns(report.by), *FLOW], (_of_period(row, report.per) for row in report.rows))


@sheet_of.register
def _(report: Bottlenecks) -> str:
    named = _columns(("item", "workflow", "place"))
    header = ["kind", *named, "visits", "now", "oldest", *(f"waiting_{name}" for name in SPREAD), "waiting_total"]
    return _written(header, map(_of_place, (*report.stages, *report.steps)))


@sheet_of.register
def _(report: DueSoon) -> str:
    named = _columns(("item", "team", "assignee"))
    header = ["number", "title", *named, "priority", "metric", *_columns(("target",))]
    return _written([*header, "due_at", "seconds_left", "by_calendar"], map(_of_clock, report.rows))


def _of_clocks(row: ComplianceRow) -> Line:
    counts = {name: getattr(row, name) for name in ("met", "breached", "share", "running", "paused")}
    times = _spread("plain", row.plain) | _spread("counted", row.counted)
    named = {**_group(row), **_named(target=row.target, ola_team=row.ola_team)}
    return {"metric": row.metric, "month": row.month, **named, **counts, **times}


def _of_period(row: ThroughputRow, per: str) -> Line:
    return {per: row.start, **_group(row), **{name: getattr(row, name) for name in FLOW}}


def _of_place(one: Place) -> Line:
    named = _named(item=one.item, workflow=one.workflow, place=one.place)
    counts = {"kind": one.kind, "visits": one.visits, "now": one.now, "oldest": one.oldest}
    return named | counts | _spread("waiting", one.waiting) | {"waiting_total": one.total}


def _of_clock(one: DueClock) -> Line:
    named = _named(item=one.item, team=one.team, assignee=one.assignee, target=one.target)
    own = ("number", "title", "priority", "metric", "due_at", "seconds_left")
    return named | {name: getattr(one, name) for name in own} | {"by_calendar": "yes" if one.by_calendar else "no"}


def _columns(names: Sequence[str]) -> list[str]:
    return [
        column for name in names for column in ([name] if name in ("priority", "month") else [name, f"{name}_name"])
    ]


def _group(row: Group) -> Line:
    return _named(item=row.item, team=row.team) | {"priority": row.priority}


def _named(**things: Named | None) -> dict[str, str]:
    keys = {name: one.key for name, one in things.items() if one is not None}
    return keys | {f"{name}_name": one.name for name, one in things.items() if one is not None}


def _spread(kind: str, spread: Spread) -> dict[str, Any]:
    return {f"{kind}_{name}": getattr(spread, name) for name in SPREAD}


def _written(header: Sequence[str], lines: Iterable[Line]) -> str:
    out = StringIO(newline="")
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(header)
    table.writerows([_cell(line.get(name)) for name in header] for line in lines)
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, float):
        return repr(round(value, 6)).removesuffix(".0")
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text
