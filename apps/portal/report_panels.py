"""The panels of the page Reports: each a table of figures of a report, with the chart of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from math import floor
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format

from apps.portal.charts import Cell, Column, Panel, Row, unit_of
from apps.portal.lines import METRICS
from apps.requests.enums import Priority
from apps.requests.process import duration
from apps.requests.reports import Bottlenecks, Compliance, ComplianceRow, Named, Place, Throughput, ThroughputRow
from apps.requests.stays import Spread

MOST_PLACES = 12
MEASURED: Mapping[str, str] = {**METRICS, "stage": "Stages", "step": "Steps", "approval": "Approvals"}
TIMED = ("response", "resolution")
KEPT = {"month": "Month", "item": "Item", "team": "Team", "priority": "Priority"}
Groups = Mapping[Any, Mapping[str, ComplianceRow]]
HEADS = {"month": "Month", "week": "Week from", "day": "Day"}


def share_said(share: float | None) -> str:
    """`95.9 %`, cut and not rounded, so that 100 % is all of them; `–` where nothing is decided."""
    return "–" if share is None else f"{_percent(share):g} %"


def _percent(share: float) -> float:
    return floor(share * 1_000 + 1e-9) / 10


# in time


def in_time_panel(report: Compliance, by: str) -> Panel:
    return Panel(
        id=f"by-{by}",
        title=f"By {by}",
        help="",
        head=KEPT[by],
        **_shares(report.totals, _by_group(report.rows, by)),
        shape="upright" if by in ("month", "priority") else "across",
        sheet=f"compliance-by-{by}",
    )


def own_targets_panel(report: Compliance) -> Panel:
    """The targets that teams have of their own, by team; without rows where there are none."""
    return Panel(
        id="own-targets",
        title="Teams' own targets",
        help="What teams keep for themselves (OLA). Their time counts only while the team has the request, and they "
        "are in no other figure here.",
        head="Team",
        **_shares(report.ola_totals, _by_group(report.ola_totals, "ola_team")),
        shape="across",
        sheet="own-targets",
    )


def _shares(totals: Iterable[ComplianceRow], groups: Groups) -> dict[str, Any]:
    """The columns and rows of a panel: for each group the share of each metric."""
    metrics = _metrics(totals)
    columns = [Column(name=MEASURED[metric]) for metric in metrics]
    rows = [
        Row(name=_name(group), cells=[_share(found.get(metric)) for metric in metrics])
        for group, found in groups.items()
    ]
    return {"columns": columns, "rows": rows, "unit": "%"}


def _metrics(totals: Iterable[ComplianceRow]) -> list[str]:
    there = {row.metric for row in totals}
    return [metric for metric in MEASURED if metric in there]


def _by_group(rows: Iterable[ComplianceRow], by: str) -> Groups:
    """The rows of a group by metric; months in their order, all else as the report has it."""
    found: dict[Any, dict[str, ComplianceRow]] = {}
    for row in rows:
        found.setdefault(getattr(row, by), {})[row.metric] = row
    return dict(sorted(found.items())) if by == "month" else found


def _name(group: Named | date | str) -> str:
    if isinstance(group, date):
        return date_format(group, "M Y")
    return group.name if isinstance(group, Named) else str(Priority(group).label)


def _share(row: ComplianceRow | None) -> Cell:
    if row is None:
        return Cell(said="–")
    still = row.running + row.paused
    parts = [f"{row.met:,} of {row.decided:,}"] if row.decided else []
    parts += [f"{still:,} open"] if still else []
    value = None if row.share is None else _percent(row.share)
    return Cell(said=share_said(row.share), note=", ".join(parts), value=value)


# times


def times_panel(months: Compliance) -> Panel:
    groups = _by_group(months.rows, "month")
    metrics = [metric for metric in _metrics(months.totals) if metric in TIMED]
    spreads = [[_plain(found.get(metric)) for metric in metrics] for found in groups.values()]
    unit, seconds = unit_of([one.p90 for row in spreads for one in row])
    columns = [
        Column(name=f"{MEASURED[one]}, {part}", drawn="line") for one in metrics for part in ("median", "90 % within")
    ]
    rows = [
        Row(name=_name(month), cells=[cell for one in metrics for cell in _time_cells(found.get(one), seconds)])
        for month, found in groups.items()
    ]
    return Panel(
        id="times",
        title="How long it took",
        help="From submission to the first response and to the solution, nights and weekends included. What is counted "
        "leaves out closed hours and holds.",
        head="Month",
        columns=columns,
        rows=[row for row in rows if any(cell.value is not None for cell in row.cells)],
        unit=unit,
        sheet="compliance-by-month",
    )


def _plain(row: ComplianceRow | None) -> Spread:
    return row.plain if row else Spread()


def _time_cells(row: ComplianceRow | None, unit: int) -> list[Cell]:
    plain = _plain(row)
    counted = f"{duration(row.counted.median)} counted" if row and row.counted.median else ""
    return [_length(plain.median, unit, note=counted), _length(plain.p90, unit)]


def _length(seconds: float | None, unit: int, *, note: str = "") -> Cell:
    return Cell(said=duration(seconds), note=note, value=None if seconds is None else round(seconds / unit, 2))


# what came and went


def flow_panel(report: Throughput) -> Panel:
    return Panel(
        id="flow",
        title="What came and went",
        help="Requests in the period in which they were submitted, and in that in which they ended. One that is "
        "reopened ends again, and each ending counts. Open is at the end of each period.",
        head=HEADS[report.per],
        columns=[Column(name="Submitted"), Column(name="Ended"), Column(name="Open", drawn="line")],
        rows=[_period(row, row.start, report.per) for row in report.rows if row.start],
        sheet="throughput",
    )


def _period(row: ThroughputRow, start: date, per: str) -> Row:
    ended = _ends(completed=row.completed, rejected=row.rejected, cancelled=row.cancelled)
    return Row(
        name=date_format(start, "M Y" if per == "month" else "j M Y"),
        cells=[_count(row.submitted, note=reopened_too(row)), _count(row.ended, note=ended), _count(row.open)],
    )


def _count(number: int, *, note: str = "") -> Cell:
    return Cell(said=f"{number:,}", note=note, value=number)


def reopened_too(row: ThroughputRow) -> str:
    """What came back besides."""
    return f"and {row.reopened:,} reopened" if row.reopened else ""


def _ends(**outcomes: int) -> str:
    """What the ends were, unless all were completed."""
    others = [f"{count:,} {name}" for name, count in outcomes.items() if count]
    return ", ".join(others) if outcomes["rejected"] or outcomes["cancelled"] else ""


# where it waits


def waiting_panel(report: Bottlenecks, kind: str) -> Panel:
    places = report.steps if kind == "step" else report.stages
    shown = places[:MOST_PLACES]
    unit, seconds = unit_of([one.total for one in shown])
    hidden = len(places) - len(shown)
    return Panel(
        id=f"{kind}s",
        title="At which steps" if kind == "step" else "At which stages",
        help="",
        head=kind.capitalize(),
        columns=[
            Column(name="Waited together"),
            Column(name="Median", drawn=""),
            Column(name="90 % within", drawn=""),
            Column(name="Visits", drawn=""),
            Column(name="There now", drawn=""),
        ],
        rows=[_place(one, seconds) for one in shown],
        shape="across",
        unit=unit,
        sheet="waiting",
        more=f"The {MOST_PLACES} with the longest waiting; {hidden:,} more are in the CSV file." if hidden > 0 else "",
    )


def _place(one: Place, unit: int) -> Row:
    since = f"since {date_format(timezone.localtime(one.oldest), 'j M Y')}" if one.oldest else ""
    same = one.item.name == one.workflow.name
    return Row(
        name=one.place.name,
        under=one.item.name if same else f"{one.item.name}: {one.workflow.name}",
        cells=[
            _length(one.total if one.waiting.count else None, unit),
            Cell(said=duration(one.waiting.median)),
            Cell(said=duration(one.waiting.p90)),
            Cell(said=f"{one.visits:,}"),
            Cell(said=f"{one.now:,}", note=since),
        ],
    )
