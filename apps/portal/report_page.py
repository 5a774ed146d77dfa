"""What the page Reports shows: the figures of the selectors as headlines, tables and charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apps.accounts.models import User
from apps.portal.charts import Panel
from apps.portal.report_filters import Asked
from apps.portal.report_panels import (
    KEPT,
    MEASURED,
    TIMED,
    flow_panel,
    in_time_panel,
    own_targets_panel,
    reopened_too,
    share_said,
    times_panel,
    waiting_panel,
)
from apps.requests.reports import Compliance, DueSoon, Throughput
from apps.requests.selectors.reports import bottlenecks, compliance, compliance_by_each, due_soon, throughput

MOST_DUE = 20
MOST_IN_A_SHEET = 10_000
Report = Callable[[User, Asked], Any]


def _compliance_by(group: str) -> Report:
    return lambda reader, asked: replace(compliance(reader, asked.filters, by=(group,)), ola_rows=())


def _own_targets(reader: User, asked: Asked) -> Compliance:
    return replace(compliance(reader, asked.filters, by=("target",)), rows=())


SHEETS: Mapping[str, Report] = {
    **{f"compliance-by-{group}": _compliance_by(group) for group in KEPT},
    "own-targets": _own_targets,
    "throughput": lambda reader, asked: throughput(reader, asked.filters, per=asked.per),
    "waiting": lambda reader, asked: bottlenecks(reader, asked.filters),
    "due": lambda reader, asked: due_soon(reader, asked.filters_ahead, hours=asked.hours, most=MOST_IN_A_SHEET),
}


@dataclass(frozen=True, kw_only=True)
class Headline:
    """One figure in large letters."""

    name: str
    said: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportPage:
    """Everything the page shows; `empty` if the filters let nothing through. `measured` is whether any target is, and
    `decided` whether one was reached or missed.
    """

    headlines: Sequence[Headline]
    in_time: Sequence[Panel]
    own_targets: Panel
    times: Panel
    flow: Panel
    waiting: Sequence[Panel]
    due: DueSoon
    measured: bool
    decided: bool
    empty: bool


def report_page(reader: User, asked: Asked) -> ReportPage:
    """Reads the reports for somebody who may see them; the number of statements does not depend on the rows. Raises
    NotPermitted."""
    kept = compliance_by_each(reader, asked.filters, list(KEPT), timed=("month",))
    months = kept["month"]
    flow, places = throughput(reader, asked.filters, per=asked.per), bottlenecks(reader, asked.filters)
    due = due_soon(reader, asked.filters_ahead, hours=asked.hours, most=MOST_DUE)
    return ReportPage(
        headlines=_headlines(months, flow, due, asked),
        in_time=[in_time_panel(report, by) for by, report in kept.items()],
        own_targets=own_targets_panel(months),
        times=times_panel(months),
        flow=flow_panel(flow),
        waiting=[waiting_panel(places, "stage"), waiting_panel(places, "step")],
        due=due,
        measured=bool(months.totals or months.ola_totals),
        decided=any(row.decided for row in months.totals),
        empty=not (months.totals or months.ola_totals or due.total or places.totals.visits or _anything(flow)),
    )


def _anything(flow: Throughput) -> bool:
    return any((flow.totals.submitted, flow.totals.reopened, flow.totals.ended, flow.totals.open))


def _headlines(months: Compliance, flow: Throughput, due: DueSoon, asked: Asked) -> list[Headline]:
    totals = flow.totals
    shares = [
        Headline(
            name=f"{MEASURED[row.metric]} in time",
            said=share_said(row.share),
            note=f"{row.met:,} of {row.decided:,}" if row.decided else "nothing decided yet",
        )
        for row in months.totals
        if row.metric in TIMED
    ]
    return [
        *shares,
        _missed(months),
        Headline(name="Open now" if asked.days.last is None else "Open at the end", said=f"{totals.open:,}"),
        Headline(
            name=f"Due in {asked.hours} hours",
            said=f"{due.total:,}",
            note=f"{due.overdue:,} of them late" if due.overdue else "",
        ),
        Headline(name="Submitted", said=f"{totals.submitted:,}", note=reopened_too(totals)),
        Headline(name="Ended", said=f"{totals.ended:,}"),
    ]


def _missed(months: Compliance) -> Headline:
    service, own = (sum(row.breached for row in rows) for rows in (months.totals, months.ola_totals))
    return Headline(name="Targets missed", said=f"{service:,}", note=f"and {own:,} of teams' own" if own else "")
