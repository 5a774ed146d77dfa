"""What reports are made of. Pure."""

from apps.requests.reports.figures import (
    NO_TEAM,
    NOTHING,
    Bottlenecks,
    Compliance,
    ComplianceRow,
    DueClock,
    DueSoon,
    Filters,
    Group,
    Named,
    Place,
    PlaceTotals,
    Throughput,
    ThroughputRow,
)
from apps.requests.reports.sheets import sheet_of

__all__ = [
    "NOTHING",
    "NO_TEAM",
    "Bottlenecks",
    "Compliance",
    "ComplianceRow",
    "DueClock",
    "DueSoon",
    "Filters",
    "Group",
    "Named",
    "Place",
    "PlaceTotals",
    "Throughput",
    "ThroughputRow",
    "sheet_of",
]
